package evidence

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
)

// The errors of a [Trust].
var (
	// ErrTrust means that a trust root cannot be used.
	ErrTrust = errors.New("unusable trust root")
	// ErrUntrusted means that the trust root does not allow this key to sign
	// this kind of record at this time.
	ErrUntrusted = errors.New("key is not trusted for this")
	// ErrCompromised means that the trust root marks this key as compromised.
	// It is always wrapped together with [ErrUntrusted].
	ErrCompromised = errors.New("key is compromised")
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
	// Compromised is the first instant from which nobody knows who signs with
	// the key; empty for a key that nothing is known against. What it signed
	// before counts only where another key proves that it was before: see
	// [Verify].
	Compromised Time   `json:"compromised,omitempty"`
	Note        string `json:"note,omitempty"` // why it is marked; only of a compromised key
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

// A Trust is a trust root: the only thing that a verifier believes. It moves
// to another version by [Trust.Advance] and in no other way, and is safe for
// concurrent use. The zero Trust trusts nobody.
type Trust struct{ state atomic.Pointer[version] }

// A version is one version of a trust root. It never changes.
type version struct {
	file   trustFile
	keys   map[string]*Key
	marked bool // some key is compromised
}

// nobody is the version of the zero Trust.
var nobody = &version{}

// now returns the version in force. Whoever asks several things asks them of
// one version.
func (t *Trust) now() *version {
	if v := t.state.Load(); v != nil {
		return v
	}
	return nobody
}

// NewTrust returns the unsigned trust root of a domain, or [ErrTrust] if the
// domain has no name, a key is incomplete or weak, or two keys share an id. A
// name may have several keys, so that keys can be replaced. NewTrust does not
// retain keys.
//
// An unsigned trust root never changes; for one that does, see [Draft].
func NewTrust(domain string, keys []Key) (*Trust, error) {
	return newTrust(trustFile{Format: TrustFormat, Domain: domain, Keys: cloneKeys(keys)})
}

// newTrust owns f.
func newTrust(f trustFile) (*Trust, error) {
	v := &version{file: f, keys: map[string]*Key{}}
	err := v.checkKeys()
	if err == nil {
		err = v.checkRoots()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	t := &Trust{}
	t.state.Store(v)
	return t, nil
}

func (v *version) checkKeys() error {
	if v.file.Domain == "" {
		return errors.New("no domain")
	}
	if len(v.file.Keys) == 0 {
		return errors.New("no keys, so nothing could ever be believed")
	}
	holders := map[string]string{} // by what is left of them without case
	for i := range v.file.Keys {
		k := &v.file.Keys[i]
		if err := k.check(); err != nil {
			return fmt.Errorf("keys[%d]: %w", i, err)
		}
		if v.keys[k.ID] != nil {
			return fmt.Errorf("keys[%d]: the key %s stands there twice; a key has one role", i, k.ID)
		}
		folded := strings.ToLower(k.Holder())
		if other := holders[folded]; other != "" && other != k.Holder() {
			return fmt.Errorf("keys[%d]: %q and %q differ only in case: is that one person, or two?", i, k.Holder(), other)
		}
		holders[folded] = k.Holder()
		v.keys[k.ID] = k
		v.marked = v.marked || k.Compromised != 0
	}
	return nil
}

func (k *Key) check() error {
	if err := oneOf("role", k.Role, RolePrincipal, RoleAuthority, RoleWorker, RoleRecorder, RoleOperator, RoleApprover, RoleRevoker); err != nil {
		return err
	}
	if err := checkPublic(k.ID, k.Name, k.Public); err != nil {
		return err
	}
	switch {
	case k.Person != "" && !NameFits(k.Person):
		return fmt.Errorf("%w: a person called %.80q; %s", ErrField, k.Person, nameRule)
	case k.From <= 0 || (k.Until != 0 && k.Until <= k.From):
		return fmt.Errorf("%w: valid from %v until %v", ErrField, k.From, k.Until)
	case k.Compromised < 0:
		return fmt.Errorf("%w: compromised since %v", ErrField, k.Compromised)
	case k.Compromised == 0 && k.Note != "":
		return fmt.Errorf("%w: a note, and the key is not compromised", ErrField)
	}
	return nil
}

// MaxName is how long the name of a key or of a person may be, in bytes.
const MaxName = 200

var nameRule = fmt.Sprintf("want at most %d bytes of printable text without spaces at its ends", MaxName)

// NameFits reports whether name can be that of a key or a person. What cannot
// be seen is refused: two names that look the same would be two people.
func NameFits(name string) bool {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	return name != "" && len(name) <= MaxName && name == strings.TrimSpace(name) && !strings.ContainsFunc(name, hidden)
}

// checkPublic checks what ordinary keys and root keys have in common.
func checkPublic(id, name string, public PublicKey) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: no name", ErrField)
	case !NameFits(name):
		return fmt.Errorf("%w: a name %.80q; %s", ErrField, name, nameRule)
	case len(public) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: no public key", ErrField)
	case public.weak():
		return fmt.Errorf("%w: a public key for which anybody can sign", ErrField)
	case id != KeyID(ed25519.PublicKey(public)):
		return fmt.Errorf("%w: id %.40q, but the public key's is %s", ErrField, id, KeyID(ed25519.PublicKey(public)))
	}
	return nil
}

