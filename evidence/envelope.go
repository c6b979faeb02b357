package evidence

import (
	"errors"
	"fmt"
	"strconv"
)

// PayloadType is the DSSE payload type of every statement: the JSON encoding
// of an in-toto Statement v1.
const PayloadType = "application/vnd.in-toto+json"

// MaxPayload is the largest payload, in bytes, that is signed or read.
const MaxPayload = 1 << 20

// The errors of an [Envelope].
var (
	// ErrEnvelope means that an envelope does not have the form that
	// FORMAT.md asks for.
	ErrEnvelope = errors.New("malformed envelope")
	// ErrSignature means that the signature is not by the key it names.
	ErrSignature = errors.New("bad signature")
)

// An Envelope is a signed statement as DSSE v1 has it
// (https://github.com/secure-systems-lab/dsse). The payload's raw bytes are
// what is stored, hashed and verified; they are never serialised again.
//
// An Envelope says nothing until [Trust.Open] has checked it.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// A Signature is the one signature of an envelope.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// Digest returns the record digest of e: SHA3-512 over the domain, the
// payload type and the payload. The signature is not part of it. Digest is
// deterministic and safe in workflow code.
func (e Envelope) Digest() Digest {
	h := newHash(domainRecord)
	h.bytes([]byte(e.PayloadType))
	h.bytes(e.Payload)
	return h.sum()
}

// check reports whether e has the form of an envelope, or [ErrEnvelope].
func (e Envelope) check() error {
	switch {
	case e.PayloadType != PayloadType:
		return fmt.Errorf("%w: payload type %.60q, want %q", ErrEnvelope, e.PayloadType, PayloadType)
	case len(e.Payload) == 0:
		return fmt.Errorf("%w: no payload", ErrEnvelope)
	case len(e.Payload) > MaxPayload:
		return fmt.Errorf("%w: payload of %d bytes, at most %d", ErrEnvelope, len(e.Payload), MaxPayload)
	case len(e.Signatures) != 1:
		return fmt.Errorf("%w: %d signatures, want 1", ErrEnvelope, len(e.Signatures))
	}
	return nil
}

// message returns the bytes that are signed: DSSE's pre-authentication
// encoding of the payload type and the payload.
func (e Envelope) message() []byte {
	b := make([]byte, 0, len(e.Payload)+len(e.PayloadType)+32)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(e.PayloadType)), 10)
	b = append(b, ' ')
	b = append(b, e.PayloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(e.Payload)), 10)
	b = append(b, ' ')
	return append(b, e.Payload...)
}
