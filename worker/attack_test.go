package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// attack hands a work order to the step worker from a workflow of the
// attacker's own, who owns the namespace, and returns why it was refused.
func attack(t *testing.T, f *workertest.Fixture, in contract.RunInput) contract.Cause {
	t.Helper()
	return attackOn(t, f, f.Config.Queues.Steps, contract.RunStep, in)
}

// attackOn calls any activity on any queue.
func attackOn(t *testing.T, f *workertest.Fixture, target, activity string, in any) contract.Cause {
	t.Helper()
	queue := "attack-" + workertest.Random()
	w := sdk.New(f.Client, queue, sdk.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: target, StartToCloseTimeout: time.Minute,
			RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		})
		return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "attack"})
	require.NoError(t, w.Start())
	defer w.Stop()
	run, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, "attack")
	require.NoError(t, err)
	err = run.Get(t.Context(), nil)
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "the step worker took it: %v", err)
	require.Equal(t, contract.ErrTypeRefused, app.Type())
	var cause contract.Cause
	require.NoError(t, app.Details(&cause))
	return cause
}

// decisionOf returns the decision that allowed a step, as the Temporal history
// shows it to anyone.
func decisionOf(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, step string) (evidence.Envelope, *evidence.Decision, evidence.Subject) {
	t.Helper()
	for _, e := range f.Proof(run).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		if d, ok := rec.Predicate.(*evidence.Decision); ok && d.Step == step {
			return e, d, rec.Subject
		}
	}
	t.Fatalf("no decision on %q", step)
	return evidence.Envelope{}, nil, evidence.Subject{}
}

// TestT01T08GuardRefuses: whoever owns the namespace can call RunStep, and
// gets nothing done by it.
func TestT01T08GuardRefuses(t *testing.T) {
	f := workertest.New(t)
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	f.World.Await(t)
	stolen, d, about := decisionOf(t, f, run, "a")
	resign := func(name string, change func(*evidence.Decision)) evidence.Envelope {
		forged := *d
		change(&forged)
		e, err := evidencetest.Signer(name).Sign(about, &forged)
		require.NoError(t, err)
		return e
	}
	tests := []struct {
		name     string
		decision evidence.Envelope
		args     string
		want     string
	}{
		{name: "no decision", args: `{}`, want: "guard.decision"},
		{name: "a decision of another run", decision: stolen, args: `{}`, want: "guard.binding"},
		{name: "signed by a stranger", decision: resign(evidencetest.Stranger, func(*evidence.Decision) {}), args: `{}`, want: "guard.decision"},
		{name: "signed by the principal", decision: resign(evidencetest.Alice, func(*evidence.Decision) {}), args: `{}`, want: "guard.decision"},
		{name: "signed by the worker itself", decision: resign(evidencetest.Worker, func(*evidence.Decision) {}), args: `{}`, want: "guard.decision"},
		{name: "signed by a recorder", decision: resign(evidencetest.Recorder, func(*evidence.Decision) {}), args: `{}`, want: "guard.decision"},
		{name: "a denial", decision: resign(evidencetest.Authority, func(d *evidence.Decision) { d.Effect = evidence.Deny }), args: `{}`, want: "guard.decision"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, attack(t, f, contract.RunInput{Decision: tt.decision, Args: []byte(tt.args)}).Check)
		})
	}
	require.Empty(t, f.World.Effects())
	f.World.Release()
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict, "the real execution is none the worse")
	require.Len(t, f.World.Effects(), 2)
}

