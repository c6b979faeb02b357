package evidence_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// draft is version 1 of a trust root that two of three root keys must sign.
func draft() *Draft { return evidencetest.Draft() }

// rooted signs a draft with the root keys of these names.
func rooted(t testing.TB, d *Draft, names ...string) *Trust {
	t.Helper()
	for _, name := range names {
		if err := d.Sign(evidencetest.Signer(name)); err != nil {
			t.Fatal(err)
		}
	}
	trust, err := d.Trust()
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func encodeTrust(t testing.TB, trust *Trust) []byte {
	t.Helper()
	b, err := trust.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignedTrust(t *testing.T) {
	trust := rooted(t, draft(), evidencetest.Root1, evidencetest.Root3)
	for name, read := range map[string]func() (*Trust, error){
		"file": func() (*Trust, error) { return ParseTrust(encodeTrust(t, trust)) },
		"envelope": func() (*Trust, error) {
			e, err := trust.Envelope()
			if err != nil {
				return nil, err
			}
			return OpenTrust(e)
		},
	} {
		again, err := read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(encodeTrust(t, again), encodeTrust(t, trust)) || again.Version() != 1 || again.Issued() != evidencetest.Start || again.Roots().Need != 2 {
			t.Errorf("%s: another trust root came back", name)
		}
	}
	trust.Roots().Keys[0].Public[0] ^= 1
	if err := rooted(t, draft(), evidencetest.Root1, evidencetest.Root3).Advance(trust); err != nil {
		t.Errorf("what Roots returned is the trust root's own: %v", err)
	}
	if new(Trust).Version() != 0 || evidencetest.Trust().Version() != 0 || len(evidencetest.Trust().Roots().Keys) != 0 {
		t.Error("an unsigned trust root has a version or root keys")
	}
}

// TestT27SignedTrustRefuses changes a draft that is otherwise right, before
// two root keys sign it, or after.
func TestT27SignedTrustRefuses(t *testing.T) {
	stranger, worker := evidencetest.Signer(evidencetest.Stranger), evidencetest.Signer(evidencetest.Worker)
	both := []string{evidencetest.Root1, evidencetest.Root2}
	tests := []struct {
		name   string
		before func(*Draft)
		by     []string
		after  func(*Draft)
		want   string
	}{
		{name: "no signatures", want: "signed by 0 of the root keys, want 2"},
		{name: "one signature", by: both[:1], want: "signed by 1 of the root keys, want 2"},
		{name: "one root key, twice", by: both[:1], after: func(d *Draft) { d.Signatures = append(d.Signatures, d.Signatures[0]) }, want: "signed already"},
		{name: "a stranger for the second", by: []string{both[0], evidencetest.Stranger}, want: "signed by 1 of the root keys, want 2"},
		{name: "in another's name", by: both, after: func(d *Draft) { d.Signatures[1].KeyID = evidencetest.Signer(evidencetest.Root3).KeyID() }, want: "not made by root key"},
		{name: "one bad among enough", by: append(both, evidencetest.Root3), after: func(d *Draft) { d.Signatures[2].Sig[0] ^= 1 }, want: "not made by root key"},
		{name: "a short signature", by: both, after: func(d *Draft) { d.Signatures[0].Sig = d.Signatures[0].Sig[1:] }, want: "63 bytes"},
		{name: "a short signature of nobody", by: both, after: func(d *Draft) { d.Signatures = append(d.Signatures, Signature{KeyID: "x"}) }, want: "0 bytes"},
		{name: "a key added afterwards", by: both, after: func(d *Draft) {
			d.Keys = append(d.Keys, Key{ID: stranger.KeyID(), Role: RoleAuthority, Name: "x", Public: PublicKey(stranger.Public()), From: 1})
		}, want: "not made by root key"},
		{name: "fewer needed afterwards", by: both, after: func(d *Draft) { d.Roots.Need = 1 }, want: "not made by root key"},
		{name: "another version afterwards", by: both, after: func(d *Draft) { d.Version = 2 }, want: "not made by root key"},
		{name: "no version", before: func(d *Draft) { d.Version = 0 }, want: "no version"},
		{name: "no time", before: func(d *Draft) { d.Issued = 0 }, want: "no time"},
		{name: "none needed", before: func(d *Draft) { d.Roots.Need = 0 }, want: "0 of 3 root keys"},
		{name: "more needed than there are", before: func(d *Draft) { d.Roots.Need = 4 }, want: "4 of 3 root keys"},
		{name: "no root keys", before: func(d *Draft) { d.Roots.Keys = nil }, want: "2 of 0 root keys"},
		{name: "a root key twice", before: func(d *Draft) { d.Roots.Keys[1] = d.Roots.Keys[0] }, want: "stands there twice"},
		{name: "one person with two root keys", before: func(d *Draft) { d.Roots.Keys[1].Name = d.Roots.Keys[0].Name }, want: "stands there twice"},
		{name: "a root key without a name", before: func(d *Draft) { d.Roots.Keys[1].Name = "" }, want: "no name"},
		{name: "a weak root key", before: func(d *Draft) {
			d.Roots.Keys[1].Public = make(PublicKey, 32)
		}, want: "anybody can sign"},
		{name: "a root key with another's id", before: func(d *Draft) { d.Roots.Keys[1].ID = d.Roots.Keys[2].ID }, want: "but the public key's is"},
		{name: "a root key that is a worker's", before: func(d *Draft) {
			d.Roots.Keys[2] = RootKey{worker.KeyID(), "x", PublicKey(worker.Public())}
		}, want: "a root key signs trust roots and nothing else"},
		{name: "no keys", before: func(d *Draft) { d.Keys = nil }, want: "no keys"},
		{name: "no domain", before: func(d *Draft) { d.Domain = "" }, want: "no domain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := draft()
			if tt.before != nil {
				tt.before(d)
			}
			for _, name := range tt.by {
				if err := d.Sign(evidencetest.Signer(name)); err != nil {
					t.Fatal(err)
				}
			}
			if tt.after != nil {
				tt.after(d)
			}
			if _, err := d.Trust(); !errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if tt.before == nil {
				return
			}
			if err := d.Sign(evidencetest.Signer(evidencetest.Root1)); !errors.Is(err, ErrTrust) {
				t.Errorf("a draft that can become nothing is signed: %v", err)
			}
			if _, err := d.Encode(); !errors.Is(err, ErrTrust) {
				t.Errorf("a draft that can become nothing is written: %v", err)
			}
		})
	}
}

// TestUnsignedTrustHasNoVersions gives an unsigned file what only signed ones
// have.
func TestUnsignedTrustHasNoVersions(t *testing.T) {
	plain := encodeTrust(t, evidencetest.Trust())
	signed := encodeTrust(t, rooted(t, draft(), evidencetest.Root1, evidencetest.Root2))
	signatures := signed[bytes.Index(signed, []byte(`,
  "signatures"`)):]
	tests := map[string][]byte{
		"version":      replace(t, plain, `"domain"`, `"version": 1, "domain"`),
		"version zero": replace(t, signed, `"version": 1`, `"version": 0`),
		"issued":       bytes.Replace(plain, []byte(`"keys"`), []byte(`"issued": "2026-01-31T09:30:00.000Z", "keys"`), 1),
		"signatures":   append(bytes.TrimSuffix(plain, []byte("\n}\n")), signatures...),
		"empty roots":  append(bytes.TrimSuffix(plain, []byte("\n}\n")), `, "roots": null}`...),
		"versioned":    bytes.Replace(plain, []byte(`"keys"`), []byte(`"version": 1, "keys"`), 1),
	}
	for name, data := range tests {
		if _, err := ParseTrust(data); !errors.Is(err, ErrTrust) {
			t.Errorf("%s: %v, want ErrTrust", name, err)
		}
	}
}

// TestT27EveryByteOfATrustRoot changes every byte of a signed trust root in
// several ways. What is still read must say the same.
func TestT27EveryByteOfATrustRoot(t *testing.T) {
	trust := rooted(t, draft(), evidencetest.Root1, evidencetest.Root2)
	good := encodeTrust(t, trust)
	want, err := trust.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, x := range []byte{1, 0x20, 0x80, good[i] ^ ' ', good[i] ^ '0'} {
			if x == 0 {
				continue
			}
			bad := bytes.Clone(good)
			bad[i] ^= x
			got, err := ParseTrust(bad)
			if err != nil {
				continue
			}
			e, err := got.Envelope()
			if err != nil || !bytes.Equal(e.Payload, want.Payload) || !slices.EqualFunc(e.Signatures, want.Signatures, func(a, b Signature) bool {
				return a.KeyID == b.KeyID && bytes.Equal(a.Sig, b.Sig)
			}) {
				t.Fatalf("byte %d as %q: still a trust root, and another one", i, bad[i])
			}
		}
	}
}

