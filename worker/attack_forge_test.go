package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestT10WorkflowOfTheAttackers: while the control plane is away, an attacker's
// worker takes its queue and runs a workflow of the same name, which skips
// everything and orders a step with a decision of its own making.
func TestT10WorkflowOfTheAttackers(t *testing.T) {
	for _, signer := range []string{evidencetest.Stranger, evidencetest.Alice, evidencetest.Worker, evidencetest.Recorder} {
		t.Run("signed by "+signer, func(t *testing.T) {
			defencetest.Run(t, func(t *testing.T) bool {
				f, startSteps := roles(t)
				f.Stop()
				startSteps()
				owned(t, f.Client, f.Queue, contract.Workflow, func(ctx workflow.Context, request evidence.Envelope) error {
					info := workflow.GetInfo(ctx).WorkflowExecution
					in := forgedOrder(t, f, signer, request, place{"default", info.ID, info.RunID})
					return workflow.ExecuteActivity(once(ctx, f.Config.Queues.Steps), contract.RunStep, in).Get(ctx, nil)
				})
				_, _ = f.Wait(f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`)))
				return f.World.Count("desk.pay") > 0
			}, defence.DecisionSignature, defence.KnownRun)
		})
	}
}

// place is the run that a forged decision is bound to.
type place struct{ namespace, workflow, run string }

// forgedOrder makes an order that is right in everything but its signature.
func forgedOrder(t *testing.T, f *workertest.Fixture, signer string, request evidence.Envelope, to place) contract.RunInput {
	cat, err := catalogue.Parse("actions.yaml", []byte(workertest.Catalogue))
	require.NoError(t, err)
	args, now := []byte(`{"amount":1}`), evidence.TimeOf(time.Now())
	e, err := evidencetest.Signer(signer).Sign(evidence.Subject{Execution: to.workflow, Digest: request.Digest()}, &evidence.Decision{
		At: now, Phase: evidence.PhaseStep, Request: request.Digest(), Grant: request.Digest(),
		Binding: evidence.Binding{Namespace: to.namespace, Workflow: to.workflow, Run: to.run, Epoch: 1, Queue: f.Config.Queues.Steps},
		Step:    "a", Action: "desk.pay", Args: evidence.ValueDigest(args), Sends: evidence.ValueDigest(args), Effect: evidence.Allow, Cause: "policy.allow",
		Catalogue: cat.Digest(), Lease: evidence.Lease{Number: 1, Until: now.Add(time.Hour), Nonce: workertest.Random()}, Key: evidence.IdempotencyKey(request.Digest(), "a"),
	})
	require.NoError(t, err)
	return contract.RunInput{Decision: e, Args: args}
}

// TestT10OtherArguments hands the step worker a good decision, in its own run,
// with other arguments than the decided ones.
func TestT10OtherArguments(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f, startSteps := roles(t, workertest.WithTerms(patient))
		run := f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))
		ordered := orderOf(t, f, run, "a")
		f.Stop()
		hijack(t, f, run, ordered, f.Config.Queues.Steps, contract.RunInput{Decision: ordered.in.Decision, Args: []byte(`{"amount":1000000}`)})
		startSteps()
		awaitEnds(t, f, run, 1)
		return f.World.Count("desk.pay") > 0
	}, defence.DecisionArgs, defence.ExactBytes)
}

// TestT10ControlPlaneAsAService: somebody who saw a request, before the control
// plane did, lets a workflow of his own call the control plane's activities.
// Nothing would watch it, and nothing seal it.
func TestT10ControlPlaneAsAService(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		f := workertest.New(t, workertest.WithTerms(patient))
		f.Stop()
		r := f.Request(workertest.Step("a", "desk.pay", `{"amount":1}`))
		signed := f.Sign(evidencetest.Alice, r)
		victim := f.Submit(r.ID, signed)
		require.NoError(t, f.Client.TerminateWorkflow(t.Context(), victim.GetID(), victim.GetRunID(), "attack"))
		f.Start()
		queue := "attack-" + workertest.Random()
		owned(t, f.Client, queue, "attack", func(ctx workflow.Context) error { return governOneself(ctx, f, signed) })
		run, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: r.ID, TaskQueue: queue}, "attack")
		require.NoError(t, err)
		_ = run.Get(t.Context(), nil)
		return f.World.Count("desk.pay") > 0
	}, defence.OnlyLocal)
}

// governOneself gets a grant and a decision as if it were the real workflow.
func governOneself(ctx workflow.Context, f *workertest.Fixture, signed evidence.Envelope) error {
	control := once(ctx, f.Queue)
	var a contract.Admission
	if err := workflow.ExecuteActivity(control, contract.Authorize, signed).Get(ctx, &a); err != nil {
		return err
	}
	var chain evidence.Chain
	for _, e := range a.Entries {
		chain.Append(e.Digest)
	}
	var d contract.DecideOutput
	in := contract.DecideInput{Head: chain.Next(), Steps: []string{"a"}}
	if err := workflow.ExecuteActivity(control, contract.Decide, in).Get(ctx, &d); err != nil || len(d.Entries) == 0 {
		return err
	}
	order := contract.RunInput{Decision: *d.Entries[0].Envelope, Args: []byte(`{"amount":1}`)}
	return workflow.ExecuteActivity(once(ctx, f.Config.Queues.Steps), contract.RunStep, order).Get(ctx, nil)
}

// TestT10WatchFromOutside calls Watch from a workflow that has no grant. It is
// a regular activity, and gives no lease to what the store does not know.
func TestT10WatchFromOutside(t *testing.T) {
	f := workertest.New(t)
	queue := "attack-" + workertest.Random()
	owned(t, f.Client, queue, "attack", func(ctx workflow.Context) (out contract.WatchOutput, err error) {
		info := workflow.GetInfo(ctx).WorkflowExecution
		in := contract.WatchInput{Number: 1, Binding: evidence.Binding{Namespace: "default", Workflow: info.ID, Run: info.RunID, Epoch: 1, Queue: f.Config.Queues.Steps}}
		err = workflow.ExecuteActivity(once(ctx, f.Queue), contract.Watch, in).Get(ctx, &out)
		return out, err
	})
	run, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, "attack")
	require.NoError(t, err)
	var out contract.WatchOutput
	require.NoError(t, run.Get(t.Context(), &out))
	require.Nil(t, out.Signal)
	require.Equal(t, "store.head", out.Halt.Check)
}

// TestT25StandaloneActivity starts the step as an activity without a workflow,
// where the server can do that. The development server's 1.29 cannot, so that
// this cannot be shown to succeed without the defence; the guard would compare
// the decision's binding with a task that has no workflow.
func TestT25StandaloneActivity(t *testing.T) {
	f, _, stolen := paid(t)
	handle, err := f.Client.ExecuteActivity(t.Context(), client.StartActivityOptions{
		ID: "attack-" + workertest.Random(), TaskQueue: f.Config.Queues.Steps, ScheduleToCloseTimeout: time.Minute,
	}, contract.RunStep, stolen.in)
	if err == nil {
		err = handle.Get(t.Context(), nil)
	}
	require.Error(t, err)
	t.Logf("a standalone activity: %v", err)
	require.Equal(t, 1, f.World.Count("desk.pay"), "only the real one")
}

// believing allows a payment only after a step whose result says so. No real
// result does.
const believing = `name: desk
version: 1
rules:
  - {id: alice-asks, phase: admit, effect: allow, when: 'request.principal == "alice"'}
  - {id: waiting, phase: step, actions: [desk.wait], effect: allow, when: "true"}
  - id: approved
    phase: step
    actions: [desk.pay]
    effect: allow
    when: 'lineage.exists(p, p.step == "a" && p.status == "done" && p.result.approved == true)'
`

// TestT09ForgedResult completes a step from outside, with a result on which
// the next decision depends.
func TestT09ForgedResult(t *testing.T) {
	tests := []struct {
		name    string
		stolen  bool // the attacker takes the step's task himself, so that no worker has it
		deliver func(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, o order, token []byte, forged any)
	}{
		{name: "with the CLI", deliver: func(t *testing.T, _ *workertest.Fixture, run client.WorkflowRun, o order, _ []byte, forged any) {
			temporalCLI(t, "activity", "complete", "--workflow-id", run.GetID(), "--activity-id", o.activity, "--result", asJSON(t, forged))
		}},
		{name: "by id", deliver: func(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, o order, _ []byte, forged any) {
			require.NoError(t, f.Client.CompleteActivityByID(t.Context(), "default", run.GetID(), run.GetRunID(), o.activity, forged, nil))
		}},
		{name: "with its token", stolen: true, deliver: func(t *testing.T, f *workertest.Fixture, _ client.WorkflowRun, _ order, token []byte, forged any) {
			require.NoError(t, f.Client.CompleteActivity(context.Background(), token, forged, nil))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			attack := func(t *testing.T) (*workertest.Fixture, client.WorkflowRun) {
				f, startSteps := roles(t, workertest.WithPolicy(believing), workertest.WithTerms(patient))
				run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
				o := orderOf(t, f, run, "a")
				forged := outcomeOf(t, o, evidencetest.Stranger)
				if tt.stolen { // at once: nobody heartbeats for the task
					tt.deliver(t, f, run, o, runStepTask(t, f), forged)
				}
				startSteps()
				if !tt.stolen {
					f.World.Await(t)
					tt.deliver(t, f, run, o, nil, forged)
				}
				_, _ = f.Wait(run)
				return f, run
			}
			t.Run("halts", func(t *testing.T) {
				f, run := attack(t)
				report := f.Verified(run)
				require.Contains(t, []evidence.Verdict{evidence.Halted, evidence.Unresolved}, report.Verdict)
				require.Equal(t, "record.forged", haltOf(t, f, run).Check)
				require.Equal(t, evidence.StateNotStarted, states(report)["b"])
			})
			defencetest.Run(t, func(t *testing.T) bool {
				f, _ := attack(t)
				return f.World.Count("desk.pay") > 0
			}, defence.OutcomeSignature)
		})
	}
}

// outcomeOf forges the outcome of an order, which says that it was approved.
func outcomeOf(t *testing.T, o order, signer string) contract.RunOutput {
	t.Helper()
	now := evidence.TimeOf(time.Now())
	e, err := evidencetest.Signer(signer).Sign(o.about, &evidence.Outcome{
		Decision: o.in.Decision.Digest(), Binding: o.decision.Binding, Step: o.decision.Step, Action: o.decision.Action,
		Worker: evidencetest.Worker, Attempt: 1, Started: now, At: now, Status: evidence.StatusDone, Result: []byte(`{"approved":true}`),
	})
	require.NoError(t, err)
	return contract.RunOutput{Outcome: e, Status: evidence.StatusDone}
}
