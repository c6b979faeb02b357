package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ProofFormat is the format of a proof file.
const ProofFormat = "https://interlock.run/proof/v1"

// MaxProof is the largest proof file, in bytes, that is read.
const MaxProof = 1 << 30

// ErrProof means that a file is not a proof as FORMAT.md has it.
var ErrProof = errors.New("malformed proof")

// A Proof is everything that is needed to check one execution offline, save
// the trust root, which a verifier must have from somewhere else.
type Proof struct {
	Records []Envelope // in the order of the chain: the seal last, save for resolutions
}

type proofFile struct {
	Format  string     `json:"format"`
	Records []Envelope `json:"records"`
}

// Encode returns the proof file: one JSON object, one record a line. There is
// exactly one file for a proof, so a file in which a single byte was changed
// is another proof or none.
func (p *Proof) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"format\":%q,\"records\":[", ProofFormat)
	for i, e := range p.Records {
		line, err := marshal(e)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

// DecodeProof reads what [Proof.Encode] writes and nothing else, or
// [ErrProof]. It verifies nothing.
func DecodeProof(data []byte) (*Proof, error) {
	if len(data) > MaxProof {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrProof, len(data), MaxProof)
	}
	if err := CheckJSON(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	var f proofFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrProof, err)
	}
	if f.Format != ProofFormat {
		return nil, fmt.Errorf("%w: format %.60q, want %q", ErrProof, f.Format, ProofFormat)
	}
	p := &Proof{Records: f.Records}
	again, err := p.Encode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if !bytes.Equal(again, data) {
		return nil, fmt.Errorf("%w: differs from the canonical form at byte %d", ErrProof, firstDifference(again, data))
	}
	return p, nil
}
