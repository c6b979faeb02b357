package evidence

import "fmt"

// A Draft is a version of a signed trust root that may still lack signatures.
// It is a file like a trust root, so that the holders of root keys can sign it
// one after the other, each on a machine of their own.
type Draft struct {
	Domain     string
	Version    uint64
	Issued     Time
	Keys       []Key
	Roots      Roots
	Signatures []Signature
}

// Draft returns the version after t as a draft: the same keys and root keys,
// the next number, issued at now, and no signatures. Change it before it is
// signed. Of an unsigned trust root it returns version 1, which lacks root
// keys.
func (t *Trust) Draft(now Time) *Draft {
	f := t.now().file
	return &Draft{
		Domain: f.Domain, Version: f.Version + 1, Issued: max(now, f.Issued),
		Keys: cloneKeys(f.Keys), Roots: f.Roots.clone(),
	}
}

// ParseDraft reads a draft, or returns [ErrTrust]. A trust root is one, too.
// It verifies no signature: [Draft.Trust] does.
func ParseDraft(data []byte) (*Draft, error) {
	f, err := readTrustFile(data)
	if err != nil {
		return nil, err
	}
	d := &Draft{f.Domain, f.Version, f.Issued, f.Keys, f.Roots.clone(), f.Signatures}
	if _, err := d.checked(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Draft) file() trustFile {
	roots := d.Roots.clone()
	return trustFile{TrustFormat, d.Domain, d.Version, d.Issued, cloneKeys(d.Keys), &roots, cloneSignatures(d.Signatures)}
}

// checked returns the draft as a version whose signatures do not count yet.
func (d *Draft) checked() (*version, error) {
	v := &version{file: d.file(), keys: map[string]*Key{}}
	err := v.checkKeys()
	if err == nil {
		err = v.file.checkForm(v.keys)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	return v, nil
}

// Sign adds the signature of a root key, in place of one that it made before.
// Whether the key may sign this draft is for [Trust.Advance] to say: it can be
// a root key of the version before only. It fails with [ErrTrust] if the draft
// could not become a trust root, and with [ErrSigner].
func (d *Draft) Sign(root *Signer) error {
	v, err := d.checked()
	if err != nil {
		return err
	}
	if root == nil || root.key == nil {
		return fmt.Errorf("%w: there is none", ErrSigner)
	}
	if k := v.keys[root.id]; k != nil {
		return fmt.Errorf("%w: %s is the key of role %s (%s), and no root key", ErrTrust, k.ID, k.Role, k.Name)
	}
	e, err := v.file.envelope()
	if err != nil {
		return err
	}
	sig, err := root.sign(e.message())
	if err != nil {
		return err
	}
	for i := range d.Signatures {
		if d.Signatures[i].KeyID == root.id {
			d.Signatures[i].Sig = sig
			return nil
		}
	}
	d.Signatures = append(d.Signatures, Signature{KeyID: root.id, Sig: sig})
	return nil
}

// Encode returns the draft as a file, or [ErrTrust] if it could not become a
// trust root.
func (d *Draft) Encode() ([]byte, error) {
	v, err := d.checked()
	if err != nil {
		return nil, err
	}
	return v.file.encode()
}

// Trust returns the trust root that the draft has become, or [ErrTrust] as
// long as it lacks signatures of its own root keys.
func (d *Draft) Trust() (*Trust, error) {
	return newTrust(d.file())
}
