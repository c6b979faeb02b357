// Package store remembers evidence: an embedded SQLite file that several
// processes of one machine may open at once.
//
// # What it keeps
//
//   - the chain of records of every [Run] ([Store.Begin], [Store.Append],
//     [Store.Records], [Store.Head]);
//   - which principal asked for what, once ([Nonce]);
//   - who took the right to cause an effect, and how that ended ([Slot]);
//   - which run goes on with the chain of which, by which handover, once
//     ([Store.Continue]);
//   - what the guard of a running step last said of itself ([Attestation]);
//   - the newest lease of every run ([Store.Renew]);
//   - the largest time that any of its writers ever saw ([Store.Seen]). It
//     judges nothing by it: no call fails because of what time it is.
//
// Nothing is ever changed or deleted. Triggers in the file refuse it, also to
// other programs that open the file; only leases, attestations and the time
// move, and only forward.
//
// # What it is trusted with
//
// The store is not trusted: an attacker who can write to its file can drop
// the triggers and edit what he likes, and is found out by anyone with a proof
// or a checkpoint. Reading a chain finds edits that were not made to all later
// links too ([ErrCorrupt]); a signature is checked by evidence.Verify and not
// here.
//
// # When a call fails
//
// A method that returns nil has put its change on disk (synchronous=FULL). A
// method that returns an error has changed nothing, with one exception:
// [ErrUnavailable] can also mean that the change was made and the answer got
// lost, as when the machine stops just after the commit. It then changed all
// that it was asked to. Callers try again: each method says what a second call
// with the same arguments returns.
package store
