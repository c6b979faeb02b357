package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// TrustFormat is the format of a trust root file.
const TrustFormat = "https://interlock.run/trust/v1"

// TrustPayloadType is the payload type under which root keys sign a trust
// root. It is what keeps their signatures and those of records apart: both are
// over DSSE's pre-authentication encoding, which begins with the type.
const TrustPayloadType = "application/vnd.interlock.trust+json"

// trustFile is the JSON form of a trust root. What is signed is all of it but
// the signatures.
type trustFile struct {
	Format     string      `json:"format"`
	Domain     string      `json:"domain"`
	Version    uint64      `json:"version,omitempty"`
	Issued     Time        `json:"issued,omitempty"`
	Keys       []Key       `json:"keys"`
	Roots      *Roots      `json:"roots,omitempty"`
	Signatures []Signature `json:"signatures,omitempty"`
}

// ParseTrust reads a trust root file, or returns [ErrTrust]. White space is
// free; unknown and duplicate members are not.
func ParseTrust(data []byte) (*Trust, error) {
	f, err := readTrustFile(data)
	if err != nil {
		return nil, err
	}
	return newTrust(f)
}

func readTrustFile(data []byte) (f trustFile, err error) {
	tight, err := Compact(data)
	if err != nil {
		return f, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	if err := reread(tight, &f); err != nil {
		return f, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	if f.Format != TrustFormat {
		return f, fmt.Errorf("%w: format %.60q, want %q", ErrTrust, f.Format, TrustFormat)
	}
	return f, nil
}

// Encode returns t as a trust root file.
func (t *Trust) Encode() ([]byte, error) { return t.now().file.encode() }

func (f *trustFile) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("couldn't encode the trust root: %w", err)
	}
	return b.Bytes(), nil
}

// envelope returns f as an envelope: its signatures, and what they are over.
func (f trustFile) envelope() (Envelope, error) {
	signatures := cloneSignatures(f.Signatures)
	f.Signatures = nil
	payload, err := marshal(f)
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{PayloadType: TrustPayloadType, Payload: payload, Signatures: signatures}, nil
}

// Envelope returns the trust root as an envelope of [TrustPayloadType], with
// the signatures of the root keys: how an evidence store remembers it.
func (t *Trust) Envelope() (Envelope, error) { return t.now().file.envelope() }

// OpenTrust reads what [Trust.Envelope] returned, and verifies it as
// [ParseTrust] does, or returns [ErrTrust].
func OpenTrust(e Envelope) (*Trust, error) {
	if e.PayloadType != TrustPayloadType {
		return nil, fmt.Errorf("%w: payload type %.60q, want %q", ErrTrust, e.PayloadType, TrustPayloadType)
	}
	f, err := readTrustFile(e.Payload)
	switch {
	case err != nil:
		return nil, err
	case f.Signatures != nil:
		return nil, fmt.Errorf("%w: signatures inside of what is signed", ErrTrust)
	}
	f.Signatures = cloneSignatures(e.Signatures)
	return newTrust(f)
}

func cloneSignatures(from []Signature) []Signature {
	signatures := slices.Clone(from)
	for i := range signatures {
		signatures[i].Sig = slices.Clone(signatures[i].Sig)
	}
	return signatures
}
