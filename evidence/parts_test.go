package evidence_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// A brokenKey is a KMS that does not answer as it should.
type brokenKey struct {
	crypto.Signer
	sig []byte
	err error
}

func (k brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return k.sig, k.err }

func TestNewSignerRefuses(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{
		"no key": nil, "nil key": ed25519.PrivateKey(nil), "short key": ed25519.PrivateKey("short"), "ECDSA": other,
	} {
		if _, err := NewSigner(key); !errors.Is(err, ErrSigner) {
			t.Errorf("%s: %v, want ErrSigner", name, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	good := evidencetest.Private(evidencetest.Authority)
	signer := func(k crypto.Signer) *Signer {
		s, err := NewSigner(k)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	halt := func() *Halt { return &Halt{At: 1} }
	about := Subject{Execution: "x", Digest: FileDigest(nil)}
	tests := []struct {
		name    string
		signer  *Signer
		subject Subject
		p       Predicate
		want    error
	}{
		{"no signer", nil, about, halt(), ErrSigner},
		{"zero signer", &Signer{}, about, halt(), ErrSigner},
		{"key that fails", signer(brokenKey{good, nil, io.ErrClosedPipe}), about, halt(), ErrSigner},
		{"key that says nothing", signer(brokenKey{good, nil, nil}), about, halt(), ErrSigner},
		{"key that says too much", signer(brokenKey{good, make([]byte, 65), nil}), about, halt(), ErrSigner},
		{"nothing", signer(good), about, nil, ErrStatement},
		{"nil halt", signer(good), about, (*Halt)(nil), ErrStatement},
		{"no subject", signer(good), Subject{}, halt(), ErrStatement},
		{"no subject digest", signer(good), Subject{Execution: "x"}, halt(), ErrStatement},
		{"no time", signer(good), about, &Halt{}, ErrField},
		{"time before 1970", signer(good), about, &Halt{At: -1}, ErrField},
		{"time after 9999", signer(good), about, &Halt{At: 1 << 60}, ErrTime},
		{"text that is not UTF-8", signer(good), about, &Halt{At: 1, Reason: "\xff"}, ErrJSON},
		{"too large", signer(good), about, &Halt{At: 1, Reason: strings.Repeat("x", MaxPayload)}, ErrEnvelope},
		{"result that is not JSON", signer(good), about, &Outcome{At: 1, Status: StatusDone, Result: json.RawMessage("{")}, nil},
		{"result with a name twice", signer(good), about, &Outcome{At: 1, Status: StatusDone, Result: json.RawMessage(`{"a":1,"a":2}`)}, ErrJSON},
	}
	for _, tt := range tests {
		e, err := tt.signer.Sign(tt.subject, tt.p)
		if err == nil || (tt.want != nil && !errors.Is(err, tt.want)) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if e.Signatures != nil {
			t.Errorf("%s: refused, and signed all the same", tt.name)
		}
	}
}

// TestSignLargest signs a payload of exactly MaxPayload bytes, and not one
// more.
func TestSignLargest(t *testing.T) {
	signer, about := evidencetest.Signer(evidencetest.Authority), Subject{Execution: "x", Digest: FileDigest(nil)}
	small, err := signer.Sign(about, &Halt{At: 1})
	if err != nil {
		t.Fatal(err)
	}
	room := MaxPayload - len(small.Payload)
	if _, err := signer.Sign(about, &Halt{At: 1, Reason: strings.Repeat("x", room)}); err != nil {
		t.Error(err)
	}
	if _, err := signer.Sign(about, &Halt{At: 1, Reason: strings.Repeat("x", room+1)}); !errors.Is(err, ErrEnvelope) {
		t.Errorf("%v, want ErrEnvelope", err)
	}
}

func TestSignRequest(t *testing.T) {
	alice := evidencetest.Signer(evidencetest.Alice)
	r := evidencetest.NewRequest()
	r.Steps[0].Args = json.RawMessage(" {\"order\" : \"o-1\"}\n")
	e, err := alice.SignRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := evidencetest.Trust().Open(e)
	if err != nil {
		t.Fatal(err)
	}
	if got := rec.Predicate.(*Request).Steps[0].Args; string(got) != `{"order":"o-1"}` || string(r.Steps[0].Args) != string(got) {
		t.Errorf("signed %s, given back %s", got, r.Steps[0].Args)
	}
	var l Lineage
	if err := l.Add(rec); err != nil {
		t.Error(err)
	}
}

func TestSignRequestRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Request){
		"arguments that are not JSON":    func(r *Request) { r.Steps[1].Args = json.RawMessage(`{`) },
		"no arguments":                   func(r *Request) { r.Steps[1].Args = nil },
		"arguments with a name twice":    func(r *Request) { r.Steps[1].Args = json.RawMessage(`{"a":1,"a":1}`) },
		"arguments that are a list":      func(r *Request) { r.Steps[1].Args = json.RawMessage(`[]`) },
		"too many steps":                 func(r *Request) { r.Steps = append(make([]Step, MaxSteps), r.Steps...) },
		"one step too many":              func(r *Request) { r.Steps = steps(MaxSteps + 1) },
		"no issue":                       func(r *Request) { r.Issued = 0 },
		"an action that is too free":     func(r *Request) { r.Steps[0].Action = "Orders.read" },
		"an id that is too long":         func(r *Request) { r.ID = strings.Repeat("x", 201) },
		"a nonce that is too short":      func(r *Request) { r.Nonce = r.Nonce[1:] },
		"a nonce followed by a new line": func(r *Request) { r.Nonce += "\n" },
		"a plan that cannot be encoded":  func(r *Request) { r.Expires = 1 << 60 },
	} {
		r := evidencetest.NewRequest()
		spoil(r)
		if _, err := evidencetest.Signer(evidencetest.Alice).SignRequest(r); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	r := evidencetest.NewRequest()
	r.Steps = steps(MaxSteps)
	if _, err := evidencetest.Signer(evidencetest.Alice).SignRequest(r); err != nil {
		t.Error(err)
	}
}

// TestRequestCheck calls Check as a caller does who does not sign.
func TestRequestCheck(t *testing.T) {
	for _, issued := range []Time{0, -1, evidencetest.NewRequest().Expires} {
		r := evidencetest.NewRequest()
		r.Issued = issued
		if err := r.Check(); !errors.Is(err, ErrField) {
			t.Errorf("issued %v: %v, want ErrField", issued, err)
		}
	}
	r := evidencetest.NewRequest()
	r.Steps[0].Args = nil
	if err := r.Check(); !errors.Is(err, ErrField) {
		t.Errorf("no arguments: %v, want ErrField", err)
	}
	if err := evidencetest.NewRequest().Check(); err != nil {
		t.Error(err)
	}
}

func steps(n int) []Step {
	all := make([]Step, n)
	for i := range all {
		all[i] = Step{ID: "s" + strings.Repeat("x", i%100) + string(rune('a'+i/100)), Action: "a.b", Args: json.RawMessage("{}")}
	}
	return all
}

func TestPlanDigestRefuses(t *testing.T) {
	if _, err := PlanDigest([]Step{{Args: json.RawMessage("{")}}); err == nil {
		t.Error("a plan that is not JSON has a digest")
	}
}

func TestTimes(t *testing.T) {
	at := TimeOf(time.Date(2026, 1, 31, 10, 30, 0, 999_999, time.FixedZone("", 3600)))
	if at != evidencetest.Start || at.String() != "2026-01-31T09:30:00.000Z" || Time(0).String() != "-" {
		t.Errorf("%v, want %v", at, evidencetest.Start)
	}
	if TimeOf(time.Unix(0, -1)) != -1 {
		t.Error("a time before 1970 is not rounded down")
	}
	if got := at.Add(1500 * time.Microsecond).Sub(at); got != time.Millisecond {
		t.Errorf("moved by %v", got)
	}
	if _, err := Time(1 << 60).MarshalText(); !errors.Is(err, ErrTime) {
		t.Errorf("after 9999: %v", err)
	}
}

func TestPublicKeyText(t *testing.T) {
	for _, text := range []string{"", "AAAA", "!", strings.Repeat("A", 44)} {
		var k PublicKey
		if err := k.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}

func TestDigestParts(t *testing.T) {
	d := FileDigest([]byte("abc"))
	if !strings.HasPrefix(d.String(), d.Short()) || len(d.Short()) != 12 || d.IsZero() || !(Digest{}).IsZero() {
		t.Errorf("digest %v, short %v", d, d.Short())
	}
	// FIPS 202: SHA3-512("abc").
	want, _ := hex.DecodeString("b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0")
	if !bytes.Equal(d[:], want) {
		t.Errorf("SHA3-512 of abc is %v", d)
	}
	if ValueDigest([]byte("abc")) == d {
		t.Error("a value has the digest of a file")
	}
	seen := map[Digest]bool{}
	for _, r := range []struct {
		method, url string
		body        []byte
	}{{"POST", "u", []byte("b")}, {"POST", "ub", []byte{}}, {"POST", "ub", nil}, {"POSTu", "b", nil}, {"POST", "u", []byte(" b")}} {
		seen[HTTPDigest(r.method, r.url, r.body)] = true
	}
	if len(seen) != 5 {
		t.Errorf("five requests have %d digests", len(seen))
	}
}

// TestTextsRefused has texts that are almost a digest or a time, and checks
// that a refusal leaves what was there, and that none is read as none.
func TestTextsRefused(t *testing.T) {
	d, at := FileDigest([]byte("abc")), evidencetest.Start
	for _, text := range []string{
		strings.ToUpper(d.String()), d.String()[1:], d.String() + "0", d.String() + "00", d.String()[2:] + "zz", strings.Repeat("0", 128), d.String()[:127] + " ",
	} {
		if err := d.UnmarshalText([]byte(text)); !errors.Is(err, ErrDigest) || d != FileDigest([]byte("abc")) {
			t.Errorf("%q: %v, want ErrDigest", text, err)
		}
	}
	for _, text := range []string{"-", "1970-01-01T00:00:00.000Z", "2026-01-31T09:30:00.000z", "2026-01-31T24:00:00.000Z", "2026-12-31T23:59:60.000Z"} {
		if err := at.UnmarshalText([]byte(text)); !errors.Is(err, ErrTime) || at != evidencetest.Start {
			t.Errorf("%q: %v, want ErrTime", text, err)
		}
	}
	if d.UnmarshalText(nil) != nil || !d.IsZero() || at.UnmarshalText(nil) != nil || at != 0 {
		t.Errorf("none is read as %v, %v", d, at)
	}
}

func TestChainAt(t *testing.T) {
	var whole Chain
	whole.Append(FileDigest([]byte("1")))
	rest := ChainAt(whole.Next())
	link := whole.Append(FileDigest([]byte("2")))
	if rest.Append(FileDigest([]byte("2"))) != link || rest.Next() != whole.Next() || link != whole.Next().Prev || whole.Next().Seq != 2 {
		t.Error("a chain that goes on is another chain")
	}
}

// A keptKey says where it is.
type keptKey struct{ crypto.Signer }

func (keptKey) Origin() string { return "/keys/x.pem" }

func TestSignerOrigin(t *testing.T) {
	key := evidencetest.Private(evidencetest.Authority)
	kept, err := NewSigner(keptKey{key})
	if err != nil || kept.Origin() != "/keys/x.pem" {
		t.Errorf("%q, %v", kept.Origin(), err)
	}
	for _, s := range []*Signer{nil, {}, evidencetest.Signer(evidencetest.Authority)} {
		if s.Origin() != "" {
			t.Errorf("a key that is nowhere is at %q", s.Origin())
		}
	}
}
