package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// The run that the SDK's activity test environment says it is in.
var testRun = store.Run{Namespace: "default-test-namespace", Workflow: "default-test-workflow-id", Run: "default-test-run-id"}

const testQueue = "default-test-taskqueue"

const testCatalogue = `version: 1
actions:
  once: {description: Happens once., effect: irreversible, timeout: 30s, args: {type: object, additionalProperties: false, properties: {n: {type: integer}}}, func: f}
  again: {description: May happen again., effect: write, idempotent: true, timeout: 30s, attempts: 2, args: {type: object, additionalProperties: false, properties: {n: {type: integer}, s: {type: string}}}, func: f}
  look: {description: Changes nothing., effect: read, timeout: 30s, attempts: 2, args: {type: object, additionalProperties: false, properties: {n: {type: integer}}}, func: f}
  brief: {description: Is over soon., effect: irreversible, timeout: 20ms, args: {type: object, additionalProperties: false}, func: f}
`

// A guardCase is one call of RunStep: what was decided, what stands in the
// way, and what must come of it.
type guardCase struct {
	name      string
	action    string
	args      string                   // {"n":1} if empty
	change    func(*evidence.Decision) // before it is signed
	signer    string                   // authority if empty
	input     func(*contract.RunInput) // after it was signed
	before    func(*testing.T, *desk)  // what happened earlier
	act       executor.Func            // what the executor does; {"ok":true} if nil
	config    func(*activities.StepsConfig)
	elsewhere bool  // the decision was stored in another store
	attempt   int32 // by Temporal's count; 1 if 0

	status evidence.Status // of the outcome; empty if there must be none
	cause  string          // of the outcome, or the check of the refusal
	errIs  string          // type of the error, where there is no outcome
	calls  int             // of the executor
}

type desk struct {
	store    *store.Store
	decision evidence.Envelope
	calls    int
	about    evidence.Subject
	signed   *evidence.Decision
	during   func() // called when the executor is
	cancel   func() // cancels the activity, as Temporal does
}

func ok(context.Context, executor.Call) (json.RawMessage, error) {
	return json.RawMessage(`{"ok": true}`), nil
}

func failing(e *executor.Error) executor.Func {
	return func(context.Context, executor.Call) (json.RawMessage, error) { return nil, e }
}

// stoppedIdle is an executor that had not begun to act when it was stopped.
func stoppedIdle(ctx context.Context, _ executor.Call) (json.RawMessage, error) {
	<-ctx.Done()
	return nil, &executor.Error{Cause: "x", NoEffect: true}
}

