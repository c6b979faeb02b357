package workertest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
)

// PeoplePolicy is [Policy], with a desk that pays more than 100 only if two of
// alice, carol, dave and erin approve within the hour, writes the note "later"
// only in an hour, and the note "quick" only if dave approves within a second.
const PeoplePolicy = `name: desk
version: 1
rules:
  - {id: alice-asks, phase: admit, effect: allow, when: 'request.principal == "alice"'}
  - {id: the-desk, phase: step, actions: ["desk.*"], effect: allow, when: "true"}
  - {id: large-amounts, phase: step, actions: [desk.pay], effect: step_up, when: "args.amount > 100", message: more than 100 wants two people, approval: {by: [alice, carol, dave, erin], need: 2, within: 1h}}
  - {id: later, phase: step, actions: [desk.note], effect: defer, when: 'args.text == "later"', message: not before an hour has passed, defer: {for: 1h, every: 10m}}
  - {id: quick, phase: step, actions: [desk.note], effect: step_up, when: 'args.text == "quick"', approval: {by: [dave], need: 1, within: 1s}}
`

// As returns a starter that signs with the key of the given name, which is an
// approver's or [evidencetest.Revoker].
func (f *Fixture) As(name string) *starter.Starter {
	f.T.Helper()
	c := starter.Config{Client: f.Client, Trust: f.Trust, Queue: f.Queue, Namespace: "default"}
	if name == evidencetest.Revoker {
		c.Revoker = evidencetest.Signer(name)
	} else {
		c.Approver = evidencetest.Signer(name)
	}
	s, err := starter.New(c)
	require.NoError(f.T, err)
	return s
}

// Pending waits until so many steps of an execution wait, and returns them.
func (f *Fixture) Pending(id string, steps int) []starter.Waiting {
	f.T.Helper()
	s := f.As(evidencetest.Frank)
	var all []starter.Waiting
	require.Eventually(f.T, func() bool {
		var err error
		all, err = s.PendingOf(f.T.Context(), id)
		require.NoError(f.T, err)
		return len(all) == steps
	}, patience, 50*time.Millisecond, "steps that wait")
	return all
}
