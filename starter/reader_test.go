package starter_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

// answering plays an execution that has these records and then goes on until
// it is cancelled.
func answering(records []evidence.Envelope) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		err := workflow.SetQueryHandler(ctx, contract.QueryProof, func() ([]evidence.Envelope, error) { return records, nil })
		if err != nil {
			return nil, err
		}
		progress := contract.Progress{Execution: "x", Phase: "running", Records: uint64(len(records))}
		err = workflow.SetQueryHandler(ctx, contract.QueryProgress, func() (contract.Progress, error) { return progress, nil })
		if err != nil {
			return nil, err
		}
		return receipt(ctx, request, evidence.Completed), nil
	}
}

func TestProof(t *testing.T) {
	want := evidencetest.Proof(t, "completed")
	x := started(t, answering(want.Records))
	s := newStarter(t)
	_, err := x.Wait(t.Context())
	require.NoError(t, err)
	got, err := s.Proof(t.Context(), x.ID())
	require.NoError(t, err)
	require.NoError(t, evidence.Verify(evidencetest.Trust(), got).Err(), "records must come through unchanged")
	require.Equal(t, want, got)

	p, err := s.Progress(t.Context(), x.ID())
	require.NoError(t, err)
	require.Equal(t, uint64(len(want.Records)), p.Records)
}

// TestProofOfTheUnsealed: half a proof must not be handed out as one.
func TestProofOfTheUnsealed(t *testing.T) {
	records := evidencetest.Proof(t, "completed").Records
	tests := []struct {
		name    string
		records []evidence.Envelope
	}{
		{"no records", nil},
		{"no seal", records[:len(records)-1]},
		{"ends with rubbish", append(records[:1:1], evidence.Envelope{PayloadType: "x"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := started(t, answering(tt.records))
			got, err := newStarter(t).Proof(t.Context(), x.ID())
			require.ErrorIs(t, err, starter.ErrNotSealed)
			require.Nil(t, got)
			some, err := newStarter(t).Records(t.Context(), x.ID())
			require.NoError(t, err)
			require.Len(t, some, len(tt.records))
		})
	}
}

func TestReaderFindsNothing(t *testing.T) {
	r, err := starter.NewReader(temporal(t))
	require.NoError(t, err)
	_, err = r.Find(t.Context(), "there-is-none")
	require.ErrorIs(t, err, starter.ErrNotFound)
	_, err = r.Proof(t.Context(), "there-is-none")
	require.ErrorIs(t, err, starter.ErrNotFound)
	_, err = r.Progress(t.Context(), "there-is-none")
	require.ErrorIs(t, err, starter.ErrNotFound)
	_, err = r.History(t.Context(), "there-is-none", "")
	require.ErrorIs(t, err, starter.ErrNotFound)
}

func TestFind(t *testing.T) {
	s, r := newStarter(t), request(t)
	plays.Store(r.ID, play(untilCancelled))
	x, err := s.Start(t.Context(), r)
	require.NoError(t, err)
	found, err := s.Find(t.Context(), r.ID)
	require.NoError(t, err)
	require.True(t, found.Open)
	require.Equal(t, x.Run(), found.Run)
	require.Equal(t, x.Request(), found.Request.Digest())
	require.WithinDuration(t, time.Now(), found.Started, time.Minute)
	require.NoError(t, x.Cancel(t.Context()))
	_, err = x.Wait(t.Context())
	require.Error(t, err)
	found, err = s.Find(t.Context(), r.ID)
	require.NoError(t, err)
	require.False(t, found.Open)
}

func TestFindOnlyGovernedExecutions(t *testing.T) {
	c, id := temporal(t), idOf(t)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, "SomethingElse")
	require.NoError(t, err)
	_, err = newStarter(t).Find(t.Context(), id)
	require.ErrorIs(t, err, starter.ErrNotFound)
	require.ErrorContains(t, err, "SomethingElse")
}

// TestUnanswered: without a worker there is nobody to ask.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	s := newStarter(t, func(c *starter.Config) { c.Queue = "nobody" })
	x, err := s.Start(t.Context(), request(t))
	require.NoError(t, err)
	_, err = s.Progress(t.Context(), x.ID())
	require.ErrorIs(t, err, starter.ErrUnanswered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Progress(ctx, x.ID())
	// Whichever notices first, the context here or the transport's own timer.
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, starter.ErrUnanswered), "%v", err)
	require.NoError(t, temporal(t).TerminateWorkflow(t.Context(), x.ID(), "", "test"))
}

// TestHistoryReplays: what History writes a replayer must be able to read.
func TestHistoryReplays(t *testing.T) {
	x := started(t, with(evidence.Completed, func(*contract.Receipt) {}))
	_, err := x.Wait(t.Context())
	require.NoError(t, err)
	data, err := newStarter(t).History(t.Context(), x.ID(), x.Run())
	require.NoError(t, err)
	require.Contains(t, string(data), "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED")

	file := filepath.Join(t.TempDir(), "history.json")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	plays.Store("ReplayId", play(with(evidence.Completed, func(*contract.Receipt) {})))
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(standIn, workflow.RegisterOptions{Name: contract.Workflow})
	require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(quiet{}, file))
}
