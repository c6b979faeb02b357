package store

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/interlock-run/interlock/evidence"
)

// opaque is text of which nobody says that it is UTF-8 without a zero byte,
// which PostgreSQL's text must be.
type opaque string

// columns are an envelope as it stands in a row. The payload is kept byte for
// byte; the signatures are JSON, so that people can read the file.
type columns struct {
	payloadType opaque
	payload     []byte
	signatures  string
}

// columnsOf returns e as it is stored. It refuses, with
// [evidence.ErrEnvelope], what could not be read back exactly or is too large
// ever to verify; whether e is good evidence is not the store's business.
func columnsOf(e evidence.Envelope) (columns, error) {
	if len(e.Payload) > evidence.MaxPayload {
		return columns{}, fmt.Errorf("%w: payload of %d bytes, at most %d",
			evidence.ErrEnvelope, len(e.Payload), evidence.MaxPayload)
	}
	for _, s := range e.Signatures {
		if !utf8.ValidString(s.KeyID) {
			return columns{}, fmt.Errorf("%w: key id %.40q is not UTF-8", evidence.ErrEnvelope, s.KeyID)
		}
	}
	signatures, err := json.Marshal(e.Signatures)
	if err != nil {
		return columns{}, fmt.Errorf("%w: %v", evidence.ErrEnvelope, err)
	}
	payload := e.Payload
	if payload == nil {
		payload = []byte{} // nil would be NULL
	}
	return columns{opaque(e.PayloadType), payload, string(signatures)}, nil
}

// envelope returns the stored envelope, or [ErrCorrupt].
func (c columns) envelope() (evidence.Envelope, error) {
	e := evidence.Envelope{PayloadType: string(c.payloadType), Payload: c.payload}
	if err := json.Unmarshal([]byte(c.signatures), &e.Signatures); err != nil {
		return evidence.Envelope{}, fmt.Errorf("%w: unreadable signatures: %v", ErrCorrupt, err)
	}
	return e, nil
}

// digestOf reads a digest column, or [ErrCorrupt].
func digestOf(b []byte) (d evidence.Digest, err error) {
	if copy(d[:], b) != len(d) || len(b) != len(d) {
		return d, fmt.Errorf("%w: a digest of %d bytes", ErrCorrupt, len(b))
	}
	return d, nil
}

// A link is a record ready to be inserted.
type link struct {
	seq  uint64
	link evidence.Digest
	columns
}

// linksAfter returns envs as the records that follow at, and the head they
// lead to.
func linksAfter(at evidence.Position, envs []evidence.Envelope) ([]link, evidence.Position, error) {
	chain := evidence.ChainAt(at)
	links := make([]link, len(envs))
	for i, e := range envs {
		c, err := columnsOf(e)
		if err != nil {
			return nil, at, err
		}
		seq := chain.Next().Seq
		links[i] = link{seq, chain.Append(e.Digest()), c}
	}
	return links, chain.Next(), nil
}
