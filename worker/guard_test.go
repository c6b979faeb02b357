package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// teamCatalogue names the activities of a team, and a function besides.
const teamCatalogue = `version: 1
actions:
  desk.pay: {effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false, required: [order, amount], properties: {order: {type: string}, amount: {type: integer}}}, activity: Pay}
  desk.forbidden: {effect: write, timeout: 10s, args: {type: object, additionalProperties: false}, activity: Forbidden}
  desk.count: {effect: write, idempotent: true, attempts: 3, backoff: 10ms, timeout: 20s, args: {type: object, additionalProperties: false, properties: {order: {type: string}}}, activity: Count}
  desk.end: {effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false, required: [how], properties: {how: {type: string}}}, activity: End}
  desk.extra: {effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false, properties: {order: {type: string}, gift: {type: boolean}}}, activity: Extra}
  desk.two: {effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false}, activity: Two}
  desk.gone: {effect: write, idempotent: true, backoff: 10ms, timeout: 10s, args: {type: object, additionalProperties: false}, activity: NobodyRegisteredThis}
  desk.hold: {effect: irreversible, timeout: 60s, heartbeat: 5s, args: {type: object, additionalProperties: false}, activity: Hold}
  desk.read: {effect: read, timeout: 10s, args: {type: object, additionalProperties: false}, func: do}
`

// A team is a Temporal worker with ordinary activities, and what they did.
type team struct {
	f       *workertest.Fixture
	mu      sync.Mutex
	effects []string
	keys    map[string]bool
	held    chan struct{}
	freed   chan error // why the context of Hold ended
	let     chan struct{}
}

type purchase struct {
	Order  string `json:"order"`
	Amount int    `json:"amount"`
}

type payment struct {
	Order string `json:"order"`
	Note  string `json:"note"`
}

func (m *team) did(ctx context.Context, what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.effects = append(m.effects, what)
	if c, ok := executor.CallFrom(ctx); ok {
		m.keys[c.Key] = true
	}
}

func (m *team) done() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.effects...)
}

func (m *team) Pay(ctx context.Context, o purchase) (payment, error) {
	m.did(ctx, fmt.Sprintf("pay %s %d", o.Order, o.Amount))
	return payment{Order: o.Order, Note: "<&>"}, nil
}

func (m *team) Forbidden(ctx context.Context, _ purchase) error { m.did(ctx, "forbidden"); return nil }

// Count fails twice. The third attempt goes on from where the heartbeats of
// the first say that it was.
func (m *team) Count(ctx context.Context, o *purchase) error {
	at := 0
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &at); err != nil {
			return err
		}
	}
	attempt := activity.GetInfo(ctx).Attempt
	if attempt == 1 {
		activity.RecordHeartbeat(ctx, 7)
	}
	if attempt < 3 {
		time.Sleep(300 * time.Millisecond) // the guard's own heartbeats come in between
		return errors.New("not yet")
	}
	m.did(ctx, fmt.Sprintf("count %s %d", o.Order, at))
	return nil
}

func (m *team) End(ctx context.Context, in struct{ How string }) error {
	m.did(ctx, in.How)
	switch in.How {
	case "known":
		return fmt.Errorf("wrapped: %w", &executor.Error{Cause: "bank.closed", NoEffect: true})
	case "final":
		return temporal.NewNonRetryableApplicationError("no", "Bank", nil)
	case "panic":
		panic("secret")
	case "pending":
		return activity.ErrResultPending
	}
	return errors.New("secret")
}

func (m *team) Extra(ctx context.Context, _ purchase) error { m.did(ctx, "extra"); return nil }

func (m *team) Two(ctx context.Context, _, _ purchase) error { m.did(ctx, "two"); return nil }

func (m *team) Hold(ctx context.Context, _ purchase) error {
	m.did(ctx, "hold")
	m.held <- struct{}{}
	select {
	case <-m.let:
		return nil
	case <-ctx.Done():
		m.freed <- context.Cause(ctx)
		return ctx.Err()
	}
}

// newTeam starts a control plane and a team's worker with the guard on the
// queue of the steps.
func newTeam(t *testing.T, options ...workertest.Option) *team {
	t.Helper()
	options = append([]workertest.Option{
		func(f *workertest.Fixture) { f.Write("actions.yaml", teamCatalogue); f.Config.Steps = nil },
	}, options...)
	m := &team{
		f: workertest.New(t, options...), keys: map[string]bool{},
		held: make(chan struct{}, 16), freed: make(chan error, 16), let: make(chan struct{}),
	}
	m.work(t, m.f.Config.Queues.Steps, m.guard(t))
	return m
}