// TestT27RootSignaturesAreApart uses a signature of one kind as one of the
// other.
func TestT27RootSignaturesAreApart(t *testing.T) {
	trust := rooted(t, draft(), evidencetest.Root1, evidencetest.Root2)
	e, err := trust.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Open(e); !errors.Is(err, ErrEnvelope) {
		t.Errorf("a trust root opens as a record: %v", err)
	}
	as := e
	as.PayloadType = PayloadType
	if _, err := OpenTrust(as); !errors.Is(err, ErrTrust) {
		t.Errorf("a record's envelope is read as a trust root: %v", err)
	}
	// A root key that was made to sign the same bytes as a statement.
	as = evidencetest.SignBytes(evidencetest.Root1, PayloadType, e.Payload)
	second := evidencetest.SignBytes(evidencetest.Root2, PayloadType, e.Payload)
	as.PayloadType, as.Signatures = TrustPayloadType, append(as.Signatures, second.Signatures...)
	if _, err := OpenTrust(as); !errors.Is(err, ErrSignature) {
		t.Errorf("signatures over a statement are good for a trust root: %v", err)
	}
	inside := evidencetest.SignBytes(evidencetest.Root1, TrustPayloadType, encodeTrust(t, trust))
	if _, err := OpenTrust(inside); !errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), "inside") {
		t.Errorf("signatures inside of what is signed: %v", err)
	}
	inside.Payload = inside.Payload[1:]
	if _, err := OpenTrust(inside); !errors.Is(err, ErrTrust) {
		t.Errorf("no JSON: %v", err)
	}
	if err := draft().Sign(evidencetest.Signer(evidencetest.Authority)); !errors.Is(err, ErrTrust) {
		t.Errorf("an authority signs a trust root: %v", err)
	}
	for _, none := range []*Signer{nil, {}} {
		if err := draft().Sign(none); !errors.Is(err, ErrSigner) {
			t.Errorf("nobody signs a trust root: %v", err)
		}
	}
	broken, err := NewSigner(brokenKey{evidencetest.Private(evidencetest.Root1), nil, io.ErrClosedPipe})
	if err != nil {
		t.Fatal(err)
	}
	if err := draft().Sign(broken); !errors.Is(err, ErrSigner) {
		t.Errorf("a key that does not sign: %v", err)
	}
}

