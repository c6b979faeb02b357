package evidence_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// long returns a proof of n steps, 2n+3 records.
func long(t testing.TB, n int) *Proof {
	d := evidencetest.New(t)
	d.Request(func(r *Request) {
		one := r.Steps[0]
		r.Steps = make([]Step, n)
		for i := range r.Steps {
			r.Steps[i] = one
			r.Steps[i].ID = fmt.Sprintf("step-%d", i)
		}
	})
	d.Grant()
	for i := range n {
		d.Step(fmt.Sprintf("step-%d", i))
	}
	d.Seal()
	return d.Proof()
}

func decision(t testing.TB) *Record {
	r, err := evidencetest.Proof(t, "completed").Records[2].Decode()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func BenchmarkSign(b *testing.B) {
	r, s := decision(b), evidencetest.Signer(evidencetest.Authority)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(r.Subject, r.Predicate); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	r, trust := decision(b), evidencetest.Trust()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := trust.Open(r.Envelope); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckJSON(b *testing.B) {
	r := decision(b)
	b.SetBytes(int64(len(r.Envelope.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := CheckJSON(r.Envelope.Payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify checks 1,001 records; BenchmarkVerifyBare does only what
// no verifier can do without.
func BenchmarkVerify(b *testing.B) {
	p, trust := long(b, 499), evidencetest.Trust()
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(trust, p).Err(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyBare(b *testing.B) {
	e := decision(b).Envelope
	public := evidencetest.Signer(evidencetest.Authority).Public()
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
	for b.Loop() {
		for range 1001 {
			if !ed25519.Verify(public, message, e.Signatures[0].Sig) {
				b.Fatal("bad signature")
			}
		}
	}
}

func BenchmarkDecodeProof(b *testing.B) {
	data := encode(b, long(b, 499))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeProof(data); err != nil {
			b.Fatal(err)
		}
	}
}