// guard is the one line.
func (m *team) guard(t *testing.T) *worker.Guard {
	t.Helper()
	guard, err := worker.NewGuard(t.Context(), m.guardConfig())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, guard.Close()) })
	return guard
}

func (m *team) guardConfig() worker.GuardConfig {
	return worker.GuardConfig{
		Trust: m.f.Trust, Key: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker,
		Catalogue: m.f.Config.Catalogue, Store: m.f.Config.Store, Log: m.f.Config.Log, Funcs: m.f.World.Funcs(),
	}
}

// work starts the team's worker, with the SDK's default options but for the
// guard, and without that if it is nil.
func (m *team) work(t *testing.T, queue string, guard *worker.Guard) {
	t.Helper()
	var o sdk.Options
	if guard != nil {
		o.Interceptors = []interceptor.WorkerInterceptor{guard}
	}
	w := sdk.New(m.f.Client, queue, o)
	if guard != nil {
		guard.Register(w)
	}
	for _, fn := range []any{m.Pay, m.Forbidden, m.Count, m.End, m.Extra, m.Two, m.Hold} {
		w.RegisterActivity(fn)
	}
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteLocalActivity(ctx, m.Pay, purchase{"local", 1}).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "locally"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

// TestGuardedActivities: what a team's plain activities do becomes the outcome
// of steps.
func TestGuardedActivities(t *testing.T) {
	m := newTeam(t)
	step := workertest.Step
	end := func(how string) []evidence.Step {
		return []evidence.Step{step("a", "desk.end", `{"how":"`+how+`"}`), step("b", "desk.pay", `{"order":"never","amount":1}`, "a")}
	}
	tests := []struct {
		name    string
		steps   []evidence.Step
		want    evidence.Verdict
		cause   string
		effects []string
	}{
		{name: "completed", want: evidence.Completed, cause: "completed", effects: []string{"pay <1> 7", "pay 2 8"}, steps: []evidence.Step{
			step("a", "desk.pay", `{"order":"<1>","amount":7}`), step("b", "desk.read", `{}`, "a"), step("c", "desk.pay", `{"order":"2","amount":8}`, "b"),
		}},
		{name: "denied", want: evidence.Denied, cause: "policy.deny", effects: []string{"pay 1 7"}, steps: []evidence.Step{
			step("a", "desk.pay", `{"order":"1","amount":7}`), step("b", "desk.forbidden", `{}`, "a"), step("c", "desk.pay", `{"order":"2","amount":8}`, "b"),
		}},
		{name: "tried again, with its own heartbeats", want: evidence.Completed, cause: "completed", effects: []string{"count 1 7"}, steps: []evidence.Step{
			step("a", "desk.count", `{"order":"1"}`),
		}},
		{name: "an error", want: evidence.Unresolved, cause: "activity.error", effects: []string{"plain"}, steps: end("plain")},
		{name: "an error that says more", want: evidence.Failed, cause: "bank.closed", effects: []string{"known"}, steps: end("known")},
		{name: "an error that is final", want: evidence.Unresolved, cause: "activity.error", effects: []string{"final"}, steps: end("final")},
		{name: "a panic", want: evidence.Unresolved, cause: "executor.panic", effects: []string{"panic"}, steps: end("panic")},
		{name: "a result that comes later", want: evidence.Unresolved, cause: "activity.async", effects: []string{"pending"}, steps: end("pending")},
		{name: "an argument that the activity does not know", want: evidence.Failed, cause: "activity.argument", steps: []evidence.Step{
			step("a", "desk.extra", `{"order":"1","gift":true}`),
		}},
		{name: "an activity of two arguments", want: evidence.Failed, cause: "activity.argument", steps: []evidence.Step{step("a", "desk.two", `{}`)}},
		{name: "an activity that is not registered", want: evidence.Halted, cause: "step.no_outcome", steps: []evidence.Step{step("a", "desk.gone", `{}`)}},
		{name: "arguments of another type", want: evidence.Denied, cause: "action.args", steps: []evidence.Step{step("a", "desk.pay", `{"order":"1","amount":"7"}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(m.done())
			run := m.f.Begin(tt.steps...)
			report := m.f.Verified(run)
			require.Equal(t, []any{tt.want, tt.cause}, []any{report.Verdict, report.Cause})
			require.Equal(t, append([]string{}, tt.effects...), m.done()[before:])
			for _, e := range m.f.Proof(run).Records {
				require.NotContains(t, string(e.Payload), "secret", "error texts stay out of evidence")
			}
		})
	}
	require.Len(t, m.f.World.Effects(), 1, "the function behind the same guard")
	require.Len(t, m.keys, 9, "each step has a key of its own")
}

// TestGuardedActivityResult: the result stands in the signed outcome.
func TestGuardedActivityResult(t *testing.T) {
	m := newTeam(t)
	run := m.f.Begin(workertest.Step("a", "desk.pay", `{"order":"1","amount":7}`))
	require.Equal(t, evidence.Completed, m.f.Verified(run).Verdict)
	for _, e := range m.f.Proof(run).Records {
		rec, err := m.f.Trust.Open(e)
		require.NoError(t, err)
		if o, ok := rec.Predicate.(*evidence.Outcome); ok {
			require.JSONEq(t, `{"order":"1","note":"<&>"}`, string(o.Result))
			require.Equal(t, evidencetest.Worker, o.Worker)
			return
		}
	}
	t.Fatal("no outcome")
}

// TestGuardedActivityEndsWithItsLease: with the control plane gone, the
// context of a plain activity ends, although nobody cancels it.
func TestGuardedActivityEndsWithItsLease(t *testing.T) {
	m := newTeam(t, workertest.WithTerms(evidence.Terms{LeaseMS: 3000, IntervalMS: 100, WindowMS: 500}))
	run := m.f.Begin(workertest.Step("a", "desk.hold", `{}`))
	<-m.held
	m.f.Stop()
	stopped := time.Now()
	require.ErrorContains(t, <-m.freed, "lease")
	require.Less(t, time.Since(stopped), 10*time.Second)
	m.f.Start()
	report := m.f.Verified(run)
	require.Equal(t, evidence.Unresolved, report.Verdict)
	require.Equal(t, []string{"hold"}, m.done())
}

// TestWorkerRegistersActivities: a worker of this package runs a team's
// activities behind the same guard, and does not start without them.
func TestWorkerRegistersActivities(t *testing.T) {
	m := &team{keys: map[string]bool{}}
	f := workertest.New(t, func(f *workertest.Fixture) {
		f.Write("actions.yaml", teamCatalogue)
		f.Config.Steps.Activities = func(r sdk.ActivityRegistry) { r.RegisterActivity(m.Pay) }
	})
	require.Equal(t, evidence.Completed, f.Verified(f.Begin(workertest.Step("a", "desk.pay", `{"order":"1","amount":7}`))).Verdict)
	require.Equal(t, []string{"pay 1 7"}, m.done())

	c := f.Config
	c.Steps = &worker.Steps{Key: c.Steps.Key, Name: c.Steps.Name, Funcs: c.Steps.Funcs}
	c.Store = t.TempDir() + "/evidence.db"
	_, err := worker.New(t.Context(), c)
	require.ErrorIs(t, err, worker.ErrConfig)
	require.ErrorContains(t, err, "the action desk.count names the activity Count, which nobody registers")
}

// TestGuardRefusesHoles: each row takes one thing away. (T23)
func TestGuardRefusesHoles(t *testing.T) {
	m := newTeam(t)
	tests := []struct {
		name   string
		change func(*worker.GuardConfig)
		want   string
	}{
		{"nothing", func(c *worker.GuardConfig) { *c = worker.GuardConfig{} }, "trust root"},
		{"no trust root", func(c *worker.GuardConfig) { c.Trust = nil }, "trust root"},
		{"no key", func(c *worker.GuardConfig) { c.Key = nil }, "worker key"},
		{"another worker's name", func(c *worker.GuardConfig) { c.Name = evidencetest.OtherWorker }, "belongs to"},
		{"an authority's key", func(c *worker.GuardConfig) { c.Key = evidencetest.Signer(evidencetest.Authority) }, "not worker"},
		{"no catalogue", func(c *worker.GuardConfig) { c.Catalogue = "" }, "catalogue"},
		{"a catalogue that is not there", func(c *worker.GuardConfig) { c.Catalogue += ".gone" }, "no such file"},
		{"no store", func(c *worker.GuardConfig) { c.Store = "" }, "evidence store"},
		{"a store that is a folder", func(c *worker.GuardConfig) { c.Store = m.f.Dir }, "store"},
		{"no function for an action that is one", func(c *worker.GuardConfig) { c.Funcs = nil }, "function"},
		{"no logger", func(c *worker.GuardConfig) { c.Log = nil }, "logger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := m.guardConfig()
			tt.change(&c)
			g, err := worker.NewGuard(t.Context(), c)
			require.Nil(t, g)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