// TestDrafts collects signatures over a file.
func TestDrafts(t *testing.T) {
	d := draft()
	for _, name := range []string{evidencetest.Root2, evidencetest.Root2, evidencetest.Root1} {
		if err := d.Sign(evidencetest.Signer(name)); err != nil {
			t.Fatal(err)
		}
		data, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if d, err = ParseDraft(data); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.Signatures) != 2 {
		t.Fatalf("%d signatures, want 2: a second one of a key replaces the first", len(d.Signatures))
	}
	one, err := d.Trust()
	if err != nil {
		t.Fatal(err)
	}
	two := one.Draft(evidencetest.Start.Add(-time.Hour))
	if two.Version != 2 || two.Issued != evidencetest.Start || len(two.Signatures) != 0 {
		t.Errorf("after version 1 comes %+v", two)
	}
	for name, data := range map[string][]byte{"nothing": nil, "unsigned": encodeTrust(t, evidencetest.Trust())} {
		if _, err := ParseDraft(data); !errors.Is(err, ErrTrust) {
			t.Errorf("%s: %v, want ErrTrust", name, err)
		}
	}
	if d := evidencetest.Trust().Draft(evidencetest.Start); d.Version != 1 {
		t.Errorf("after an unsigned trust root comes version %d", d.Version)
	} else if _, err := d.Trust(); !errors.Is(err, ErrTrust) {
		t.Errorf("a draft without root keys: %v", err)
	}
	d.Issued = 1 << 60
	if _, err := d.Trust(); !errors.Is(err, ErrTrust) {
		t.Errorf("a time after 9999 is signed: %v", err)
	}
	if err := d.Sign(evidencetest.Signer(evidencetest.Root1)); err == nil {
		t.Error("a time after 9999 is signed")
	}
}

// day is a day after the first version.
var day = evidencetest.Start.Add(24 * time.Hour)

