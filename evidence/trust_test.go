package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

func TestNewTrustRefuses(t *testing.T) {
	edit := func(f func(*Key)) []Key {
		keys := evidencetest.Keys()
		f(&keys[1])
		return keys
	}
	tests := []struct {
		name, domain string
		keys         []Key
		want         string
	}{
		{"no domain", "", evidencetest.Keys(), "no domain"},
		{"no keys", "x", nil, "no keys"},
		{"unknown role", "x", edit(func(k *Key) { k.Role = "root" }), "role"},
		{"no role", "x", edit(func(k *Key) { k.Role = "" }), "role"},
		{"no name", "x", edit(func(k *Key) { k.Name = "" }), "no name"},
		{"a name with a space at its end", "x", edit(func(k *Key) { k.Name += " " }), "printable text without spaces"},
		{"a name with what cannot be seen", "x", edit(func(k *Key) { k.Name += "\u200b" }), "printable text without spaces"},
		{"a name too long", "x", edit(func(k *Key) { k.Name = strings.Repeat("x", 201) }), "at most 200 bytes"},
		{"a person with what cannot be seen", "x", edit(func(k *Key) { k.Person = "an\u00adn" }), "a person called"},
		{"two people that differ in case only", "x", edit(func(k *Key) { k.Person = strings.ToUpper(evidencetest.Keys()[0].Name) }), "differ only in case"},
		{"no public key", "x", edit(func(k *Key) { k.Public = nil }), "no public key"},
		{"short public key", "x", edit(func(k *Key) { k.Public = k.Public[1:] }), "no public key"},
		{"another key's id", "x", edit(func(k *Key) { k.ID = evidencetest.Keys()[0].ID }), "but the public key's is"},
		{"no start", "x", edit(func(k *Key) { k.From = 0 }), "valid from"},
		{"ends before it starts", "x", edit(func(k *Key) { k.Until = k.From }), "valid from"},
		{"compromised before 1970", "x", edit(func(k *Key) { k.Compromised = -1 }), "compromised since"},
		{"a note on a good key", "x", edit(func(k *Key) { k.Note = "lost" }), "not compromised"},
		{"key twice", "x", append(evidencetest.Keys(), evidencetest.Keys()[0]), "stands there twice"},
		{"key in two roles", "x", append(evidencetest.Keys(), inRole(RoleAuthority)), "stands there twice"},
	}
	for _, tt := range tests {
		if _, err := NewTrust(tt.domain, tt.keys); !errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func inRole(role Role) Key {
	k := evidencetest.Keys()[0]
	k.Role = role
	return k
}

// TestT23WeakKeys tries every encoding of a point of small order that
// crypto/ed25519 reads, as FORMAT.md lists them. It proves that they are weak by a signature that
// nobody made, which is good for one message in eight at least.
func TestT23WeakKeys(t *testing.T) {
	points := strings.Fields(fenced(t, "weak"))
	if len(points) != 7 {
		t.Fatalf("FORMAT.md has %d weak points, want 7", len(points))
	}
	for _, y := range points {
		for _, sign := range []byte{0, 0x80} {
			public, _ := hex.DecodeString(y)
			public[31] |= sign
			if !forgeable(public) {
				t.Errorf("%x is not weak", public)
			}
			k := Key{ID: KeyID(public), Role: RolePrincipal, Name: "n", Public: public, From: 1}
			if _, err := NewTrust("x", []Key{k}); !errors.Is(err, ErrTrust) {
				t.Errorf("%x: %v, want ErrTrust", public, err)
			}
		}
	}
	if forgeable(evidencetest.Signer(evidencetest.Alice).Public()) {
		t.Error("a proper key is weak")
	}
}

func forgeable(public ed25519.PublicKey) bool {
	sig := make([]byte, 64)
	sig[0] = 1 // the neutral point, and the scalar 0
	for i := range byte(200) {
		if ed25519.Verify(public, []byte{i}, sig) {
			return true
		}
	}
	return false
}

func TestParseTrust(t *testing.T) {
	good, err := evidencetest.Trust().Encode()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, from, to string
		want           string // "" if it is read
	}{
		{"as it is", "", "", ""},
		{"other white space", "\n", "\r\n\t", ""},
		{"no white space", "\n ", "", ""},
		{"empty until", `"2027-01-01T00:00:00.000Z"`, `""`, ""},
		{"another format", "trust/v1", "trust/v2", "want \"https://interlock.run/trust/v1\""},
		{"unknown member", `"domain"`, `"comment":"","domain"`, "differs"},
		{"duplicate member", `"domain"`, `"domain":"x","domain"`, "twice"},
		{"member in another case", `"domain"`, `"Domain"`, "differs"},
		{"member left out", `"domain": "interlock.test",`, "", "differs"},
		{"no domain", `"interlock.test"`, `""`, "no domain"},
		{"null", `"until": "2027-01-01T00:00:00.000Z"`, `"until": null`, "differs"},
		{"public key cut", `"public": "`, `"public": "AA`, "not an Ed25519 public key"},
		{"unknown role", `"principal"`, `"root"`, "role"},
		{"not JSON", "]\n}\n", "]\n", "too early"},
		{"too deep", `"keys": [`, `"keys": [` + strings.Repeat("[", 64), "deep"},
	}
	for _, tt := range tests {
		_, err := ParseTrust(bytes.ReplaceAll(good, []byte(tt.from+""), []byte(tt.to)))
		if tt.from == "" {
			_, err = ParseTrust(good)
		}
		if (err == nil) != (tt.want == "") || (err != nil && (!errors.Is(err, ErrTrust) || !strings.Contains(err.Error(), tt.want))) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestTrustEncode checks that names with characters that HTML is afraid of
// come back.
func TestTrustEncode(t *testing.T) {
	keys := evidencetest.Keys()
	keys[0].Name = "A <alice@example.org> & \""
	trust, err := NewTrust("<x>", keys)
	if err != nil {
		t.Fatal(err)
	}
	data, err := trust.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseTrust(data)
	if err != nil {
		t.Fatal(err)
	}
	if twice, err := again.Encode(); err != nil || !bytes.Equal(twice, data) || again.Domain() != "<x>" || !reflect.DeepEqual(again.Keys(), keys) {
		t.Errorf("%+v, want %+v", again, trust)
	}
	keys[0].From = 1 << 60
	keys[0].Until = 0
	far, err := NewTrust("x", keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.Encode(); err == nil {
		t.Error("a time after 9999 is written")
	}
}

// TestTrustIsReadOnly changes what was given to NewTrust and what Keys
// returned.
func TestTrustIsReadOnly(t *testing.T) {
	keys := evidencetest.Keys()
	trust, err := NewTrust("x", keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range [][]Key{keys, trust.Keys()} {
		k[0].Role, k[0].Until = RoleAuthority, 0
		k[0].Public[0] ^= 1
		if got := trust.Keys(); !reflect.DeepEqual(got, evidencetest.Keys()) {
			t.Errorf("%+v", got[0])
		}
	}
	want := evidencetest.Keys()[0]
	if _, err := trust.Key(want.ID, RoleAuthority, evidencetest.Start); !errors.Is(err, ErrUntrusted) {
		t.Errorf("%v, want ErrUntrusted", err)
	}
}

func TestKeyTimes(t *testing.T) {
	keys := evidencetest.Keys()[:2]
	keys[1].Until = 0
	trust, err := NewTrust("x", keys)
	if err != nil {
		t.Fatal(err)
	}
	k := keys[0]
	for at, ok := range map[Time]bool{0: false, k.From - 1: false, k.From: true, k.Until - 1: true, k.Until: false} {
		if _, err := trust.Key(k.ID, k.Role, at); (err == nil) != ok {
			t.Errorf("at %v: %v", at, err)
		}
	}
	if got, err := trust.Key(keys[1].ID, RolePrincipal, 1<<60); err != nil || got.Name != evidencetest.Bob {
		t.Errorf("a key without an end: %v", err)
	}
	if _, err := new(Trust).Key(k.ID, k.Role, k.From); !errors.Is(err, ErrUntrusted) {
		t.Errorf("the zero trust: %v", err)
	}
	if RoleFor("permit") != "" {
		t.Error("an unknown kind has a role")
	}
}
