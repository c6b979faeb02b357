package activities

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// errLease means that a stored lease is not one that may be believed.
var errLease = errors.New("not a lease of this execution")

// openNow opens e, whose signer must also be trusted at the time now: a key
// that has ended, or is compromised, authorizes nothing any more, however its
// holder dates what he signs. (A proof is judged by the times it states.)
func openNow(trust *evidence.Trust, e evidence.Envelope, now evidence.Time) (*evidence.Record, error) {
	rec, err := trust.Open(e)
	if err != nil {
		return nil, err
	}
	if _, err := trust.KeyNow(e.Signatures[0].KeyID, evidence.RoleFor(rec.Kind()), now); err != nil {
		return nil, err
	}
	return rec, nil
}

// newLease returns a lease with a nonce that nobody could have guessed.
func newLease(number uint64, until evidence.Time) evidence.Lease {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails, see crypto/rand
	return evidence.Lease{Number: number, Until: until, Nonce: hex.EncodeToString(nonce[:])}
}

// openLease returns the signal that renews the lease of one grant in one run,
// or [errLease]. The store that it came from is not believed.
func openLease(trust *evidence.Trust, signed evidence.Envelope, now evidence.Time, grant evidence.Digest, to evidence.Binding) (*evidence.Signal, error) {
	rec, err := openNow(trust, signed, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLease, err)
	}
	s, ok := rec.Predicate.(*evidence.Signal)
	if !ok || s.Grant != grant || s.Binding != to {
		return nil, fmt.Errorf("%w: it is a %s of another run", errLease, rec.Kind())
	}
	return s, nil
}
