package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows"
	"github.com/interlock-run/interlock/workflows/contract"
)

// envelope is a record as far as the workflow knows one: it believes nothing,
// and verifies nothing.
func envelope(says string) evidence.Envelope {
	return evidence.Envelope{PayloadType: evidence.PayloadType, Payload: []byte(says)}
}

func entries(envelopes ...evidence.Envelope) (all []contract.Entry) {
	for i := range envelopes {
		all = append(all, contract.Entry{Digest: envelopes[i].Digest(), Envelope: &envelopes[i]})
	}
	return all
}

// TestHandoverWhoseAnswerWasLost: the store holds the handover, the workflow
// task that asked for it is gone, and messages wait now. The activities are
// stand-ins that answer as the real ones do, which is tested with them.
func TestHandoverWhoseAnswerWasLost(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetCurrentHistoryLength(4100)
	register := func(name string, f any) {
		env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	register(contract.Authorize, func(context.Context, evidence.Envelope) (*contract.Admission, error) {
		return &contract.Admission{Entries: entries(envelope("request"), envelope("grant")), Ticket: &contract.Ticket{
			Steps: []contract.PlannedStep{{ID: "a", Action: "a", TimeoutMS: 60_000, HeartbeatMS: 60_000, Attempts: 1}}, Queue: "steps",
			MaxEvents: 4000, HardLimit: 40_000,
			Terms: evidence.Terms{LeaseMS: 600_000, IntervalMS: 1000, WindowMS: 1000}, Expires: evidence.TimeOf(env.Now().Add(time.Hour)),
		}}, nil
	})
	handed := envelope("handover")
	var asked, heard int
	register(contract.Decide, func(_ context.Context, in contract.DecideInput) (*contract.DecideOutput, error) {
		asked++
		out := &contract.DecideOutput{Handover: handed.Digest(), Entries: entries(handed)}
		for range in.Messages {
			heard++
			out.Heard = append(out.Heard, contract.Again())
		}
		return out, nil
	})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(contract.MessageName, "noise") }, 0)
	env.ExecuteWorkflow(workflows.GovernedExecution, envelope("request"), (*contract.Handover)(nil))
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &next)
	require.Equal(t, 1, heard)
	require.Equal(t, 1, asked, "nothing is asked of a run that has handed over")
}

// TestStoredBeforeItCameBack: the store has an outcome before it reaches the
// workflow, as after a crash between storing and the marker, while another step
// runs. No server can be made to do that in the same order each time, so the
// activities are stand-ins: the order of things is what is asked about. The
// workflow must not hand the outcome in for ever.
func TestStoredBeforeItCameBack(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	quick, slow, done := envelope("allow quick"), envelope("allow slow"), envelope("quick is done")
	register := func(name string, f any) {
		env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	register(contract.Authorize, func(context.Context, evidence.Envelope) (*contract.Admission, error) {
		plan := func(id string) contract.PlannedStep {
			return contract.PlannedStep{ID: id, Action: "a", TimeoutMS: 60_000, HeartbeatMS: 60_000, Attempts: 1}
		}
		return &contract.Admission{Entries: entries(envelope("request"), envelope("grant")), Ticket: &contract.Ticket{
			Steps: []contract.PlannedStep{plan("quick"), plan("slow")}, Queue: "steps", MaxEvents: 4000, HardLimit: 40_000,
			Terms: evidence.Terms{LeaseMS: 600_000, IntervalMS: 1000, WindowMS: 1000}, Expires: evidence.TimeOf(env.Now().Add(time.Hour)),
		}}, nil
	})
	asked := 0
	register(contract.Decide, func(_ context.Context, in contract.DecideInput) (*contract.DecideOutput, error) {
		asked++
		switch {
		case asked > 5:
			return nil, errors.New("asked for ever")
		case len(in.Steps) == 2:
			return &contract.DecideOutput{
				Entries: entries(quick, slow, done), // and the outcome, which is on its way
				Allowed: []contract.Work{{Step: "quick", Decision: quick.Digest()}, {Step: "slow", Decision: slow.Digest()}},
			}, nil
		}
		return &contract.DecideOutput{}, nil // it has that already
	})
	register(contract.RunStep, func(_ context.Context, in contract.RunInput) (*contract.RunOutput, error) {
		if in.Decision.Digest() == slow.Digest() {
			time.Sleep(500 * time.Millisecond)
			return &contract.RunOutput{Outcome: envelope("slow is done"), Status: evidence.StatusDone}, nil
		}
		return &contract.RunOutput{Outcome: done, Status: evidence.StatusDone}, nil
	})
	register(contract.Seal, func(_ context.Context, in contract.SealInput) (*contract.SealOutput, error) {
		require.Equal(t, []evidence.Envelope{envelope("slow is done")}, in.Fresh)
		require.Empty(t, in.Halt)
		return &contract.SealOutput{Entries: entries(in.Fresh[0], envelope("seal")), Verdict: evidence.Completed}, nil
	})
	env.ExecuteWorkflow(workflows.GovernedExecution, envelope("request"), (*contract.Handover)(nil))
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 2, asked, "once for the steps, once for the outcome")
}