func untilStopped(ctx context.Context, _ executor.Call) (json.RawMessage, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestGuard(t *testing.T) {
	tests := []guardCase{
		{name: "a good decision", action: "once", status: evidence.StatusDone, calls: 1},

		// What is refused before anything is taken.
		{name: "signed by the principal", action: "once", signer: evidencetest.Alice, errIs: contract.ErrTypeRefused, cause: "guard.decision"},
		{name: "signed by a worker", action: "once", signer: evidencetest.Worker, errIs: contract.ErrTypeRefused, cause: "guard.decision"},
		{name: "signed by a retired key", action: "once", signer: evidencetest.Stranger, errIs: contract.ErrTypeRefused, cause: "guard.decision"},
		{name: "a denial", action: "once", change: func(d *evidence.Decision) { d.Effect = evidence.Deny }, errIs: contract.ErrTypeRefused, cause: "guard.decision"},
		{name: "about a request", action: "once", change: func(d *evidence.Decision) { d.Phase = evidence.PhaseAdmit }, errIs: contract.ErrTypeRefused, cause: "guard.decision"},
		{name: "another namespace", action: "once", change: func(d *evidence.Decision) { d.Binding.Namespace = "x" }, errIs: contract.ErrTypeRefused, cause: "guard.binding"},
		{name: "another workflow", action: "once", change: func(d *evidence.Decision) { d.Binding.Workflow = "x" }, errIs: contract.ErrTypeRefused, cause: "guard.binding"},
		{name: "another run", action: "once", change: func(d *evidence.Decision) { d.Binding.Run = "x" }, errIs: contract.ErrTypeRefused, cause: "guard.binding"},
		{name: "another epoch", action: "once", change: func(d *evidence.Decision) { d.Binding.Epoch++ }, errIs: contract.ErrTypeRefused, cause: "guard.binding"},
		{name: "another queue", action: "once", change: func(d *evidence.Decision) { d.Binding.Queue = "x" }, errIs: contract.ErrTypeRefused, cause: "guard.binding"},
		{name: "another catalogue", action: "once", change: func(d *evidence.Decision) { d.Catalogue = evidence.FileDigest(nil) }, errIs: contract.ErrTypeRefused, cause: "guard.catalogue"},
		{name: "an action it cannot do", action: "once", change: func(d *evidence.Decision) { d.Action = "fly" }, errIs: contract.ErrTypeRefused, cause: "guard.action"},
		{name: "other bytes", action: "once", change: func(d *evidence.Decision) { d.Sends = evidence.FileDigest(nil) }, errIs: contract.ErrTypeRefused, cause: "guard.bytes"},
		{name: "any bytes", action: "once", change: func(d *evidence.Decision) { d.Sends = evidence.Digest{} }, errIs: contract.ErrTypeRefused, cause: "guard.bytes"},
		{name: "another idempotency key", action: "once", change: func(d *evidence.Decision) { d.Key = "x" }, errIs: contract.ErrTypeRefused, cause: "guard.arguments"},
		{name: "other arguments", action: "once", input: func(in *contract.RunInput) { in.Args = []byte(`{"n":2}`) }, errIs: contract.ErrTypeRefused, cause: "guard.arguments"},
		{name: "characters that encoders escape", action: "again", args: `{"s":"<a> & b \u2028"}`, status: evidence.StatusDone, calls: 1},
		{name: "the same arguments in other bytes", action: "once", input: func(in *contract.RunInput) { in.Args = []byte(`{"n": 1}`) }, errIs: contract.ErrTypeRefused, cause: "guard.arguments"},
		{name: "no decision", action: "once", input: func(in *contract.RunInput) { in.Decision = evidence.Envelope{} }, errIs: contract.ErrTypeRefused, cause: "guard.decision"},

		// Leases.
		{name: "no live lease", action: "once", change: lapsed, status: evidence.StatusRefused, cause: "lease"},
		{name: "a lease that ends while it runs, may repeat", action: "again", change: soon, act: untilStopped, errIs: contract.ErrTypeAttempt, calls: 1},
		{name: "a lease that ends while it acts once", action: "once", change: soon, act: untilStopped, status: evidence.StatusUnknown, cause: evidence.CauseLapsed, calls: 1},
		{name: "a lease that ends while it runs, without effect", action: "once", change: soon, act: stoppedIdle, status: evidence.StatusCancelled, cause: evidence.CauseLapsed, calls: 1},
		{name: "a lease that ends while the slot is taken", action: "once", change: soon, config: func(c *activities.StepsConfig) { c.Store = slow{c.Store} }, status: evidence.StatusCancelled, cause: evidence.CauseLapsed},
		{name: "a forged renewal", action: "once", change: soon, act: untilStopped, before: renewBy(evidencetest.Worker), status: evidence.StatusUnknown, cause: evidence.CauseLapsed, calls: 1},
		{name: "a real renewal", action: "once", change: lapsed, before: renewBy(evidencetest.Authority), status: evidence.StatusDone, calls: 1},

		// The effect slot.
		{name: "taken and lost", action: "once", before: taken(""), status: evidence.StatusUnknown, cause: "step.interrupted"},
		{name: "taken and lost, may repeat", action: "again", before: taken(""), status: evidence.StatusDone, calls: 1},
		{name: "taken and done", action: "once", before: taken(evidencetest.Worker), status: evidence.StatusDone},
		{name: "taken and done by a stranger", action: "once", before: taken(evidencetest.Stranger), errIs: contract.ErrTypeRefused, cause: "guard.slot"},
		{name: "taken for another decision", action: "once", before: takenForAnother, errIs: contract.ErrTypeRefused, cause: "guard.slot"},
		{name: "sealed meanwhile", action: "again", before: fence, errIs: contract.ErrTypeRefused, cause: "guard.sealed"},
		{name: "another store than the control plane's", action: "once", elsewhere: true, errIs: contract.ErrTypeRefused, cause: "guard.store"},
		{name: "no live lease, but taken", action: "once", change: lapsed, before: taken(""), status: evidence.StatusUnknown, cause: evidence.CauseLapsed},
		{name: "no live lease, but done", action: "once", change: lapsed, before: taken(evidencetest.Worker), status: evidence.StatusDone},
		{name: "a key that has ended", action: "once", signer: evidencetest.Retired, change: func(d *evidence.Decision) { d.At -= 48 * 3600_000 }, errIs: contract.ErrTypeRefused, cause: "guard.decision"},
		{name: "no store", action: "once", before: func(t *testing.T, d *desk) { require.NoError(t, d.store.Close()) }, errIs: contract.ErrTypeStore},

		// The executor.
		{name: "fails once, effect unknown", action: "once", act: failing(&executor.Error{Cause: "x"}), status: evidence.StatusUnknown, cause: "x", calls: 1},
		{name: "fails once, surely without effect", action: "once", act: failing(&executor.Error{Cause: "x", NoEffect: true}), status: evidence.StatusFailed, cause: "x", calls: 1},
		{name: "fails, may repeat", action: "again", act: failing(&executor.Error{Cause: "x"}), errIs: contract.ErrTypeAttempt, calls: 1},
		{name: "fails for good, may repeat", action: "again", act: failing(&executor.Error{Cause: "x", Permanent: true, Answered: true}), status: evidence.StatusFailed, cause: "x", calls: 1},
		{name: "gets no answer, may repeat", action: "again", act: failing(&executor.Error{Cause: "x", Permanent: true}), status: evidence.StatusUnknown, cause: "x", calls: 1},
		{name: "answers too deeply", action: "once", act: answering(strings.Repeat("[", 63) + strings.Repeat("]", 63)), status: evidence.StatusUnknown, cause: "executor.result", calls: 1},
		{name: "an error without a cause", action: "once", act: func(context.Context, executor.Call) (json.RawMessage, error) { return nil, errors.New("secret") }, status: evidence.StatusUnknown, cause: "executor.error", calls: 1},
		{name: "panics", action: "once", act: func(context.Context, executor.Call) (json.RawMessage, error) { panic("secret") }, status: evidence.StatusUnknown, cause: "executor.panic", calls: 1},
		{name: "takes too long", action: "brief", args: `{}`, act: untilStopped, status: evidence.StatusUnknown, cause: "step.timeout", calls: 1},
		{name: "answers with nonsense", action: "once", act: answering(`{"a":`), status: evidence.StatusUnknown, cause: "executor.result", calls: 1},
		{name: "answers with nothing", action: "once", act: answering(``), status: evidence.StatusUnknown, cause: "executor.result", calls: 1},
		{name: "answers twice in one", action: "again", act: answering(`{"a":1,"a":2}`), status: evidence.StatusUnknown, cause: "executor.result", calls: 1},
		{name: "answers too much", action: "once", act: answering(`"` + strings.Repeat("x", activities.MaxResult) + `"`), status: evidence.StatusUnknown, cause: "executor.result", calls: 1},
		{name: "the store is away afterwards", action: "once", act: nil, config: func(c *activities.StepsConfig) { c.Store = forgetful{c.Store} }, status: evidence.StatusDone, calls: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}

// TestStopped has a row for each thing that can be known of a step that was
// stopped while it ran, by each of those that stop one. Nobody repeats it any
// more, so that it can be repeated says nothing about its effect.
func TestStopped(t *testing.T) {
	last := int32(2 + contract.ExtraAttempts) // a step whose lease ends goes back before
	stops := []struct {
		name, cause string
		attempt     int32
		change      func(*evidence.Decision)
		stop        func(*testing.T, *desk)
	}{
		{name: "order", cause: evidence.CauseKilled, change: long, stop: func(t *testing.T, d *desk) {
			give(t, d.store, evidence.Scope{Kind: evidence.ScopeAll})
		}},
		{name: "Temporal", cause: "step.cancelled", change: long, stop: func(_ *testing.T, d *desk) { d.cancel() }},
		{name: "lease", cause: evidence.CauseLapsed, change: soon, attempt: last, stop: func(*testing.T, *desk) {}},
	}
	kinds := []struct {
		name, action string
		act          executor.Func
		attempt      int32 // at least
		status       evidence.Status
	}{
		{name: "a write that can be repeated", action: "again", act: untilStopped, status: evidence.StatusUnknown},
		{name: "a write that can be repeated, without effect", action: "again", act: stoppedIdle, status: evidence.StatusCancelled},
		{name: "a write that can be repeated, without effect the second time", action: "again", attempt: 2, act: stoppedIdle, status: evidence.StatusUnknown},
		{name: "a write", action: "once", act: untilStopped, status: evidence.StatusUnknown},
		{name: "a write without effect", action: "once", attempt: 2, act: stoppedIdle, status: evidence.StatusCancelled},
		{name: "a read", action: "look", attempt: 2, act: untilStopped, status: evidence.StatusCancelled},
	}
	for _, s := range stops {
		for _, k := range kinds {
			tt := guardCase{action: k.action, act: k.act, change: s.change, attempt: max(s.attempt, k.attempt), status: k.status, cause: s.cause, calls: 1}
			if tt.attempt > 1 && k.action == "again" {
				tt.status = evidence.StatusUnknown // of the attempts before it
			}
			tt.before = func(t *testing.T, d *desk) { d.during = func() { s.stop(t, d) } }
			t.Run(s.name+", "+k.name, func(t *testing.T) {
				t.Parallel()
				tt.run(t)
			})
		}
	}
}

func (tt guardCase) run(t *testing.T) {
	cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
	require.NoError(t, err)
	st, err := store.Open(t.Context(), t.TempDir()+"/evidence.db")
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	d := &desk{store: st}
	in := d.decide(t, tt, cat)
	if tt.before != nil {
		tt.before(t, d)
	}
	if tt.input != nil {
		tt.input(&in)
	}
	out, err := d.call(t, tt, cat, in)
	require.Equal(t, tt.calls, d.calls, "calls of the executor")
	if tt.errIs != "" {
		requireRefusal(t, tt, err)
		return
	}
	require.NoError(t, err)
	rec, err := trust(t).Open(out.Outcome)
	require.NoError(t, err)
	o := rec.Predicate.(*evidence.Outcome)
	require.Equal(t, tt.status, o.Status)
	require.Equal(t, tt.status, out.Status)
	require.Equal(t, tt.cause, o.Cause)
	require.Equal(t, d.decision.Digest(), o.Decision)
	require.NotContains(t, string(out.Outcome.Payload), "secret", "error texts stay out of evidence")
}

func requireRefusal(t *testing.T, tt guardCase, err error) {
	t.Helper()
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "%v", err)
	require.Equal(t, tt.errIs, app.Type())
	require.Equal(t, tt.errIs == contract.ErrTypeRefused, app.NonRetryable())
	if tt.cause != "" {
		var cause contract.Cause
		require.NoError(t, app.Details(&cause))
		require.Equal(t, tt.cause, cause.Check)
	}
}

// decide makes the decision of a case.
func (d *desk) decide(t *testing.T, tt guardCase, cat *catalogue.Catalogue) contract.RunInput {
	args := json.RawMessage(`{"n":1}`)
	if tt.args != "" {
		args = json.RawMessage(tt.args)
	}
	now := evidence.TimeOf(time.Now())
	request := evidence.ValueDigest([]byte("request"))
	d.about = evidence.Subject{Execution: testRun.Workflow, Digest: request}
	d.signed = &evidence.Decision{
		At: now, Phase: evidence.PhaseStep, Request: request, Grant: evidence.ValueDigest([]byte("grant")),
		Binding: evidence.Binding{Namespace: testRun.Namespace, Workflow: testRun.Workflow, Run: testRun.Run, Epoch: 1, Queue: testQueue},
		Step:    "s", Action: tt.action, Args: evidence.ValueDigest(args), Sends: evidence.ValueDigest(args), Effect: evidence.Allow, Cause: "policy.allow",
		Catalogue: cat.Digest(), Lease: evidence.Lease{Number: 1, Until: now.Add(time.Hour), Nonce: strings.Repeat("1", 32)}, Key: evidence.IdempotencyKey(request, "s"),
	}
	if tt.change != nil {
		tt.change(d.signed)
	}
	signer := tt.signer
	if signer == "" {
		signer = evidencetest.Authority
	}
	var err error
	d.decision, err = evidencetest.Signer(signer).Sign(d.about, d.signed)
	require.NoError(t, err)
	if !tt.elsewhere {
		_, err = d.store.Begin(t.Context(), testRun, nil, d.decision)
		require.NoError(t, err)
	}
	return contract.RunInput{Decision: d.decision, Args: args}
}

func (d *desk) call(t *testing.T, tt guardCase, cat *catalogue.Catalogue, in contract.RunInput) (*contract.RunOutput, error) {
	act := tt.act
	if act == nil {
		act = ok
	}
	counted := executor.Func(func(ctx context.Context, c executor.Call) (json.RawMessage, error) {
		d.calls++
		if d.during != nil {
			d.during()
		}
		return act(ctx, c)
	})
	c := activities.StepsConfig{
		Trust: trust(t), Worker: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker,
		Catalogue: cat, Store: d.store, Log: zap.NewNop(), Poll: 10 * time.Millisecond, Wait: 50 * time.Millisecond,
		Executors: map[string]executor.Executor{"once": counted, "again": counted, "brief": counted, "look": counted},
		Process:   self, Probes: []activities.Probe{healthy()}, Reach: reachable,
	}
	if tt.config != nil {
		tt.config(&c)
	}
	steps, err := activities.NewSteps(c)
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	defer cancel(nil)
	d.cancel = func() { cancel(temporal.NewCanceledError()) }
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx, Interceptors: []interceptor.WorkerInterceptor{&counting{attempt: tt.attempt}}})
	env.RegisterActivity(steps.RunStep)
	value, err := env.ExecuteActivity(steps.RunStep, in)
	if err != nil {
		return nil, err
	}
	var out contract.RunOutput
	require.NoError(t, value.Get(&out))
	return &out, nil
}

