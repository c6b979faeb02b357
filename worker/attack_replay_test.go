package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// paid carries out a payment, and returns its work order, which then stands in
// the history.
func paid(t *testing.T) (*workertest.Fixture, client.WorkflowRun, order) {
	t.Helper()
	f := workertest.New(t, workertest.WithTerms(patient))
	run := f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
	require.Equal(t, 1, f.World.Count("desk.pay"))
	return f, run, orderOf(t, f, run, "a")
}

// TestT01ReplayInAnotherWorkflow: 64 workflows of an attacker's hand in, all at
// once, an order that was carried out.
func TestT01ReplayInAnotherWorkflow(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f, _, stolen := paid(t)
		replay(t, f.Client, f.Config.Queues.Steps, stolen.in, 1, ids(crowd)...)
		return f.World.Count("desk.pay") > 1
	}, defence.DecisionBinding, defence.KnownRun)
}

// TestT01ReplayInAnotherRun: the attacker's workflow has the very id of the
// execution, which is over, and hands in its order 64 times at once.
func TestT01ReplayInAnotherRun(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f, run, stolen := paid(t)
		replay(t, f.Client, f.Config.Queues.Steps, stolen.in, crowd, run.GetID())
		return f.World.Count("desk.pay") > 1
	}, defence.DecisionBinding, defence.KnownRun)
}

// TestT01ReplayInAnotherNamespace: a step worker of another namespace, with the
// same keys and the same store, is handed the order by 64 workflows at once.
func TestT01ReplayInAnotherNamespace(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f, run, stolen := paid(t)
		elsewhere := otherNamespace(t)
		other := *f
		other.Config.Client, other.Config.Control = elsewhere, nil
		other.Start()
		t.Cleanup(other.Stop)
		replay(t, elsewhere, f.Config.Queues.Steps, stolen.in, 1, append(ids(crowd-1), run.GetID())...)
		return f.World.Count("desk.pay") > 1
	}, defence.DecisionBinding, defence.KnownRun)
}

// TestT01ReplayOnAnotherQueue: in the very run that it was made for, the order
// goes to step workers of another queue, 64 times at once.
func TestT01ReplayOnAnotherQueue(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f, startSteps := roles(t, workertest.WithTerms(patient))
		run := f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))
		ordered := orderOf(t, f, run, "a")
		f.Stop()
		target := f.Config.Queues.Steps + "-other"
		copies := make([]contract.RunInput, crowd)
		for i := range copies {
			copies[i] = ordered.in
		}
		hijack(t, f, run, ordered, target, copies...)
		startSteps(func(c *worker.Config) { c.Queues.Steps = target })
		awaitEnds(t, f, run, crowd)
		return f.World.Count("desk.pay") > 0
	}, defence.DecisionBinding)
}

// TestT01RequestTwice presents a request again: when its execution is over,
// under the same id, and with the same nonce under another.
func TestT01RequestTwice(t *testing.T) {
	for _, suffix := range []string{"", "-again"} {
		t.Run("id"+suffix, func(t *testing.T) {
			defencetest.Run(t, func(t *testing.T) bool {
				f := workertest.New(t)
				r := f.Request(workertest.Step("a", "desk.pay", `{"amount":1}`))
				_, err := f.Wait(f.Submit(r.ID, f.Sign(evidencetest.Alice, r)))
				require.NoError(t, err)
				r.ID += suffix
				_, _ = f.Wait(f.Submit(r.ID, f.Sign(evidencetest.Alice, r)))
				return f.World.Count("desk.pay") > 1
			}, defence.NonceOnce)
		})
	}
}

// TestT12TerminateAndRestart ends a running execution from outside and starts
// it again with the same request.
func TestT12TerminateAndRestart(t *testing.T) {
	restarted := func(t *testing.T) (*workertest.Fixture, client.WorkflowRun) {
		f := workertest.New(t)
		r := f.Request(workertest.Step("a", "desk.pay", `{"amount":1}`), workertest.Step("b", "desk.wait", `{}`, "a"))
		signed := f.Sign(evidencetest.Alice, r)
		run := f.Submit(r.ID, signed)
		f.World.Await(t)
		require.NoError(t, f.Client.TerminateWorkflow(t.Context(), run.GetID(), run.GetRunID(), "attack"))
		f.World.Release()
		again := f.Submit(r.ID, signed)
		_, _ = f.Wait(again)
		return f, again
	}
	t.Run("denied", func(t *testing.T) {
		f, again := restarted(t)
		requireReplayed(t, f, again)
	})
	defencetest.Run(t, func(t *testing.T) bool {
		f, _ := restarted(t)
		return f.World.Count("desk.pay") > 1
	}, defence.NonceOnce)
}

