package evidence

import (
	"bytes"
	"errors"
	"fmt"
)

// Advance moves t to the version of next, in place and for everybody who uses
// t at once, or returns [ErrTrust] and leaves t as it was. That next is the
// version that t has already is no error, and moves nothing.
//
// A version follows another only if
//
//   - both are signed, have the same domain, and next has the higher version,
//     and was not issued before;
//   - as many root keys signed it as the version in force asks for, of those
//     that the version in force names; so a quorum hands over to the next;
//   - it forgets nothing: each key is there, with the same role, name, person,
//     public key and start; a mark as compromised stays, or moves to an
//     earlier time; an end that had come when next was issued stays, and no end
//     is put before that time. What was signed under a key that has ended can
//     so be verified for ever;
//   - no root key becomes an ordinary key.
//
// It judges by the times that the versions state and by no clock, so that
// whoever has the same two files comes to the same answer.
func (t *Trust) Advance(next *Trust) error {
	if next == nil {
		return fmt.Errorf("%w: there is no next version", ErrTrust)
	}
	to := next.now()
	for {
		from := t.now()
		same, err := from.leadsTo(to)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrTrust, err)
		case same, t.state.CompareAndSwap(from, to):
			return nil
		}
	}
}

// leadsTo reports whether to may follow v, or is v.
func (v *version) leadsTo(to *version) (same bool, err error) {
	had, err := v.file.envelope()
	if err != nil {
		return false, err
	}
	has, err := to.file.envelope()
	if err != nil {
		return false, err
	}
	if bytes.Equal(had.Payload, has.Payload) {
		return true, nil
	}
	switch {
	case v.file.Roots == nil || to.file.Roots == nil:
		return false, errors.New("a trust root that is not signed has no versions: none follows it, and it follows none")
	case to.file.Domain != v.file.Domain:
		return false, fmt.Errorf("it is of the domain %.60q, not of %.60q", to.file.Domain, v.file.Domain)
	case to.file.Version == v.file.Version:
		return false, fmt.Errorf("it is another version %d than the one in force", to.file.Version)
	case to.file.Version < v.file.Version:
		return false, fmt.Errorf("it has version %d, and version %d is in force", to.file.Version, v.file.Version)
	case to.file.Issued < v.file.Issued:
		return false, fmt.Errorf("it was issued at %v, before the version in force, of %v", to.file.Issued, v.file.Issued)
	}
	if err := v.file.Roots.enough(has); err != nil {
		return false, fmt.Errorf("by the root keys of version %d: %w", v.file.Version, err)
	}
	return false, v.remembered(to)
}

// remembered reports whether to forgets nothing of v.
func (v *version) remembered(to *version) error {
	for _, k := range v.file.Keys {
		n := to.keys[k.ID]
		if n == nil {
			return fmt.Errorf("it forgets key %s (%s); a key that is not needed is retired", k.ID, k.Name)
		}
		if err := k.becomes(n, to.file.Issued); err != nil {
			return fmt.Errorf("key %s (%s): %w", k.ID, k.Name, err)
		}
	}
	for _, k := range v.file.Roots.Keys {
		if n := to.keys[k.ID]; n != nil {
			return fmt.Errorf("the root key %s (%s) becomes a key of role %s", k.ID, k.Name, n.Role)
		}
	}
	return nil
}

// becomes reports whether k may stand as n in a version issued at that time.
// The public key is the same where the id is.
func (k *Key) becomes(n *Key, issued Time) error {
	switch {
	case n.Role != k.Role || n.Name != k.Name || n.Person != k.Person || n.From != k.From:
		return errors.New("its role, name, person or start changes")
	case k.Compromised != 0 && (n.Compromised == 0 || n.Compromised > k.Compromised):
		return fmt.Errorf("it is compromised since %v, and that cannot be taken back", k.Compromised)
	case n.Until == k.Until:
		return nil
	case k.Until != 0 && k.Until <= issued:
		return fmt.Errorf("it ended at %v, and does not come back", k.Until)
	case n.Until != 0 && n.Until < issued:
		return fmt.Errorf("it cannot end at %v, before the version that says so; a key that must not be believed any more is compromised", n.Until)
	}
	return nil
}
