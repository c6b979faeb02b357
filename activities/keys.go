package activities

import (
	"fmt"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// checkCompromised is the check that fails when an execution runs under a key
// that the trust root marks as compromised.
const checkCompromised = "key.compromised"

// ringOf returns ring, or one with the key alone, or nil if there is neither.
func ringOf(ring *evidence.Ring, key *evidence.Signer) *evidence.Ring {
	if ring != nil || key == nil {
		return ring
	}
	alone, err := evidence.NewRing(key)
	if err != nil {
		return nil
	}
	return alone
}

// compromised returns the failed check if one of the records of an execution
// was signed with a key that is marked now, whatever time the record states:
// nobody knows what the thief had signed, and what he was shown.
func compromised(trust *evidence.Trust, records ...evidence.Envelope) *contract.Cause {
	k, marked := trust.Compromised(records...)
	if !marked || !defence.Stands(defence.CompromisedHalts) {
		return nil
	}
	return &contract.Cause{Check: checkCompromised, Reason: clip(fmt.Sprintf("the %s key %s (%s), which signed a part of this, is not believed since %v", k.Role, k.ID, k.Name, k.Compromised))}
}

// openUnmarked is [evidence.Trust.Open] for what just arrived: what a thief
// sends now can state any time.
func openUnmarked(trust *evidence.Trust, e evidence.Envelope) (*evidence.Record, error) {
	rec, err := trust.Open(e)
	if err != nil {
		return nil, err
	}
	if k, marked := trust.Compromised(e); marked {
		return nil, fmt.Errorf("%w: %w: %s (%s)", evidence.ErrUntrusted, evidence.ErrCompromised, k.ID, k.Name)
	}
	return rec, nil
}

// reopen opens a record of a chain that was believed when it was made.
func (c *Control) reopen(e evidence.Envelope) (*evidence.Record, error) { return c.c.Trust.Reopen(e) }

// believed reports whether the keys by which a step began are still good, or
// [errUnfit]. That one of them has ended since does not matter: it was valid
// when the step began.
func (j *job) believed() error {
	if !defence.Stands(defence.CompromisedHalts) {
		return nil
	}
	k, marked := j.s.c.Trust.Compromised(evidence.Envelope{Signatures: j.signed})
	if !marked {
		return nil
	}
	return fmt.Errorf("%w: the %s key %s (%s) is compromised", errUnfit, k.Role, k.ID, k.Name)
}