func requireReplayed(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
	t.Helper()
	report := f.Verified(run)
	require.Equal(t, evidence.Denied, report.Verdict)
	require.Equal(t, "request.replayed", report.Cause)
	require.Equal(t, 1, f.World.Count("desk.pay"))
}

// resetTo resets a run with the CLI, waits for the new one's end, and returns
// it.
func resetTo(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, where ...string) client.WorkflowRun {
	t.Helper()
	temporalCLI(t, append([]string{"workflow", "reset", "--workflow-id", run.GetID(), "--run-id", run.GetRunID(), "--reason", "attack"}, where...)...)
	f.World.Release()
	again := f.Client.GetWorkflow(t.Context(), run.GetID(), "")
	_, _ = f.Wait(again)
	require.NotEqual(t, run.GetRunID(), again.GetRunID(), "it was not reset")
	return again
}

// TestT12ResetToTheBeginning makes the execution authorize its request anew.
func TestT12ResetToTheBeginning(t *testing.T) {
	t.Run("denied", func(t *testing.T) {
		f, run, _ := paid(t)
		requireReplayed(t, f, resetTo(t, f, run, "--type", "FirstWorkflowTask"))
	})
	defencetest.Run(t, func(t *testing.T) bool {
		f, run, _ := paid(t)
		resetTo(t, f, run, "--type", "FirstWorkflowTask")
		return f.World.Count("desk.pay") > 1
	}, defence.NonceOnce)
}

// TestT12ResetWhileAStepRuns resets to a point at which a step had been
// ordered and had not ended: Temporal orders it again, in the new run.
func TestT12ResetWhileAStepRuns(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f := workertest.New(t, workertest.WithTerms(patient))
		run := f.Begin(workertest.Step("a", "desk.note", `{}`), workertest.Step("b", "desk.strike", `{}`))
		f.World.Await(t)
		resetTo(t, f, run, "--event-id", taskAfterFirstStep(t, f, run))
		return f.World.Count("desk.strike") > 1
	}, defence.DecisionBinding, defence.KnownRun)
}

// TestT12ResetBetweenSteps resets to the point at which the second step was
// about to be decided: the new run asks for it as if nothing had happened.
func TestT12ResetBetweenSteps(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f := workertest.New(t, workertest.WithTerms(patient))
		run := f.Begin(workertest.Step("a", "desk.note", `{}`), workertest.Step("b", "desk.strike", `{}`, "a"))
		f.World.Await(t)
		resetTo(t, f, run, "--event-id", taskAfterFirstStep(t, f, run))
		return f.World.Count("desk.strike") > 1
	}, defence.ChainOfRun, defence.DecisionBinding, defence.KnownRun)
}

// TestT12ResetIsEvidence checks that a run which somebody reset to the middle
// says so, in a chain of its own that verifies.
func TestT12ResetIsEvidence(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(patient))
	run := f.Begin(workertest.Step("a", "desk.note", `{}`), workertest.Step("b", "desk.strike", `{}`, "a"))
	f.World.Await(t)
	again := resetTo(t, f, run, "--event-id", taskAfterFirstStep(t, f, run))
	report := f.Verified(again)
	require.Equal(t, evidence.Denied, report.Verdict)
	require.Equal(t, "run.unknown", report.Cause)
}

// taskAfterFirstStep waits for the workflow task that took in the end of the
// first step, and returns its event.
func taskAfterFirstStep(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) (event string) {
	t.Helper()
	require.Eventually(t, func() bool {
		ended := false
		for _, e := range events(t, f.Client, run.GetID(), run.GetRunID()) {
			switch {
			case e.EventType == enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
				ended = true
			case ended && e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
				event = fmt.Sprint(e.EventId)
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond)
	return event
}