// counting says of an activity that it is a later attempt.
type counting struct {
	interceptor.WorkerInterceptorBase
	attempt int32 // 0: as it is
}

func (c *counting) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &countingInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, c.attempt}
}

type countingInbound struct {
	interceptor.ActivityInboundInterceptorBase
	attempt int32
}

func (c *countingInbound) Init(out interceptor.ActivityOutboundInterceptor) error {
	return c.Next.Init(&countingOutbound{interceptor.ActivityOutboundInterceptorBase{Next: out}, c.attempt})
}

type countingOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	attempt int32
}

func (c *countingOutbound) GetInfo(ctx context.Context) activity.Info {
	info := c.Next.GetInfo(ctx)
	if c.attempt > 0 {
		info.Attempt = c.attempt
	}
	return info
}

func trust(t *testing.T) *evidence.Trust {
	t.Helper()
	keys := evidencetest.Keys()
	for i := range keys {
		keys[i].From, keys[i].Until = evidence.TimeOf(time.Now().Add(-72*time.Hour)), 0
		if keys[i].Name == evidencetest.Retired {
			keys[i].Until = evidence.TimeOf(time.Now().Add(-24 * time.Hour))
		}
	}
	root, err := evidence.NewTrust(evidencetest.Domain, keys)
	require.NoError(t, err)
	return root
}

