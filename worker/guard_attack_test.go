package worker_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// stamping puts a header on every activity that a workflow calls, as an
// attacker's own worker can.
type stamping struct {
	interceptor.WorkerInterceptorBase
	stamp func(workflow.Context) *commonpb.Payload
}

func (s *stamping) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &stampIn{interceptor.WorkflowInboundInterceptorBase{Next: next}, s}
}

type stampIn struct {
	interceptor.WorkflowInboundInterceptorBase
	s *stamping
}

func (i *stampIn) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&stampOut{interceptor.WorkflowOutboundInterceptorBase{Next: out}, i.s})
}

type stampOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	s *stamping
}

func (o *stampOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if p := o.s.stamp(ctx); p != nil {
		interceptor.WorkflowHeader(ctx)[contract.HeaderDecision] = p
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

// call calls an activity from a workflow of the attacker's own, with the header
// that stamp makes.
func (m *team) call(t *testing.T, queue, activity string, stamp func(workflow.Context) *commonpb.Payload) error {
	t.Helper()
	own := "attack-" + workertest.Random()
	w := sdk.New(m.f.Client, own, sdk.Options{Interceptors: []interceptor.WorkerInterceptor{&stamping{stamp: stamp}}})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: queue, StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		})
		return workflow.ExecuteActivity(ctx, activity, order{"stolen", 1}).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "attack"})
	require.NoError(t, w.Start())
	defer w.Stop()
	run, err := m.f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: own}, "attack")
	require.NoError(t, err)
	return run.Get(t.Context(), nil)
}

func requireRefused(t *testing.T, err error, check string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "the guard let it through: %v", err)
	require.Equal(t, contract.ErrTypeRefused, app.Type())
	require.True(t, app.NonRetryable())
	var cause contract.Cause
	require.NoError(t, app.Details(&cause))
	require.Equal(t, check, cause.Check)
}

func header(t *testing.T, in contract.RunInput) *commonpb.Payload {
	t.Helper()
	data, err := json.Marshal(in)
	require.NoError(t, err)
	return raw(string(data))
}

func raw(data string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(data)}
}

// always stamps the same header, or none.
func always(p *commonpb.Payload) func(workflow.Context) *commonpb.Payload {
	return func(workflow.Context) *commonpb.Payload { return p }
}

