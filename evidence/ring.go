package evidence

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// settling is how long a key has to be valid before it is preferred to an
// older one: the clocks of others may be behind by as much as a guard
// tolerates, and for them the key would not be valid yet.
const settling = 3 * time.Second

// A Ring holds the signing keys of one role, of which the trust root allows
// one after the other: so a key is replaced while its process runs. It is safe
// for concurrent use. The zero Ring signs nothing.
type Ring struct {
	load func() ([]*Signer, error) // nil: the keys stay what they are

	mu      sync.Mutex // guards keys, for as long as it takes to copy the slice
	keys    []*Signer
	loading sync.Mutex // held while load runs: a slow token keeps nobody from signing
}

// NewRing returns a ring of keys that stay what they are, or [ErrSigner] if
// there is none.
func NewRing(keys ...*Signer) (*Ring, error) {
	return LoadRing(func() ([]*Signer, error) { return keys, nil })
}

// LoadRing returns a ring with the keys that load returns now, and again with
// each [Ring.Reload]. It returns load's error, or [ErrSigner] if it returns no
// keys.
func LoadRing(load func() ([]*Signer, error)) (*Ring, error) {
	r := &Ring{load: load}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload loads the keys anew. If that fails, the ring keeps those that it has.
func (r *Ring) Reload() error {
	if r.load == nil {
		return nil
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	keys, err := r.load()
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return fmt.Errorf("%w: there is none", ErrSigner)
	}
	for _, k := range keys {
		if k == nil || k.key == nil {
			return fmt.Errorf("%w: there is none", ErrSigner)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append([]*Signer(nil), keys...)
	return nil
}

// Signers returns the keys.
func (r *Ring) Signers() []*Signer {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Signer(nil), r.keys...)
}

// Pick returns the key to sign with, as role, at the time now: of those that
// trust allows then and does not mark as compromised, the one that became
// valid last. One that became valid just now is taken only if there is no
// other, because not everybody's clock is there yet. If name is not empty, only
// keys of that name count.
//
// It returns [ErrUntrusted] if the trust root allows none of the keys.
func (r *Ring) Pick(trust *Trust, role Role, name string, now Time) (*Signer, error) {
	var best *Signer
	var from Time
	var refused []error
	for _, s := range r.Signers() {
		k, err := trust.KeyNow(s.id, role, now)
		switch {
		case err != nil:
			refused = append(refused, err)
		case name != "" && k.Name != name:
			refused = append(refused, fmt.Errorf("%w: key %s belongs to %q, not to %q", ErrUntrusted, k.ID, k.Name, name))
		case best == nil, better(k.From, from, now):
			best, from = s, k.From
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: no key to sign with as %s: %w", ErrUntrusted, role, errors.Join(refused...))
	}
	return best, nil
}

// better reports whether a key that is valid since a is to be preferred to one
// that is valid since b.
func better(a, b, now Time) bool {
	settled := now.Add(-settling)
	if (a <= settled) != (b <= settled) {
		return a <= settled
	}
	if a <= settled {
		return a > b
	}
	return a < b // both are new: the older one
}
