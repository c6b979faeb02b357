package evidence

import (
	"fmt"
	"slices"
)

// A thief dates what he signs as he likes. So a record by a compromised key is
// believed only if something that he could not sign proves that it was there
// before the key was his: a record by another key, which commits to it, states
// a time before the mark, and can be believed itself.

// undated makes errors of the records by compromised keys that no other record
// proves to be from before the mark.
func undated(all []opened) {
	marked := slices.ContainsFunc(all, func(o opened) bool { return o.key != nil && o.key.Compromised != 0 })
	if !marked || slices.ContainsFunc(all, func(o opened) bool { return o.record == nil }) {
		return
	}
	covers := coverage(all)
	// From the last to the first: what dates a record comes after it.
	for i := len(all) - 1; i >= 0; i-- {
		o := &all[i]
		if o.err != nil || o.key.Compromised == 0 || dated(all, covers, i) {
			continue
		}
		o.err = fmt.Errorf("%s: %w, and no record by another key proves that it was signed before", o.record.Kind(), o.key.compromised())
	}
}

// dated reports whether a later record proves that record i was signed before
// its key was compromised.
func dated(all []opened, covers []int, i int) bool {
	for j := i + 1; j < len(all); j++ {
		by := &all[j]
		if by.err == nil && covers[j] >= i && by.key.ID != all[i].key.ID && by.record.Predicate.When() < all[i].key.Compromised {
			return true
		}
	}
	return false
}

// coverage returns, for each record, the place of the last record that it
// commits to, with all before; or -1 for none. One that states its position
// commits to what comes before it, by the link. One that names another by its
// digest commits to that, and so to what that one commits to.
func coverage(all []opened) []int {
	covers := make([]int, len(all))
	place := map[Digest]int{}
	var chain Chain
	for i, o := range all {
		covers[i] = -1
		if at, ok := positionOf(o.record.Predicate); ok && at == chain.Next() {
			covers[i] = i - 1
		} else if named, ok := place[namedBy(o.record.Predicate)]; ok && covers[named] == named-1 {
			covers[i] = named
		}
		place[o.record.Digest] = i
		chain.Append(o.record.Digest)
	}
	return covers
}

// namedBy returns the digest of the latest record that p, which states no
// position, commits to by name.
func namedBy(p Predicate) Digest {
	switch p := p.(type) {
	case *Outcome:
		return p.Decision
	case *Signal:
		return p.Grant
	case *Resolution:
		return p.Seal
	}
	return Digest{}
}