// TestT08T10T25ActivitiesAreGuarded: an activity behind the guard does nothing
// but steps of governed executions, whoever calls it and how.
func TestT08T10T25ActivitiesAreGuarded(t *testing.T) {
	m := newTeam(t)
	other := "other-" + workertest.Random()
	m.work(t, other, m.guard(t))
	run := m.f.Begin(workertest.Step("a", "desk.hold", `{}`), workertest.Step("b", "desk.pay", `{"order":"1","amount":1}`, "a"))
	<-m.held
	stolen, d, about := decisionOf(t, m.f, run, "a")
	input := contract.RunInput{Decision: stolen, Args: []byte(`{}`)}
	// forged is a decision as the attacker would like it, about his own run.
	forged := func(signer string, change func(*evidence.Decision)) func(workflow.Context) *commonpb.Payload {
		return func(ctx workflow.Context) *commonpb.Payload {
			mine, my := *d, workflow.GetInfo(ctx).WorkflowExecution
			mine.Binding.Workflow, mine.Binding.Run = my.ID, my.RunID
			change(&mine)
			e, err := evidencetest.Signer(signer).Sign(evidence.Subject{Execution: my.ID, Digest: about.Digest}, &mine)
			require.NoError(t, err)
			return header(t, contract.RunInput{Decision: e, Args: []byte(`{}`)})
		}
	}
	nothing := func(*evidence.Decision) {}
	steps := m.f.Config.Queues.Steps
	tests := []struct {
		name     string
		queue    string
		activity string
		stamp    func(workflow.Context) *commonpb.Payload
		want     string
	}{
		{"no header", steps, "Pay", always(nil), "guard.decision"},
		{"an empty header", steps, "Pay", always(&commonpb.Payload{}), "guard.decision"},
		{"a header that is nothing", steps, "Pay", always(raw(`null`)), "guard.decision"},
		{"a header with more", steps, "Pay", always(raw(`{"more":1}`)), "guard.decision"},
		{"a header without a decision", steps, "Pay", always(header(t, contract.RunInput{})), "guard.decision"},
		{"a header of another run", steps, "Hold", always(header(t, input)), "guard.binding"},
		{"a header of another run, for another activity", steps, "Pay", always(header(t, input)), "guard.binding"},
		{"signed by a stranger", steps, "Hold", forged(evidencetest.Stranger, nothing), "guard.decision"},
		{"signed by the principal", steps, "Hold", forged(evidencetest.Alice, nothing), "guard.decision"},
		{"signed by the worker", steps, "Hold", forged(evidencetest.Worker, nothing), "guard.decision"},
		{"a denial", steps, "Hold", forged(evidencetest.Authority, func(d *evidence.Decision) { d.Effect, d.Lease = evidence.Deny, evidence.Lease{} }), "guard.decision"},
		{"on another queue", other, "Hold", forged(evidencetest.Authority, nothing), "guard.binding"},
		{"no header, on another queue", other, "Pay", always(nil), "guard.decision"},
		{"a decision on another activity", steps, "Pay", forged(evidencetest.Authority, nothing), "guard.action"},
		{"a decision on what is no activity", steps, "Pay", forged(evidencetest.Authority, func(d *evidence.Decision) { d.Action = "desk.read" }), "guard.action"},
		{"a run that no control plane began", steps, "Hold", forged(evidencetest.Authority, nothing), "guard.store"},
		{"an activity as a step of RunStep", steps, contract.RunStep, always(header(t, input)), "guard.decision"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireRefused(t, m.call(t, tt.queue, tt.activity, tt.stamp), tt.want)
		})
	}
	t.Run("RunStep with the decision on an activity", func(t *testing.T) {
		require.Equal(t, "guard.binding", attack(t, m.f, input).Check)
	})
	t.Run("a local activity", func(t *testing.T) {
		run, err := m.f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: steps}, "locally")
		require.NoError(t, err)
		requireRefused(t, run.Get(t.Context(), nil), "guard.decision")
	})
	require.Equal(t, []string{"hold"}, m.done(), "nothing was done by any of that")

	unguarded := "unguarded-" + workertest.Random()
	m.work(t, unguarded, nil)
	require.NoError(t, m.call(t, unguarded, "Pay", always(nil)))
	require.Equal(t, []string{"hold", "pay stolen 1"}, m.done(), "without the guard the same call pays")

	close(m.let)
	require.Equal(t, evidence.Completed, m.f.Verified(run).Verdict, "the real execution is none the worse")
	require.Equal(t, []string{"hold", "pay stolen 1", "pay 1 1"}, m.done())
}

// TestT25StandaloneActivityIsRefused starts an activity without a workflow,
// with and without a decision that somebody stole.
func TestT25StandaloneActivityIsRefused(t *testing.T) {
	m := newTeam(t)
	run := m.f.Begin(workertest.Step("a", "desk.hold", `{}`))
	<-m.held
	stolen, _, _ := decisionOf(t, m.f, run, "a")
	headers := map[string]*commonpb.Header{
		"guard.decision": nil,
		"guard.binding": {Fields: map[string]*commonpb.Payload{
			contract.HeaderDecision: header(t, contract.RunInput{Decision: stolen, Args: []byte(`{}`)}),
		}},
	}
	for check, h := range headers {
		id := "standalone-" + workertest.Random()
		start := &workflowservice.StartActivityExecutionRequest{
			Namespace: "default", ActivityId: id, RequestId: id, ActivityType: &commonpb.ActivityType{Name: "Hold"},
			TaskQueue: &taskqueuepb.TaskQueue{Name: m.f.Config.Queues.Steps}, Header: h,
			Input:       &commonpb.Payloads{Payloads: []*commonpb.Payload{raw(`{}`)}},
			RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 1},
		}
		set(&start.StartToCloseTimeout).Seconds = 60
		_, err := m.f.Client.WorkflowService().StartActivityExecution(t.Context(), start)
		var unknown *serviceerror.Unimplemented
		if errors.As(err, &unknown) {
			close(m.let)
			m.f.Verified(run)
			t.Skip("this Temporal server has no standalone activities")
		}
		require.NoError(t, err)
		handle := m.f.Client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: id})
		requireRefused(t, handle.Get(t.Context(), nil), check)
	}
	close(m.let)
	require.Equal(t, evidence.Completed, m.f.Verified(run).Verdict)
	require.Equal(t, []string{"hold"}, m.done())
}

// set fills a field whose type this module does not import.
func set[T any](field **T) *T { *field = new(T); return *field }