// self is what the guard of these tests says that it is.
var self = evidence.Process{Executable: evidence.FileDigest([]byte("guard")), Roles: "steps"}

func reachable(context.Context, activity.Info, *commonpb.Payloads) error { return nil }

func healthy() activities.Probe {
	return activities.Probe{Name: "p", Quick: true, Measure: func(context.Context, activities.Pinned) (string, string, error) { return "a", "a", nil }}
}

func lapsed(d *evidence.Decision) { d.Lease.Until = d.At - 1000 }

func soon(d *evidence.Decision) { d.Lease.Until = d.At + 3000 }

func answering(s string) executor.Func {
	return func(context.Context, executor.Call) (json.RawMessage, error) { return json.RawMessage(s), nil }
}

// renewBy puts a renewal of the lease into the store, signed by name.
func renewBy(name string) func(*testing.T, *desk) {
	return func(t *testing.T, d *desk) {
		now := evidence.TimeOf(time.Now())
		lease := evidence.Lease{Number: 2, Until: now.Add(time.Hour), Nonce: strings.Repeat("2", 32)}
		e, err := evidencetest.Signer(name).Sign(d.about, &evidence.Signal{
			At: now, From: now, Grant: d.signed.Grant, Binding: d.signed.Binding, Number: 1, Measured: 1,
			Probes: []evidence.Probe{{Name: "p", Status: evidence.ProbeOK}}, Lease: lease,
		})
		require.NoError(t, err)
		require.NoError(t, d.store.Renew(t.Context(), testRun, lease, e))
	}
}

