package evidence_test

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// ringOf returns a ring with the keys of these names, and a trust root in
// which each is an authority's.
func ringOf(t *testing.T, keys map[string]Key) (*Ring, *Trust) {
	t.Helper()
	var signers []*Signer
	var all []Key
	for name, k := range keys {
		s := evidencetest.Signer(name)
		k.ID, k.Public = s.KeyID(), PublicKey(s.Public())
		if k.Role == "" {
			k.Role = RoleAuthority
		}
		if k.Name == "" {
			k.Name = "authority"
		}
		signers, all = append(signers, s), append(all, k)
	}
	ring, err := NewRing(signers...)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := NewTrust("x", all)
	if err != nil {
		t.Fatal(err)
	}
	return ring, trust
}

// TestT27RingPick picks among keys at [day].
func TestT27RingPick(t *testing.T) {
	const second = Time(1000)
	tests := []struct {
		name string
		keys map[string]Key
		want string // "" for none
	}{
		{"one", map[string]Key{"a": {From: 1}}, "a"},
		{"the newest", map[string]Key{"a": {From: 1}, "b": {From: 3}, "c": {From: 2}}, "b"},
		{"not one that is to come", map[string]Key{"a": {From: 1}, "b": {From: day + 1}}, "a"},
		{"not one that only just came", map[string]Key{"a": {From: 1}, "b": {From: day - 2*second}}, "a"},
		{"one that came a while ago", map[string]Key{"a": {From: 1}, "b": {From: day - 3*second}}, "b"},
		{"one that only just came, if there is no other", map[string]Key{"a": {From: 1, Until: day}, "b": {From: day - second}}, "b"},
		{"of those that only just came the older", map[string]Key{"a": {From: day - 1}, "b": {From: day - 2}}, "b"},
		{"not one that has ended", map[string]Key{"a": {From: 1}, "b": {From: 2, Until: day}}, "a"},
		{"not one that is compromised", map[string]Key{"a": {From: 1}, "b": {From: 2, Compromised: day + 1}}, "a"},
		{"not one of another role", map[string]Key{"a": {From: 1}, "b": {From: 2, Role: RoleRecorder}}, "a"},
		{"not one of another name", map[string]Key{"a": {From: 1}, "b": {From: 2, Name: "x"}}, "a"},
		{"none is valid", map[string]Key{"a": {From: 1, Until: day}, "b": {From: day + 1}, "c": {From: 1, Compromised: 1}}, ""},
	}
	for _, tt := range tests {
		ring, trust := ringOf(t, tt.keys)
		got, err := ring.Pick(trust, RoleAuthority, "authority", day)
		switch {
		case tt.want == "":
			if !errors.Is(err, ErrUntrusted) {
				t.Errorf("%s: %v, want ErrUntrusted", tt.name, err)
			}
		case err != nil || got.KeyID() != evidencetest.Signer(tt.want).KeyID():
			t.Errorf("%s: not %s: %v", tt.name, tt.want, err)
		}
	}
	for name, none := range map[string]*Ring{"no ring": nil, "the zero ring": {}} {
		if _, err := none.Pick(evidencetest.Trust(), RoleAuthority, "", day); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := new(Ring).Reload(); err != nil {
		t.Errorf("a ring that is not loaded: %v", err)
	}
}

func TestRingReload(t *testing.T) {
	a, b := evidencetest.Signer("a"), evidencetest.Signer("b")
	now, fail := []*Signer{a}, error(nil)
	ring, err := LoadRing(func() ([]*Signer, error) { return now, fail })
	if err != nil {
		t.Fatal(err)
	}
	now = []*Signer{b, a}
	if len(ring.Signers()) != 1 {
		t.Error("it was loaded again by itself")
	}
	if err := ring.Reload(); err != nil || len(ring.Signers()) != 2 {
		t.Errorf("%d keys: %v", len(ring.Signers()), err)
	}
	for name, bad := range map[string]func(){
		"an error":  func() { now, fail = nil, io.ErrClosedPipe },
		"no keys":   func() { now, fail = nil, nil },
		"no key":    func() { now = []*Signer{a, nil} },
		"zero keys": func() { now = []*Signer{{}} },
	} {
		bad()
		if err := ring.Reload(); err == nil {
			t.Errorf("%s: loaded", name)
		}
		if len(ring.Signers()) != 2 {
			t.Errorf("%s: the keys are gone", name)
		}
		if _, err := LoadRing(func() ([]*Signer, error) { return now, fail }); err == nil {
			t.Errorf("%s: a ring", name)
		}
	}
	if _, err := NewRing(); !errors.Is(err, ErrSigner) {
		t.Errorf("a ring without keys: %v", err)
	}
}

// TestRingAtOnce picks and signs while keys are loaded.
func TestRingAtOnce(t *testing.T) {
	ring, trust := ringOf(t, map[string]Key{"a": {From: 1}, "b": {From: 2}})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if _, err := ring.Pick(trust, RoleAuthority, "", TimeOf(time.Now())); err != nil {
					t.Error(err)
				}
				if err := ring.Reload(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