// TestT27Advance is every reason for which a version may not follow, beside
// the changes that may be made.
func TestT27Advance(t *testing.T) {
	of := func(d *Draft, name string) *Key {
		return &d.Keys[slices.IndexFunc(d.Keys, func(k Key) bool { return k.Name == name })]
	}
	stranger := evidencetest.Signer(evidencetest.Stranger)
	add := func(d *Draft) {
		d.Keys = append(d.Keys, Key{ID: stranger.KeyID(), Role: RoleWorker, Name: evidencetest.Worker, Public: PublicKey(stranger.Public()), From: day})
	}
	handOver := func(d *Draft) {
		d.Roots = Roots{Need: 1, Keys: []RootKey{{stranger.KeyID(), "heir", PublicKey(stranger.Public())}}}
	}
	both := []string{evidencetest.Root1, evidencetest.Root2}
	tests := []struct {
		name string
		edit func(*Draft)
		by   []string // both, if there is none
		want string   // "" if it may follow
	}{
		{name: "nothing new", edit: func(*Draft) {}},
		{name: "by two others", edit: add, by: []string{evidencetest.Root2, evidencetest.Root3}},
		{name: "a key added", edit: add},
		{name: "a version left out", edit: func(d *Draft) { d.Version = 7 }},
		{name: "retired from now on", edit: func(d *Draft) { of(d, evidencetest.Worker).Until = day }},
		{name: "retired later than planned", edit: func(d *Draft) { of(d, evidencetest.Worker).Until = day.Add(1e6 * time.Hour) }},
		{name: "never to end", edit: func(d *Draft) { of(d, evidencetest.Worker).Until = 0 }},
		{name: "compromised", edit: func(d *Draft) { of(d, evidencetest.Worker).Compromised = evidencetest.Start }},
		{name: "compromised, and had ended", edit: func(d *Draft) { of(d, evidencetest.Retired).Compromised = evidencetest.Start - 1 }},
		{name: "compromised earlier than thought", edit: func(d *Draft) { of(d, evidencetest.Bob).Compromised-- }},
		{name: "more root keys needed", edit: func(d *Draft) { d.Roots.Need = 3 }, by: append(both, evidencetest.Root3)},
		{name: "handed over to another root key", edit: handOver, by: append(both, evidencetest.Stranger)},

		{name: "taken over by another root key", edit: handOver, by: []string{evidencetest.Stranger}, want: "by the root keys of version 1: signed by 0 of the root keys, want 2"},
		{name: "taken over with the help of one", edit: handOver, by: []string{evidencetest.Stranger, evidencetest.Root3}, want: "signed by 1 of the root keys, want 2"},
		{name: "one signature made up", edit: handOver, by: []string{evidencetest.Stranger, evidencetest.Root1, "forger"}, want: "not made by root key"},
		{name: "another domain", edit: func(d *Draft) { d.Domain = "elsewhere.test" }, want: "of the domain"},
		{name: "the same version", edit: func(d *Draft) { d.Version = 1; add(d) }, want: "another version 1"},
		{name: "an older issue", edit: func(d *Draft) { d.Issued = evidencetest.Start - 1 }, want: "before the version in force"},
		{name: "a key forgotten", edit: func(d *Draft) { d.Keys = d.Keys[1:] }, want: "forgets key"},
		{name: "another role", edit: func(d *Draft) { of(d, evidencetest.Worker).Role = RoleAuthority }, want: "role, name, person or start changes"},
		{name: "another name", edit: func(d *Draft) { of(d, evidencetest.Worker).Name = "x" }, want: "role, name, person or start changes"},
		{name: "another person", edit: func(d *Draft) { of(d, evidencetest.Worker).Person = "x" }, want: "role, name, person or start changes"},
		{name: "valid from earlier on", edit: func(d *Draft) { of(d, evidencetest.Worker).From-- }, want: "role, name, person or start changes"},
		{name: "back from retirement", edit: func(d *Draft) { of(d, evidencetest.Retired).Until = 0 }, want: "does not come back"},
		{name: "retired longer", edit: func(d *Draft) { of(d, evidencetest.Retired).Until-- }, want: "does not come back"},
		{name: "retired with hindsight", edit: func(d *Draft) { of(d, evidencetest.Worker).Until = day - 1 }, want: "cannot end at"},
		{name: "believed again", edit: func(d *Draft) { k := of(d, evidencetest.Bob); k.Compromised, k.Note = 0, "" }, want: "cannot be taken back"},
		{name: "believed for longer", edit: func(d *Draft) { of(d, evidencetest.Bob).Compromised++ }, want: "cannot be taken back"},
		{name: "a root key becomes a worker's", edit: func(d *Draft) {
			k := d.Roots.Keys[2]
			d.Roots.Keys = d.Roots.Keys[:2]
			d.Keys = append(d.Keys, Key{ID: k.ID, Role: RoleWorker, Name: "x", Public: k.Public, From: 1})
		}, want: "becomes a key of role worker"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := draft()
			of(first, evidencetest.Bob).Compromised = evidencetest.Start
			of(first, evidencetest.Bob).Note = "lost on a train"
			current := rooted(t, first, both...)
			before := encodeTrust(t, current)
			d := current.Draft(day)
			tt.edit(d)
			if tt.by == nil {
				tt.by = both
			}
			next := signedAnyhow(t, d, tt.by)
			err := current.Advance(next)
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want == "" && !bytes.Equal(encodeTrust(t, current), encodeTrust(t, next)):
				t.Error("it did not move")
			case tt.want != "" && (!errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			case tt.want != "" && !bytes.Equal(encodeTrust(t, current), before):
				t.Error("it moved")
			case tt.want != "":
				return
			}
			if err := current.Advance(next); err != nil {
				t.Errorf("to where it is: %v", err)
			}
			if old, err := ParseTrust(before); err != nil || !errors.Is(current.Advance(old), ErrTrust) {
				t.Error("it went back")
			}
		})
	}
}

