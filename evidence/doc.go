// Package evidence says what happened in a governed execution, and lets a
// stranger check it.
//
// # Making evidence
//
// Each thing that happens is a [Predicate] ([Request], [Grant], [Decision],
// [Outcome], [Signal], [Halt], [Seal], [Resolution]). A [Signer] wraps it into an in-toto
// statement, serialises that once, and signs the bytes as a DSSE [Envelope].
// The workflow appends envelopes to a [Chain]; the seal, signed last, states
// how long the chain is and where it ends.
//
// # Checking evidence
//
// [DecodeProof] reads a proof file, [ParseTrust] the trust root that the
// verifier believes, and [Verify] answers three separate questions: is the
// proof authentic, is it complete, was the execution governed. A good
// signature says only who signed; it never says that something was allowed.
//
// FORMAT.md in this folder is normative for every byte.
//
// This is the bottom layer: it imports the standard library and
// golang.org/x/crypto, and nothing of this project. [Envelope.Digest] and
// [Chain] are deterministic and free of encoding/json, so workflow code may
// call them; everything else belongs in activities and tools.
package evidence
