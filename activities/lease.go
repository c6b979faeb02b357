package activities

import (
	"errors"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// errLease means that a stored lease is not one that may be believed.
var errLease = errors.New("not a lease of this execution")

// openLease returns the lease that a signal grants to one grant in one run, or
// [errLease]. The store that it came from is not believed.
func openLease(trust *evidence.Trust, signed evidence.Envelope, grant evidence.Digest, to evidence.Binding) (evidence.Lease, error) {
	rec, err := trust.Open(signed)
	if err != nil {
		return evidence.Lease{}, fmt.Errorf("%w: %w", errLease, err)
	}
	s, ok := rec.Predicate.(*evidence.Signal)
	if !ok || s.Grant != grant || s.Binding != to {
		return evidence.Lease{}, fmt.Errorf("%w: it is a %s of another run", errLease, rec.Kind())
	}
	return s.Lease, nil
}