// TestT27AdvanceGoesForward signs an older version anew, with a later time.
func TestT27AdvanceGoesForward(t *testing.T) {
	both := []string{evidencetest.Root1, evidencetest.Root2}
	current := rooted(t, draft(), both...)
	seven := current.Draft(day)
	seven.Version = 7
	if err := current.Advance(rooted(t, seven, both...)); err != nil {
		t.Fatal(err)
	}
	six := current.Draft(day.Add(time.Hour))
	six.Version = 6
	if err := current.Advance(rooted(t, six, both...)); !errors.Is(err, ErrTrust) || current.Version() != 7 {
		t.Errorf("from version 7 to 6: %v", err)
	}
}

// signedAnyhow is [rooted], but "forger" signs in the name of a root key.
func signedAnyhow(t *testing.T, d *Draft, by []string) *Trust {
	t.Helper()
	forged := slices.Contains(by, "forger")
	by = slices.DeleteFunc(slices.Clone(by), func(name string) bool { return name == "forger" })
	if forged {
		for _, name := range by {
			if err := d.Sign(evidencetest.Signer(name)); err != nil {
				t.Fatal(err)
			}
		}
		d.Signatures = append(d.Signatures, Signature{KeyID: evidencetest.Signer(evidencetest.Root2).KeyID(), Sig: make([]byte, 64)})
		by = nil
	}
	return rooted(t, d, by...)
}

func TestAdvanceUnsigned(t *testing.T) {
	signed := rooted(t, draft(), evidencetest.Root1, evidencetest.Root2)
	plain := evidencetest.Trust()
	for name, err := range map[string]error{
		"none":               signed.Advance(nil),
		"signed to unsigned": signed.Advance(plain),
		"signed to nobody":   signed.Advance(&Trust{}),
		"unsigned to signed": plain.Advance(signed),
		"nobody to signed":   new(Trust).Advance(signed),
	} {
		if !errors.Is(err, ErrTrust) {
			t.Errorf("%s: %v, want ErrTrust", name, err)
		}
	}
	if err := plain.Advance(evidencetest.Trust()); err != nil {
		t.Errorf("the same file again: %v", err)
	}
	far := evidencetest.Keys()
	far[0].From, far[0].Until = 1<<60, 0
	odd, err := NewTrust("x", far)
	if err != nil {
		t.Fatal(err)
	}
	if err := odd.Advance(plain); !errors.Is(err, ErrTrust) {
		t.Errorf("from what cannot be written: %v", err)
	}
	if err := plain.Advance(odd); !errors.Is(err, ErrTrust) {
		t.Errorf("to what cannot be written: %v", err)
	}
}

// TestAdvanceAtOnce moves one trust root along from many sides while others
// use it. It ends with the newest version, and nobody sees half of one.
func TestAdvanceAtOnce(t *testing.T) {
	current := rooted(t, draft(), evidencetest.Root1, evidencetest.Root2)
	versions := []*Trust{current}
	for range 8 {
		last := versions[len(versions)-1]
		versions = append(versions, rooted(t, last.Draft(day), evidencetest.Root1, evidencetest.Root2))
	}
	proof := evidencetest.Proof(t, "completed")
	shared := rooted(t, draft(), evidencetest.Root1, evidencetest.Root2)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, v := range versions {
				_ = shared.Advance(v) // another may be ahead
			}
		})
		all.Go(func() {
			if err := Verify(shared, proof).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if shared.Version() != versions[8].Version() {
		t.Errorf("it stands at version %d, want %d", shared.Version(), versions[8].Version())
	}
}
