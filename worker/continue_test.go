package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// briefly lets histories have few events, so that executions continue as new.
func briefly(events int) workertest.Option {
	return workertest.WithConfig(func(c *worker.Config) { c.Control.MaxEvents = events })
}

// inARow is a plan of n steps, each of which needs the one before.
func inARow(n int) []evidence.Step {
	steps := []evidence.Step{workertest.Step("s0", "desk.note", `{"text":"0"}`)}
	for i := 1; i < n; i++ {
		steps = append(steps, workertest.Step(fmt.Sprintf("s%d", i), "desk.note", fmt.Sprintf(`{"text":"%d"}`, i), fmt.Sprintf("s%d", i-1)))
	}
	return steps
}

// TestContinues checks that an execution whose history grows large goes on in
// new runs with its chain, its past and what is left of its plan.
func TestContinues(t *testing.T) {
	f := workertest.New(t, briefly(60))
	run := f.Begin(inARow(24)...)
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict)
	require.Len(t, f.World.Effects(), 24, "every step once")
	for i, e := range f.World.Effects() {
		require.Equal(t, fmt.Sprintf("s%d", i), e.Step)
	}
	runs := f.Runs(run)
	require.Greater(t, len(runs), 2)
	require.Equal(t, runs[len(runs)-1], report.Run)
	var takeovers []string
	for _, e := range f.Proof(run).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		if k, ok := rec.Predicate.(*evidence.Takeover); ok {
			takeovers = append(takeovers, k.Binding.Run)
			require.Equal(t, uint64(len(takeovers)+1), k.Binding.Epoch)
		}
	}
	require.Equal(t, runs[1:], takeovers)
}

// TestT21LargeMessages: whoever may signal can send what is no message, and
// large. The history that it fills is left behind, and what was approved
// before and after it counts.
func TestT21LargeMessages(t *testing.T) {
	f := people(t, workertest.WithConfig(func(c *worker.Config) { c.Control.MaxBytes = 1 << 20 }))
	run, w := large(t, f)
	_, err := f.As(evidencetest.Carol).Approve(t.Context(), w, "")
	require.NoError(t, err)
	noise := strings.Repeat("x", 300_000)
	for i := range 12 {
		require.NoError(t, f.Client.SignalWorkflow(t.Context(), run.GetID(), "", contract.MessageName, noise))
		require.Eventually(t, func() bool { return len(f.Runs(run)) > i/4 }, time.Minute, 50*time.Millisecond, "it goes on in a new run")
	}
	handle, err := f.Client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: contract.MessageName, Args: []any{noise}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(t.Context(), nil)
	}
	require.ErrorContains(t, err, "no message is", "it does not reach the history")
	require.Eventually(t, func() bool {
		_, err := f.As(evidencetest.Dave).Approve(t.Context(), f.Pending(run.GetID(), 1)[0], "")
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict)
	require.Len(t, report.Approvals, 2)
	require.Greater(t, len(f.Runs(run)), 2)
}

// TestContinuesWatched checks that a run does not hand over while a step runs,
// and that Watch goes on in the run after.
func TestContinuesWatched(t *testing.T) {
	f := workertest.New(t, briefly(60), workertest.WithTerms(evidence.Terms{LeaseMS: 3000, IntervalMS: 50, WindowMS: 100}))
	steps := append([]evidence.Step{workertest.Step("wait", "desk.wait", `{}`)}, inARow(3)...)
	steps[1].Needs = []string{"wait"}
	run := f.Begin(steps...)
	f.World.Await(t)
	require.Eventually(t, func() bool { return f.Progress(run).Signals >= 8 }, 3*time.Minute, 50*time.Millisecond)
	require.Len(t, f.Runs(run), 1, "a step runs")
	f.World.Release()
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
	require.Greater(t, len(f.Runs(run)), 1)
	require.Len(t, f.World.Effects(), 4)
}

// TestContinuesNotForever checks that a history which grows and grows while a
// step runs halts before Temporal ends it.
func TestContinuesNotForever(t *testing.T) {
	f := workertest.New(t, briefly(40), workertest.WithTerms(evidence.Terms{LeaseMS: 3000, IntervalMS: 20, WindowMS: 20}))
	run := f.Begin(workertest.Step("wait", "desk.wait", `{}`))
	f.World.Await(t)
	report := f.Verified(run)
	require.Equal(t, evidence.Halted, report.Verdict)
	require.Equal(t, "history.full", report.Cause)
	require.Empty(t, f.World.Effects())
}

// TestT12ContinuedRunsAreFenced checks that no reset of any run of a continued
// execution, and no copy of a handover, does anything again.
func TestT12ContinuedRunsAreFenced(t *testing.T) {
	f := workertest.New(t, briefly(60))
	run := f.Begin(inARow(12)...)
	f.Verified(run)
	done := len(f.World.Effects())
	runs := f.Runs(run)
	require.Greater(t, len(runs), 1)
	for _, id := range runs {
		again := f.Reset(f.Client.GetWorkflow(t.Context(), run.GetID(), id))
		report := f.Verified(again)
		require.Equal(t, evidence.Denied, report.Verdict, "a reset of run %s", id)
		require.Contains(t, []string{"request.replayed", "handover.unknown", "handover.used", "run.unknown"}, report.Cause)
		require.Len(t, f.World.Effects(), done, "a reset of run %s", id)
	}
}

// TestT12HandoverIsUsedOnce hands the handover of a real run to 64 workflows of
// an attacker, all at once.
func TestT12HandoverIsUsedOnce(t *testing.T) {
	f := workertest.New(t, briefly(60))
	run := f.Begin(inARow(12)...)
	f.Verified(run)
	done := len(f.World.Effects())
	var request evidence.Envelope
	var left contract.Handover
	workertest.Input(f, run.GetID(), f.Runs(run)[1], &request, &left)
	var stolen []client.WorkflowRun
	for range 64 {
		w, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "stolen-" + workertest.Random(), TaskQueue: f.Queue}, contract.Workflow, request, left)
		require.NoError(t, err)
		stolen = append(stolen, w)
	}
	for _, w := range stolen {
		receipt, err := f.Wait(w)
		require.Error(t, err)
		require.Equal(t, evidence.Denied, receipt.Verdict)
	}
	require.Len(t, f.World.Effects(), done)
}

// TestCancelledWhileItContinues checks that asking to stop is not forgotten
// when an execution continues as another run.
func TestContinuedIsCancelled(t *testing.T) {
	f := workertest.New(t, briefly(60))
	steps := inARow(12)
	steps = append(steps, workertest.Step("wait", "desk.wait", `{}`, "s11"), workertest.Step("after", "desk.note", `{}`, "wait"))
	run := f.Begin(steps...)
	f.World.Await(t)
	require.NoError(t, f.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
	require.Equal(t, evidence.Cancelled, f.Verified(run).Verdict)
	require.Len(t, f.World.Effects(), 12)
}
