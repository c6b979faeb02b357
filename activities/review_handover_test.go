package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestSealAfterALostHandover stores a handover whose answer never reaches the
// history, because somebody asked to stop while the workflow task ran: Temporal
// drops what the task did. The next one hears of the cancellation first, hands
// over no more, and seals.
func TestSealAfterALostHandover(t *testing.T) {
	p := newPlane(t)
	p.granted()
	work := p.decideA(t)
	done := p.outcome(work, evidence.StatusDone, "")
	out, err := call[contract.DecideOutput](p, p.act.Decide, contract.DecideInput{Head: p.head, Fresh: []evidence.Envelope{done}, HandOver: true})
	require.NoError(t, err)
	require.False(t, out.Handover.IsZero())
	p.sealed(t, contract.SealInput{Head: p.head, Fresh: []evidence.Envelope{done}}, evidence.Cancelled, evidence.CauseCancelled)
}