// Domain returns the name of the trust domain: the audience of its requests.
func (t *Trust) Domain() string { return t.now().file.Domain }

// Keys returns the keys in the order of the file.
func (t *Trust) Keys() []Key { return cloneKeys(t.now().file.Keys) }

func cloneKeys(keys []Key) []Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Public = slices.Clone(keys[i].Public)
	}
	return keys
}

// Key returns the key with the given id if it may act as role at time at, or
// [ErrUntrusted]. It is what a record that states this time is judged by: of a
// compromised key only the time from which on it is not believed counts.
func (t *Trust) Key(id string, role Role, at Time) (Key, error) {
	k, err := t.now().key(id, role, at)
	if err == nil && k.Compromised != 0 && at >= k.Compromised {
		err = k.compromised()
	}
	if err != nil {
		return Key{}, err
	}
	return *k, nil
}

// KeyNow returns the key with the given id if it may act as role at time now,
// or [ErrUntrusted]. It is what somebody who acts now is judged by: a key that
// is marked as compromised authorizes nothing, whatever time is stated.
func (t *Trust) KeyNow(id string, role Role, now Time) (Key, error) {
	k, err := t.now().key(id, role, now)
	if err == nil && k.Compromised != 0 {
		err = k.compromised()
	}
	if err != nil {
		return Key{}, err
	}
	return *k, nil
}

func (k *Key) compromised() error {
	return fmt.Errorf("%w: %w: %s (%s), not believed since %v", ErrUntrusted, ErrCompromised, k.ID, k.Name, k.Compromised)
}

// key returns the key that has the role at that time, compromised or not.
func (v *version) key(id string, role Role, at Time) (*Key, error) {
	k := v.keys[id]
	switch {
	case k == nil:
		return nil, fmt.Errorf("%w: key %.40q is not in the trust root", ErrUntrusted, id)
	case k.Role != role:
		return nil, fmt.Errorf("%w: key %s (%s) has role %s, not %s", ErrUntrusted, id, k.Name, k.Role, role)
	case !k.validAt(at):
		return nil, fmt.Errorf("%w: key %s (%s) was not valid at %v", ErrUntrusted, id, k.Name, at)
	}
	return k, nil
}

// Compromised returns the first key that signed one of envelopes and that the
// trust root marks as compromised now, if there is one. It verifies nothing.
func (t *Trust) Compromised(envelopes ...Envelope) (Key, bool) {
	v := t.now()
	if !v.marked {
		return Key{}, false
	}
	for _, e := range envelopes {
		for _, s := range e.Signatures {
			if k := v.keys[s.KeyID]; k != nil && k.Compromised != 0 {
				return *k, true
			}
		}
	}
	return Key{}, false
}

// Open verifies e and returns what it says. It checks, in this order: the
// form of envelope and statement; that the trust root allows the named key to
// sign this kind of record at the time the record states; the signature; that
// a request's principal, the worker of an outcome or attestation, an
// approval's approver, an order's revoker and a resolution's operator are the
// key's own name.
//
// A nil error does not mean that the record belongs where it was found: the
// caller compares its bindings. The stated time is the signer's word; what a
// compromised key dates before its mark, only [Verify] can tell from what a
// thief dates back.
func (t *Trust) Open(e Envelope) (*Record, error) {
	r, _, err := t.now().openDated(e)
	return r, err
}

// Reopen is [Trust.Open] for a record that was believed before: marks of
// compromised keys do not count. It is for reading an execution that is to be
// ended; whoever goes on with one asks [Trust.Compromised] first.
func (t *Trust) Reopen(e Envelope) (*Record, error) {
	r, _, err := t.now().open(e)
	return r, err
}

// openDated is Open, with the key.
func (v *version) openDated(e Envelope) (*Record, *Key, error) {
	r, k, err := v.open(e)
	if err == nil && k.Compromised != 0 && r.Predicate.When() >= k.Compromised {
		err = fmt.Errorf("%s: %w", r.Kind(), k.compromised())
	}
	if err != nil {
		return nil, nil, err
	}
	return r, k, nil
}

// open is openDated, whatever is known against the key.
func (v *version) open(e Envelope) (*Record, *Key, error) {
	r, err := e.Decode()
	if err != nil {
		return nil, nil, err
	}
	k, err := v.key(e.Signatures[0].KeyID, RoleFor(r.Kind()), r.Predicate.When())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.Kind(), err)
	}
	if !ed25519.Verify(ed25519.PublicKey(k.Public), e.message(), e.Signatures[0].Sig) {
		return nil, nil, fmt.Errorf("%s: %w: not made by key %s (%s)", r.Kind(), ErrSignature, k.ID, k.Name)
	}
	if name, ok := claimedName(r.Predicate); ok && name != k.Name {
		return nil, nil, fmt.Errorf("%s: %w: it names %.60q, its key belongs to %q", r.Kind(), ErrUntrusted, name, k.Name)
	}
	r.Holder = k.Holder()
	return r, k, nil
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
