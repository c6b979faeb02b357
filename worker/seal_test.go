package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestCancelledBeforeItBegins cancels an execution that no worker has seen
// yet: its end is evidence too, and nothing runs.
func TestCancelledBeforeItBegins(t *testing.T) {
	f := workertest.New(t)
	f.Stop()
	run := f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))
	require.NoError(t, f.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
	f.Start()
	report := f.Verified(run)
	require.Equal(t, evidence.Cancelled, report.Verdict)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateNotStarted}, states(report))
	require.Empty(t, f.World.Effects())
}

// TestT10ControlActivitiesAreLocalOnly: whoever owns the namespace can start
// regular activities on the control plane's queue, and is told no.
func TestT10ControlActivitiesAreLocalOnly(t *testing.T) {
	f := workertest.New(t)
	r := f.Request(workertest.Step("a", "desk.pay", `{"amount":1}`))
	for name, in := range map[string]any{
		contract.Authorize: f.Sign(evidencetest.Alice, r),
		contract.Deny:      f.Sign(evidencetest.Alice, r),
		contract.Decide:    contract.DecideInput{Steps: []string{"a"}},
		contract.Seal:      contract.SealInput{},
		contract.Resolve:   f.Sign(evidencetest.Alice, r),
	} {
		require.Equal(t, "guard.local", attackOn(t, f, f.Queue, name, in).Check, name)
	}
	require.Empty(t, f.World.Effects())
}

// TestSecondControlPlane starts another control plane on the same store and
// queue, stops the first in the middle, and sees the execution go on.
func TestSecondControlPlane(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(quick))
	workertest.Beside(f)
	var runs []client.WorkflowRun
	for range 4 {
		runs = append(runs, f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.note", `{}`, "a"), workertest.Step("c", "desk.note", `{}`, "b")))
	}
	for range runs {
		f.World.Await(t)
	}
	f.Stop()
	f.World.Release()
	for _, run := range runs {
		report := f.Verified(run)
		require.Equal(t, evidence.Completed, report.Verdict, report.Cause)
	}
}
