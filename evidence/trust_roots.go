package evidence

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
)

// Roots are the keys that sign the trust root itself, and how many of them
// have to.
type Roots struct {
	Need int       `json:"need"`
	Keys []RootKey `json:"keys"`
}

// A RootKey signs versions of the trust root, and nothing else.
type RootKey struct {
	ID     string    `json:"id"`   // [KeyID] of Public
	Name   string    `json:"name"` // whose it is; no two root keys share one
	Public PublicKey `json:"public"`
}

// Version returns the version of the trust root, from 1, or 0 of one that is
// not signed and can never be replaced.
func (t *Trust) Version() uint64 { return t.now().file.Version }

// Issued returns when the version was made, or 0 of an unsigned trust root.
func (t *Trust) Issued() Time { return t.now().file.Issued }

// Roots returns the root keys; none of an unsigned trust root.
func (t *Trust) Roots() Roots { return t.now().file.Roots.clone() }

func (r *Roots) clone() Roots {
	if r == nil {
		return Roots{}
	}
	c := Roots{Need: r.Need, Keys: make([]RootKey, len(r.Keys))}
	for i, k := range r.Keys {
		c.Keys[i] = RootKey{k.ID, k.Name, bytes.Clone(k.Public)}
	}
	return c
}

// key returns the root key with that id, or nil.
func (r *Roots) key(id string) *RootKey {
	for i := range r.Keys {
		if r.Keys[i].ID == id {
			return &r.Keys[i]
		}
	}
	return nil
}

// checkRoots checks everything that makes a trust root one that is signed, or
// one that is not.
func (v *version) checkRoots() error {
	f := &v.file
	if f.Roots == nil {
		if f.Version != 0 || f.Issued != 0 || f.Signatures != nil {
			return errors.New("a version, a time or signatures, and no root keys")
		}
		return nil
	}
	if err := f.checkForm(v.keys); err != nil {
		return err
	}
	e, err := f.envelope()
	if err != nil {
		return err
	}
	return f.Roots.enough(e)
}

// checkForm checks a signed trust root but for its signatures.
func (f *trustFile) checkForm(keys map[string]*Key) error {
	switch {
	case f.Version == 0:
		return errors.New("root keys, and no version")
	case f.Issued <= 0:
		return errors.New("root keys, and no time at which it was issued")
	case f.Roots.Need < 1 || f.Roots.Need > len(f.Roots.Keys):
		return fmt.Errorf("%d of %d root keys must sign: want 1 to %d", f.Roots.Need, len(f.Roots.Keys), len(f.Roots.Keys))
	}
	ids, names := map[string]bool{}, map[string]bool{}
	for i := range f.Roots.Keys {
		k := &f.Roots.Keys[i]
		if err := checkPublic(k.ID, k.Name, k.Public); err != nil {
			return fmt.Errorf("roots.keys[%d]: %w", i, err)
		}
		switch {
		case ids[k.ID] || names[k.Name]:
			return fmt.Errorf("roots.keys[%d]: the key %s or the name %q stands there twice", i, k.ID, k.Name)
		case keys[k.ID] != nil:
			return fmt.Errorf("roots.keys[%d]: %s is also the key of role %s; a root key signs trust roots and nothing else", i, k.ID, keys[k.ID].Role)
		}
		ids[k.ID], names[k.Name] = true, true
	}
	return f.checkSignatures()
}

// checkSignatures checks their form, also of those by keys that are no root
// keys of this version: they may be by those of the version before.
func (f *trustFile) checkSignatures() error {
	seen := map[string]bool{}
	for i, s := range f.Signatures {
		switch {
		case seen[s.KeyID]:
			return fmt.Errorf("signatures[%d]: the key %.40q signed already", i, s.KeyID)
		case len(s.Sig) != ed25519.SignatureSize:
			return fmt.Errorf("signatures[%d]: a signature of %d bytes", i, len(s.Sig))
		}
		seen[s.KeyID] = true
	}
	return nil
}

// enough reports whether as many of the root keys signed e as have to. One
// signature in the name of a root key that is not its own spoils all.
func (r *Roots) enough(e Envelope) error {
	good := map[string]bool{}
	message := e.message()
	for _, s := range e.Signatures {
		k := r.key(s.KeyID)
		if k == nil {
			continue
		}
		if !ed25519.Verify(ed25519.PublicKey(k.Public), message, s.Sig) {
			return fmt.Errorf("%w: not made by root key %s (%s)", ErrSignature, k.ID, k.Name)
		}
		good[k.ID] = true
	}
	if len(good) < r.Need {
		return fmt.Errorf("signed by %d of the root keys, want %d", len(good), r.Need)
	}
	return nil
}
