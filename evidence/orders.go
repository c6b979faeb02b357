package evidence

import (
	"errors"
	"fmt"
)

// ErrOrder means that an order cannot follow those before it.
var ErrOrder = errors.New("order out of place")

// Orders are the orders of a trust domain, read one by one in the order of
// their chain. Like a [Lineage] it verifies no signatures. The zero Orders is
// empty and ready. It is not safe for concurrent use.
type Orders struct {
	stops []*Record // in force, the oldest first
	seen  map[Digest]*Record
}

// Add reads the next order, or returns [ErrOrder] and leaves o as it was: the
// record is no order, was there before, or undoes what is not in force.
func (o *Orders) Add(r *Record) error {
	p, ok := r.Predicate.(*Order)
	switch {
	case !ok:
		return fmt.Errorf("%w: a %s is none", ErrOrder, r.Kind())
	case r.Subject != p.Subject():
		return fmt.Errorf("%w: its subject is not its scope", ErrOrder)
	case o.seen[r.Digest] != nil:
		return fmt.Errorf("%w: it was given before", ErrOrder)
	}
	if p.Does == Restore {
		if err := o.undo(p); err != nil {
			return err
		}
	} else {
		o.stops = append(o.stops, r)
	}
	if o.seen == nil {
		o.seen = map[Digest]*Record{}
	}
	o.seen[r.Digest] = r
	return nil
}

func (o *Orders) undo(p *Order) error {
	for i, r := range o.stops {
		if r.Digest != p.Undoes {
			continue
		}
		if was := r.Predicate.(*Order).Scope; was != p.Scope {
			return fmt.Errorf("%w: it is about %s, the order that it undoes about %s", ErrOrder, p.Scope, was)
		}
		o.stops = append(o.stops[:i:i], o.stops[i+1:]...)
		return nil
	}
	return fmt.Errorf("%w: no order %s is in force", ErrOrder, p.Undoes.Short())
}

// Has reports whether an order with the given record digest was read.
func (o *Orders) Has(d Digest) bool { return o.seen[d] != nil }

// Stops returns the orders in force, the oldest first. The slice is not
// changed by further orders.
func (o *Orders) Stops() []*Record { return o.stops[:len(o.stops):len(o.stops)] }
