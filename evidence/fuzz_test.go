package evidence_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// Whatever decodes has one spelling: encoded again, it is the same bytes.

func seedVectors(f *testing.F, add func(proof []byte)) {
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.vector"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if _, proof, ok := bytes.Cut(data, []byte("\n\n")); ok {
			add(proof)
		}
	}
}

func FuzzDecodeProof(f *testing.F) {
	seedVectors(f, func(proof []byte) { f.Add(proof) })
	trust := evidencetest.Trust()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodeProof(data)
		if err != nil {
			return
		}
		if again := encode(t, p); !bytes.Equal(again, data) {
			t.Errorf("%q is read, but written as %q", data, again)
		}
		if r := Verify(trust, p); r.Err() == nil && r.Verdict == "" {
			t.Error("a proof without a verdict is believed")
		}
	})
}

func FuzzEnvelopeDecode(f *testing.F) {
	seen := map[Digest]bool{}
	seedVectors(f, func(proof []byte) {
		p, err := DecodeProof(proof)
		if err != nil {
			return
		}
		for _, e := range p.Records {
			if !seen[e.Digest()] {
				f.Add(e.Payload)
			}
			seen[e.Digest()] = true
		}
	})
	var waiting []*Record // a step waits for what the fuzzer says
	for _, e := range evidencetest.Proof(f, "completed-approved").Records[:5] {
		r, err := evidencetest.Trust().Open(e)
		if err != nil {
			f.Fatal(err)
		}
		waiting = append(waiting, r)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e := evidencetest.SignBytes(evidencetest.Stranger, PayloadType, payload)
		r, err := e.Decode()
		if err != nil {
			return
		}
		again, err := evidencetest.Signer(evidencetest.Stranger).Sign(r.Subject, r.Predicate)
		if err != nil {
			t.Fatalf("%q is read, but cannot be signed: %v", payload, err)
		}
		if !bytes.Equal(again.Payload, payload) || again.Digest() != r.Digest {
			t.Errorf("%q is read, but written as %q", payload, again.Payload)
		}
		for _, before := range [][]*Record{nil, waiting} { // must not panic
			var l Lineage
			var o Orders
			for _, b := range before {
				if err := l.Add(b); err != nil {
					t.Fatal(err)
				}
			}
			_ = l.Add(r)
			if o.Add(r) == nil {
				l.Concerns(r.Predicate.(*Order))
			}
		}
	})
}

func FuzzParseTrust(f *testing.F) {
	for _, name := range []string{"trust.json", "elsewhere.json"} {
		data, err := os.ReadFile(filepath.Join(vectorDir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		trust, err := ParseTrust(data)
		if err != nil {
			return
		}
		once, err := trust.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseTrust(once)
		if err != nil {
			t.Fatalf("%q is read, but written as %q: %v", data, once, err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q is read, but written as %q: %v", once, twice, err)
		}
	})
}

func FuzzCheckJSON(f *testing.F) {
	seedVectors(f, func(proof []byte) { f.Add(proof) })
	for _, seed := range []string{`{"a":[1,-2.5e+7,"\ud83d\udd12"],"b":null}`, `{"a":1,"\u0061":2}`, `"\ud800"`, "[[[[]]]]", " true\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, want := CheckJSON(data), checkTokens(data)
		if (got == nil) != (want == nil) {
			t.Errorf("%q: %v, but encoding/json and the rules say %v", data, got, want)
		}
	})
}

func FuzzDigestText(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte(FileDigest(nil).String()))
	f.Add([]byte(Digest{}.String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d Digest
		if d.UnmarshalText(text) != nil {
			return
		}
		if again, err := d.MarshalText(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q is read, but written as %q: %v", text, again, err)
		}
	})
}

func FuzzTimeText(f *testing.F) {
	for _, seed := range []string{"", "2026-01-31T09:30:00.000Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00.000Z"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var at Time
		if at.UnmarshalText(text) != nil {
			return
		}
		if again, err := at.MarshalText(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q is read, but written as %q: %v", text, again, err)
		}
		if at != 0 && TimeOf(at.Time()) != at {
			t.Errorf("%v is not itself as a time: %v", at, at.Time().Format(time.RFC3339Nano))
		}
	})
}