// TestT09ForgedCompletionHalts completes a running step from outside, as
// `temporal activity complete` does, with outcomes that its worker never made.
func TestT09ForgedCompletionHalts(t *testing.T) {
	tests := []struct {
		name  string
		forge func(t *testing.T, d *evidence.Decision, digest evidence.Digest, about evidence.Subject) any
		check string
	}{
		{name: "nothing", check: "record.forged", forge: func(*testing.T, *evidence.Decision, evidence.Digest, evidence.Subject) any {
			return contract.RunOutput{Status: evidence.StatusDone}
		}},
		{name: "signed by a stranger", check: "record.forged", forge: func(t *testing.T, d *evidence.Decision, digest evidence.Digest, about evidence.Subject) any {
			return forgedOutcome(t, evidencetest.Stranger, evidencetest.Worker, d, digest, about)
		}},
		{name: "signed by the principal", check: "record.forged", forge: func(t *testing.T, d *evidence.Decision, digest evidence.Digest, about evidence.Subject) any {
			return forgedOutcome(t, evidencetest.Alice, evidencetest.Worker, d, digest, about)
		}},
		{name: "another worker in this one's name", check: "record.forged", forge: func(t *testing.T, d *evidence.Decision, digest evidence.Digest, about evidence.Subject) any {
			return forgedOutcome(t, evidencetest.OtherWorker, evidencetest.Worker, d, digest, about)
		}},
		{name: "of another decision", check: "record.misplaced", forge: func(t *testing.T, d *evidence.Decision, _ evidence.Digest, about evidence.Subject) any {
			return forgedOutcome(t, evidencetest.Worker, evidencetest.Worker, d, evidence.FileDigest(nil), about)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := workertest.New(t)
			run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
			f.World.Await(t)
			env, d, about := decisionOf(t, f, run, "a")
			complete(t, f, run, tt.forge(t, d, env.Digest(), about))
			report := f.Verified(run)
			require.Contains(t, []evidence.Verdict{evidence.Halted, evidence.Unresolved}, report.Verdict)
			require.NotEqual(t, evidence.StateDone, states(report)["a"], "a forged outcome is not believed")
			require.Equal(t, evidence.StateNotStarted, states(report)["b"])
			require.Equal(t, tt.check, haltOf(t, f, run).Check)
			require.Empty(t, f.World.Effects())
		})
	}
}

func forgedOutcome(t *testing.T, signer, worker string, d *evidence.Decision, digest evidence.Digest, about evidence.Subject) any {
	now := evidence.TimeOf(time.Now())
	e, err := evidencetest.Signer(signer).Sign(about, &evidence.Outcome{
		Decision: digest, Binding: d.Binding, Step: d.Step, Action: d.Action, Worker: worker, Attempt: 1,
		Started: now, At: now, Status: evidence.StatusDone, Result: []byte(`{"forged":true}`),
	})
	require.NoError(t, err)
	return contract.RunOutput{Outcome: e, Status: evidence.StatusDone}
}

// complete completes the one running step of an execution with result.
func complete(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, result any) {
	t.Helper()
	var id string
	require.Eventually(t, func() bool {
		d, err := f.Client.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		for _, a := range d.GetPendingActivities() {
			if err == nil && a.ActivityType.Name == contract.RunStep && a.State == enums.PENDING_ACTIVITY_STATE_STARTED {
				id = a.ActivityId
			}
		}
		return id != ""
	}, time.Minute, 20*time.Millisecond)
	require.NoError(t, f.Client.CompleteActivityByID(context.Background(), "default", run.GetID(), run.GetRunID(), id, result, nil))
}

func haltOf(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) *evidence.Halt {
	t.Helper()
	for _, e := range f.Proof(run).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		if h, ok := rec.Predicate.(*evidence.Halt); ok {
			return h
		}
	}
	t.Fatal("no halt")
	return nil
}

// TestT12ResetIsRefused resets a finished execution to its beginning. The new
// run replays the grant and the decisions of the old one, and its steps are
// refused, because they are bound to that.
func TestT12ResetIsRefused(t *testing.T) {
	f := workertest.New(t)
	run := f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`), workertest.Step("b", "desk.pay", `{"amount":2}`, "a"))
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
	require.Len(t, f.World.Effects(), 2)

	reset := f.Reset(run)
	receipt, err := f.Wait(reset)
	require.Error(t, err)
	require.NotEqual(t, evidence.Completed, receipt.Verdict)
	require.Len(t, f.World.Effects(), 2, "nothing is done again")
}
