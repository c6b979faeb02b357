package starter_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestStartTwiceStartsOnce while it runs, and after it has ended.
func TestStartTwiceStartsOnce(t *testing.T) {
	s, r := newStarter(t), request(t)
	plays.Store(r.ID, play(func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		return receipt(ctx, request, evidence.Completed), nil
	}))
	first, err := s.Start(t.Context(), r)
	require.NoError(t, err)
	running, err := s.Start(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, first.Run(), running.Run())

	require.NoError(t, temporal(t).SignalWorkflow(t.Context(), r.ID, "", "go", nil))
	one, err := first.Wait(t.Context())
	require.NoError(t, err)
	two, err := running.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, two)

	ended, err := s.Start(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, first.Run(), ended.Run())
	three, err := ended.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, one, three)
}

// TestStartRefusesAnothersExecution: the same id, another request.
func TestStartRefusesAnothersExecution(t *testing.T) {
	for _, over := range []bool{false, true} {
		name := map[bool]string{false: "running", true: "ended"}[over]
		t.Run(name, func(t *testing.T) {
			s, mine, theirs := newStarter(t), request(t), request(t)
			theirs.ID = mine.ID
			if !over {
				plays.Store(mine.ID, play(untilCancelled))
			}
			x, err := s.Start(t.Context(), theirs)
			require.NoError(t, err)
			if over {
				_, err := x.Wait(t.Context())
				require.NoError(t, err)
			}
			got, err := s.Start(t.Context(), mine)
			require.ErrorIs(t, err, starter.ErrOtherRequest)
			require.Nil(t, got)

			_, err = s.Attach(t.Context(), mine.ID, evidence.FileDigest(nil))
			require.ErrorIs(t, err, starter.ErrOtherRequest)
			if !over {
				require.NoError(t, x.Cancel(t.Context()))
			}
		})
	}
}

func TestAttach(t *testing.T) {
	s, r := newStarter(t), request(t)
	x, err := s.Start(t.Context(), r)
	require.NoError(t, err)
	again, err := s.Attach(t.Context(), r.ID, x.Request())
	require.NoError(t, err)
	require.Equal(t, x.Run(), again.Run())
	got, err := again.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, x.Request(), got.Request)

	_, err = s.Attach(t.Context(), "there-is-none", x.Request())
	require.ErrorIs(t, err, starter.ErrNotFound)
}

// TestSubmitTakesAnything: it is for the control plane to refuse, with
// evidence.
func TestSubmitTakesAnything(t *testing.T) {
	tests := []struct {
		name   string
		signed evidence.Envelope
	}{
		{"empty", evidence.Envelope{}},
		{"not a statement", evidencetest.SignBytes(evidencetest.Alice, evidence.PayloadType, []byte("{}"))},
		{"by a stranger", evidencetest.SignBytes(evidencetest.Stranger, evidence.PayloadType, []byte(`{"a":1}`))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := idOf(t)
			plays.Store(id, completedThough(evidence.Completed))
			x, err := newStarter(t).Submit(t.Context(), id, tt.signed)
			require.NoError(t, err)
			require.Equal(t, tt.signed.Digest(), x.Request())
			r, err := x.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.signed.Digest(), r.Request, "the digest must survive the way through Temporal")
		})
	}
}

func TestStartShowsThePurpose(t *testing.T) {
	r := request(t)
	for range 100 {
		r.Purpose += " ünnecessary"
	}
	x, err := newStarter(t).Start(t.Context(), r)
	require.NoError(t, err, "a long purpose must not keep an execution from starting")
	_, err = x.Wait(t.Context())
	require.NoError(t, err)
	d, err := temporal(t).DescribeWorkflow(t.Context(), x.ID(), x.Run())
	require.NoError(t, err)
	summary, err := d.GetStaticSummary()
	require.NoError(t, err)
	require.Contains(t, summary, "see what "+t.Name())
	require.LessOrEqual(t, len(summary), 200)
}