// taken takes the effect slot for the decision, and finishes it with an
// outcome signed by name, if there is one.
func taken(name string) func(*testing.T, *desk) {
	return func(t *testing.T, d *desk) {
		_, err := d.store.Take(t.Context(), store.Slot{Run: testRun, Step: "s", Decision: d.decision.Digest(), Key: d.signed.Key, Worker: evidencetest.Worker, At: d.signed.At})
		require.NoError(t, err)
		if name == "" {
			return
		}
		e, err := evidencetest.Signer(name).Sign(d.about, &evidence.Outcome{
			Decision: d.decision.Digest(), Binding: d.signed.Binding, Step: "s", Action: d.signed.Action, Worker: evidencetest.Worker,
			Attempt: 1, Started: d.signed.At, At: d.signed.At, Status: evidence.StatusDone, Result: []byte(`1`),
		})
		require.NoError(t, err)
		require.NoError(t, d.store.Finish(t.Context(), testRun, "s", e))
	}
}

// fence takes the slot as the recorder does when it seals.
func fence(t *testing.T, d *desk) {
	_, err := d.store.Fence(t.Context(), store.Slot{Run: testRun, Step: "s", Decision: d.decision.Digest(), Key: d.signed.Key, Worker: "(sealed)", At: d.signed.At})
	require.NoError(t, err)
}

func takenForAnother(t *testing.T, d *desk) {
	_, err := d.store.Fence(t.Context(), store.Slot{Run: testRun, Step: "s", Decision: evidence.FileDigest(nil), Key: d.signed.Key, Worker: evidencetest.Worker, At: d.signed.At})
	require.NoError(t, err)
}

// forgetful is a store that is away after the effect.
type forgetful struct{ activities.Effects }

func (forgetful) Finish(context.Context, store.Run, string, evidence.Envelope) error {
	return store.ErrUnavailable
}

// slow is a store that takes longer for a slot than a lease lasts.
type slow struct{ activities.Effects }

func (s slow) Take(ctx context.Context, slot store.Slot) (store.Slot, error) {
	time.Sleep(3500 * time.Millisecond)
	return s.Effects.Take(ctx, slot)
}
