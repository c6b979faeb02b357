package workflows_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows"
	"github.com/interlock-run/interlock/workflows/contract"
)

// An awayStore is when the evidence store does not answer, on the clock of the
// test environment, which skips every wait.
type awayStore struct {
	env      *testsuite.TestWorkflowEnvironment
	calls    []string // every activity of the control plane, in order
	patience time.Duration
	until    map[string]time.Duration // of each activity: answers from then on, since it was first asked
	first    map[string]time.Time
	lapsed   time.Duration // for so long no lease is live
}

// ask notes a call, and returns what it gets while the store is away.
func (a *awayStore) ask(name string) error {
	a.calls = append(a.calls, name)
	if a.first[name].IsZero() {
		a.first[name] = a.env.Now()
	}
	if a.env.Now().Sub(a.first[name]) < a.until[name] {
		return temporal.NewApplicationErrorWithOptions("away", contract.ErrTypeStore, temporal.ApplicationErrorOptions{
			NonRetryable: true, Details: []any{contract.Outage{PatienceMS: a.patience.Milliseconds()}},
		})
	}
	return nil
}

func (a *awayStore) count(name string) (n int) {
	for _, c := range a.calls {
		if c == name {
			n++
		}
	}
	return n
}

// register gives the environment stand-ins: what is asked about is how long the
// workflow waits, and no server skips minutes. Whether the activities really
// say so is tested with them.
func (a *awayStore) register() {
	register := func(name string, f any) {
		a.env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
	admit := func(context.Context, evidence.Envelope) (*contract.Admission, error) {
		plan := contract.PlannedStep{ID: "a", Action: "a", TimeoutMS: 60_000, HeartbeatMS: 60_000, Attempts: 1}
		return &contract.Admission{Entries: entries(envelope("request"), envelope("grant")), Ticket: &contract.Ticket{
			Steps: []contract.PlannedStep{plan}, Queue: "steps", MaxEvents: 4000, HardLimit: 40_000, OutageMS: a.patience.Milliseconds(),
			Terms: evidence.Terms{LeaseMS: 3_600_000, IntervalMS: 100, WindowMS: 1000}, Expires: evidence.TimeOf(a.env.Now().Add(24 * time.Hour)),
		}}, nil
	}
	register(contract.Authorize, func(ctx context.Context, e evidence.Envelope) (*contract.Admission, error) {
		if err := a.ask(contract.Authorize); err != nil {
			return nil, err
		}
		return admit(ctx, e)
	})
	register(contract.TakeOver, func(ctx context.Context, in contract.TakeOverInput) (*contract.Admission, error) {
		if err := a.ask(contract.TakeOver); err != nil {
			return nil, err
		}
		return admit(ctx, in.Request)
	})
	register(contract.Deny, func(context.Context, evidence.Envelope) (*contract.Admission, error) {
		a.calls = append(a.calls, contract.Deny)
		return &contract.Admission{Entries: entries(envelope("denial")), Cause: contract.Cause{Check: "store.unavailable"}}, nil
	})
	register(contract.Watch, func(ctx context.Context, _ contract.WatchInput) (*contract.WatchOutput, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	register(contract.Decide, func(_ context.Context, in contract.DecideInput) (*contract.DecideOutput, error) {
		if err := a.ask(contract.Decide); err != nil {
			return nil, err
		}
		if a.env.Now().Sub(a.first[contract.Decide]) < a.lapsed {
			return &contract.DecideOutput{Lapsed: true}, nil
		}
		allow := envelope("allow")
		return &contract.DecideOutput{Entries: entries(allow), Allowed: []contract.Work{{Step: in.Steps[0], Decision: allow.Digest()}}}, nil
	})
	register(contract.RunStep, func(context.Context, contract.RunInput) (*contract.RunOutput, error) {
		a.calls = append(a.calls, contract.RunStep)
		return &contract.RunOutput{Outcome: envelope("done"), Status: evidence.StatusDone}, nil
	})
	register(contract.Seal, func(_ context.Context, in contract.SealInput) (*contract.SealOutput, error) {
		if len(in.All) > 0 {
			a.calls = append(a.calls, "Seal unstored: "+in.Halt.Check)
			verdict := evidence.Halted
			if in.Halt.Check == "" {
				verdict = evidence.Denied
			}
			return &contract.SealOutput{Entries: entries(envelope("seal")), Verdict: verdict, Cause: "store.unavailable"}, nil
		}
		if err := a.ask(contract.Seal); err != nil {
			return nil, err
		}
		verdict := evidence.Completed
		if in.Halt.Check != "" {
			verdict = evidence.Halted
		}
		return &contract.SealOutput{Entries: entries(append(in.Fresh, envelope("seal"))...), Verdict: verdict, Cause: in.Halt.Check}, nil
	})
}

// TestT22TheWorkflowWaits: while the store is away the workflow asks again, less
// and less often, until its patience is over, and nothing else happens.
func TestT22TheWorkflowWaits(t *testing.T) {
	const patience, none = 30 * time.Second, -1
	tests := []struct {
		name     string
		until    map[string]time.Duration
		lapse    time.Duration
		takeOver bool          // the run continues another
		patience time.Duration // 30 s if 0
		want     string        // cause of the end; empty for completed
		last     []string      // the last calls
		ran      int
	}{
		{name: "all is well", last: []string{contract.Decide, contract.RunStep, contract.Seal}, ran: 1},
		{name: "Authorize, for a while", until: map[string]time.Duration{contract.Authorize: 20 * time.Second}, ran: 1},
		{name: "Authorize, to the end", until: map[string]time.Duration{contract.Authorize: patience}, ran: 1},
		{name: "Authorize, for too long", until: map[string]time.Duration{contract.Authorize: time.Hour}, want: "store.unavailable",
			last: []string{contract.Authorize, contract.Deny, "Seal unstored: "}},
		{name: "Decide, for a while", until: map[string]time.Duration{contract.Decide: 20 * time.Second}, ran: 1},
		{name: "Decide, to the end", until: map[string]time.Duration{contract.Decide: patience}, ran: 1},
		{name: "Decide, for too long", until: map[string]time.Duration{contract.Decide: time.Hour}, want: "store.unavailable",
			last: []string{contract.Decide, contract.Seal}},
		{name: "TakeOver, for a while", takeOver: true, until: map[string]time.Duration{contract.TakeOver: 20 * time.Second}, ran: 1},
		// Whether another run has taken over cannot be told: there is no denial, and
		// the real Seal has no records of this run.
		{name: "TakeOver, for too long", takeOver: true, until: map[string]time.Duration{contract.TakeOver: time.Hour}, want: "authorize.error",
			last: []string{contract.TakeOver, contract.Seal}},
		{name: "Seal, for a while", until: map[string]time.Duration{contract.Seal: 20 * time.Second}, ran: 1},
		{name: "Seal, for too long", until: map[string]time.Duration{contract.Seal: time.Hour}, want: "store.unavailable", ran: 1,
			last: []string{contract.Seal, "Seal unstored: store.unavailable"}},
		{name: "all, one after the other", ran: 1, until: map[string]time.Duration{
			contract.Authorize: 20 * time.Second, contract.Decide: 20 * time.Second, contract.Seal: 20 * time.Second}},
		{name: "everything, for too long", until: map[string]time.Duration{contract.Decide: time.Hour, contract.Seal: time.Hour}, want: "store.unavailable",
			last: []string{contract.Seal, "Seal unstored: store.unavailable"}},
		// Watch runs in these, and the clock with it.
		{name: "no lease, for as long as a control plane takes", lapse: 2 * time.Second, patience: none, ran: 1},
		{name: "no lease, for longer", lapse: time.Hour, patience: none, want: evidence.CauseLapsed},
		{name: "no lease, because the store takes no renewal", lapse: 5 * time.Second, patience: 3 * time.Second, ran: 1},
		{name: "no lease, because it never does", lapse: time.Hour, patience: 3 * time.Second, want: evidence.CauseLapsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestWorkflowEnvironment()
			env.SetTestTimeout(time.Minute)
			env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
			a := &awayStore{env: env, patience: max(tt.patience, 0), until: tt.until, lapsed: tt.lapse, first: map[string]time.Time{}}
			if tt.patience == 0 {
				a.patience = patience
			}
			a.register()
			var from *contract.Handover
			if tt.takeOver {
				from = &contract.Handover{}
			}
			env.ExecuteWorkflow(workflows.GovernedExecution, envelope("request"), from)
			err := env.GetWorkflowError()
			require.Equal(t, tt.want == "", err == nil, "%v", err)
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
			}
			require.Equal(t, tt.ran, a.count(contract.RunStep))
			require.True(t, len(tt.last) == 0 || slices.Equal(tt.last, a.calls[len(a.calls)-len(tt.last):]), "%v", a.calls)
			for name := range tt.until {
				require.Greater(t, a.count(name), 2, "%s is asked again", name)
				require.Less(t, a.count(name), 25, "%s is not asked without a pause", name)
			}
		})
	}
}
