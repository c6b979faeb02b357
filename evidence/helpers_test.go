package evidence_test

import (
	"bytes"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// replace changes the one place where from stands in b.
func replace(t testing.TB, b []byte, from, to string) []byte {
	t.Helper()
	if n := bytes.Count(b, []byte(from)); n != 1 {
		t.Fatalf("%q stands there %d times, want once:\n%s", from, n, b)
	}
	return bytes.Replace(b, []byte(from), []byte(to), 1)
}

func encode(t testing.TB, p *Proof) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verdictOn decodes and verifies a proof file as a verifier does.
func verdictOn(data []byte, trust *Trust) error {
	p, err := DecodeProof(data)
	if err != nil {
		return err
	}
	return Verify(trust, p).Err()
}

func TestEndings(t *testing.T) {
	for _, ending := range evidencetest.Endings() {
		t.Run(ending.Name, func(t *testing.T) {
			p, err := DecodeProof(encode(t, ending.Proof(t)))
			if err != nil {
				t.Fatal(err)
			}
			r := Verify(evidencetest.Trust(), p)
			if err := r.Err(); err != nil {
				t.Fatal(err)
			}
			if r.Verdict != ending.Verdict {
				t.Errorf("verdict %s, want %s", r.Verdict, ending.Verdict)
			}
		})
	}
}
