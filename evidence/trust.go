package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// TrustFormat is the format of a trust root file.
const TrustFormat = "https://interlock.run/trust/v1"

// The errors of a [Trust].
var (
	// ErrTrust means that a trust root cannot be used.
	ErrTrust = errors.New("unusable trust root")
	// ErrUntrusted means that the trust root does not allow this key to sign
	// this kind of record at this time.
	ErrUntrusted = errors.New("key is not trusted for this")
)

// A Key says which public key may do what, from when to when.
type Key struct {
	ID     string    `json:"id"` // [KeyID] of Public
	Role   Role      `json:"role"`
	Name   string    `json:"name"`
	Person string    `json:"person,omitempty"` // whose key it is, where that is not Name; see [Key.Holder]
	Public PublicKey `json:"public"`
	From   Time      `json:"from"`
	Until  Time      `json:"until"` // the first instant at which it is not valid; empty for no end
}

// Holder returns whose key k is: its person, or its name where none is given.
// Several keys of one holder count as one person, whatever their roles.
func (k *Key) Holder() string {
	if k.Person != "" {
		return k.Person
	}
	return k.Name
}

// validAt reports whether k may sign at t.
func (k *Key) validAt(t Time) bool { return t >= k.From && (k.Until == 0 || t < k.Until) }

// A Trust is a trust root: the only thing that a verifier believes. It is
// read only and safe for concurrent use. The zero Trust trusts nobody.
type Trust struct {
	domain string
	keys   map[string]*Key
	order  []Key
}

type trustFile struct {
	Format string `json:"format"`
	Domain string `json:"domain"`
	Keys   []Key  `json:"keys"`
}

// NewTrust returns the trust root of a domain, or [ErrTrust] if the domain
// has no name, a key is incomplete or weak, or two keys share an id. A name
// may have several keys, so that keys can be replaced. NewTrust does not
// retain keys.
func NewTrust(domain string, keys []Key) (*Trust, error) {
	if domain == "" {
		return nil, fmt.Errorf("%w: no domain", ErrTrust)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no keys, so nothing could ever be believed", ErrTrust)
	}
	t := &Trust{domain: domain, keys: map[string]*Key{}, order: cloneKeys(keys)}
	for i := range t.order {
		k := &t.order[i]
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("%w: keys[%d]: %w", ErrTrust, i, err)
		}
		if t.keys[k.ID] != nil {
			return nil, fmt.Errorf("%w: keys[%d]: the key %s stands there twice; a key has one role", ErrTrust, i, k.ID)
		}
		t.keys[k.ID] = k
	}
	return t, nil
}

func (k *Key) check() error {
	if err := oneOf("role", k.Role, RolePrincipal, RoleAuthority, RoleWorker, RoleRecorder, RoleOperator, RoleApprover, RoleRevoker); err != nil {
		return err
	}
	switch {
	case k.Name == "":
		return fmt.Errorf("%w: no name", ErrField)
	case len(k.Public) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: no public key", ErrField)
	case k.Public.weak():
		return fmt.Errorf("%w: a public key for which anybody can sign", ErrField)
	case k.ID != KeyID(ed25519.PublicKey(k.Public)):
		return fmt.Errorf("%w: id %.40q, but the public key's is %s", ErrField, k.ID, KeyID(ed25519.PublicKey(k.Public)))
	case k.From <= 0 || (k.Until != 0 && k.Until <= k.From):
		return fmt.Errorf("%w: valid from %v until %v", ErrField, k.From, k.Until)
	}
	return nil
}

// ParseTrust reads a trust root file, or returns [ErrTrust]. White space is
// free; unknown and duplicate members are not.
func ParseTrust(data []byte) (*Trust, error) {
	tight, err := Compact(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	var f trustFile
	if err := reread(tight, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	if f.Format != TrustFormat {
		return nil, fmt.Errorf("%w: format %.60q, want %q", ErrTrust, f.Format, TrustFormat)
	}
	return NewTrust(f.Domain, f.Keys)
}

// Encode returns t as a trust root file.
func (t *Trust) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(trustFile{TrustFormat, t.domain, t.order}); err != nil {
		return nil, fmt.Errorf("couldn't encode the trust root: %w", err)
	}
	return b.Bytes(), nil
}

// Domain returns the name of the trust domain: the audience of its requests.
func (t *Trust) Domain() string { return t.domain }

// Keys returns the keys in the order of the file.
func (t *Trust) Keys() []Key { return cloneKeys(t.order) }

func cloneKeys(keys []Key) []Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Public = slices.Clone(keys[i].Public)
	}
	return keys
}

// Key returns the key with the given id if it may act as role at time at, or
// [ErrUntrusted].
func (t *Trust) Key(id string, role Role, at Time) (Key, error) {
	k := t.keys[id]
	switch {
	case k == nil:
		return Key{}, fmt.Errorf("%w: key %.40q is not in the trust root", ErrUntrusted, id)
	case k.Role != role:
		return Key{}, fmt.Errorf("%w: key %s (%s) has role %s, not %s", ErrUntrusted, id, k.Name, k.Role, role)
	case !k.validAt(at):
		return Key{}, fmt.Errorf("%w: key %s (%s) was not valid at %v", ErrUntrusted, id, k.Name, at)
	}
	return *k, nil
}

// Open verifies e and returns what it says. It checks, in this order: the
// form of envelope and statement; that the trust root allows the named key to
// sign this kind of record at the time the record states; the signature; that
// a request's principal, the worker of an outcome or attestation, an
// approval's approver, an order's revoker and a resolution's operator are the
// key's own name.
//
// A nil error does not mean that the record belongs where it was found: the
// caller compares its bindings. The stated time is the signer's word.
func (t *Trust) Open(e Envelope) (*Record, error) {
	r, err := e.Decode()
	if err != nil {
		return nil, err
	}
	k, err := t.Key(e.Signatures[0].KeyID, RoleFor(r.Kind()), r.Predicate.When())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Kind(), err)
	}
	if !ed25519.Verify(ed25519.PublicKey(k.Public), e.message(), e.Signatures[0].Sig) {
		return nil, fmt.Errorf("%s: %w: not made by key %s (%s)", r.Kind(), ErrSignature, k.ID, k.Name)
	}
	if name, ok := claimedName(r.Predicate); ok && name != k.Name {
		return nil, fmt.Errorf("%s: %w: it names %.60q, its key belongs to %q", r.Kind(), ErrUntrusted, name, k.Name)
	}
	r.Holder = k.Holder()
	return r, nil
}

func claimedName(p Predicate) (string, bool) {
	switch p := p.(type) {
	case *Request:
		return p.Principal, true
	case *Outcome:
		return p.Worker, true
	case *Attestation:
		return p.Worker, true
	case *Resolution:
		return p.Operator, true
	case *Approval:
		return p.Approver, true
	case *Order:
		return p.Revoker, true
	}
	return "", false
}
