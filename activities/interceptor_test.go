package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	sdk "go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

const activityCatalogue = `version: 1
actions:
  pay: {effect: irreversible, timeout: 30s, args: {type: object, additionalProperties: false, properties: {n: {type: integer}, s: {type: string}}}, activity: Pay}
  func: {effect: irreversible, timeout: 30s, args: {type: object, additionalProperties: false, properties: {n: {type: integer}}}, func: f}
`

// A teamCase is one call of a team's activity behind the guard.
type teamCase struct {
	name   string
	fn     func(*seen) any                     // the activity
	as     string                              // its type; Pay if empty
	action string                              // that was decided; pay if empty
	sent   any                                 // the input of the call; {"n":2} if nil
	header func(*testing.T, *commonpb.Payload) // changes the header
	none   bool                                // there is no header
	local  bool

	got    string          // what the activity was called with; empty if it must not be
	status evidence.Status // of the outcome; empty if it is refused
	cause  string          // of the outcome, or the check of the refusal
	result string
}

// seen is what an activity saw.
type seen struct {
	got  string
	call executor.Call
}

func (s *seen) saw(ctx context.Context, v any) {
	raw, _ := json.Marshal(v)
	s.got = string(raw)
	s.call, _ = executor.CallFrom(ctx)
}

type number struct {
	N int `json:"n"`
}

func takesStruct(s *seen) any {
	return func(ctx context.Context, in number) (number, error) { s.saw(ctx, in); return in, nil }
}

func TestInterceptor(t *testing.T) {
	tests := []teamCase{
		{name: "the decided arguments, whatever was sent", fn: takesStruct, got: `{"n":1}`, status: evidence.StatusDone, result: `{"n":1}`},
		{name: "a pointer, and no result", fn: func(s *seen) any {
			return func(ctx context.Context, in *number) error { s.saw(ctx, in); return nil }
		}, got: `{"n":1}`, status: evidence.StatusDone, result: `null`},
		{name: "raw bytes", fn: func(s *seen) any {
			return func(ctx context.Context, in json.RawMessage) (string, error) { s.saw(ctx, in); return "<>", nil }
		}, got: `{"n":1}`, status: evidence.StatusDone, result: `"<>"`},
		{name: "a map", fn: func(s *seen) any {
			return func(ctx context.Context, in map[string]any) error { s.saw(ctx, in); return nil }
		}, got: `{"n":1}`, status: evidence.StatusDone, result: `null`},
		{name: "an interface", fn: func(s *seen) any {
			return func(ctx context.Context, in any) error { s.saw(ctx, in); return nil }
		}, got: `{"n":1}`, status: evidence.StatusDone, result: `null`},
		{name: "an interface that was sent a text", sent: "x", fn: func(s *seen) any {
			return func(ctx context.Context, in any) error { s.saw(ctx, in); return nil }
		}, status: evidence.StatusFailed, cause: "activity.argument"},
		{name: "a pointer that was sent nothing", sent: (*number)(nil), fn: func(s *seen) any {
			return func(ctx context.Context, in *number) error { s.saw(ctx, in); return nil }
		}, status: evidence.StatusFailed, cause: "activity.argument"},
		{name: "no argument", fn: func(s *seen) any {
			return func(ctx context.Context) error { s.saw(ctx, nil); return nil }
		}, status: evidence.StatusFailed, cause: "activity.argument"},
		{name: "a field that it does not know", fn: func(s *seen) any {
			return func(ctx context.Context, in struct{ S string }) error { s.saw(ctx, in); return nil }
		}, status: evidence.StatusFailed, cause: "activity.argument"},
		{name: "a result that is no JSON", fn: func(s *seen) any {
			return func(ctx context.Context, in number) (any, error) { s.saw(ctx, in); return func() {}, nil }
		}, got: `{"n":1}`, status: evidence.StatusUnknown, cause: "executor.result"},
		{name: "an error that wraps what is known", fn: func(s *seen) any {
			return func(ctx context.Context, in number) error {
				s.saw(ctx, in)
				return errors.Join(errors.New("secret"), &executor.Error{Cause: "x", NoEffect: true})
			}
		}, got: `{"n":1}`, status: evidence.StatusFailed, cause: "x"},
		{name: "an error without a cause", fn: func(s *seen) any {
			return func(ctx context.Context, in number) error { s.saw(ctx, in); return &executor.Error{NoEffect: true} }
		}, got: `{"n":1}`, status: evidence.StatusUnknown, cause: "activity.error"},

		{name: "no header", none: true, fn: takesStruct, cause: "guard.decision"},
		{name: "another header", fn: takesStruct, header: func(_ *testing.T, p *commonpb.Payload) { p.Data = []byte(`{}`) }, cause: "guard.decision"},
		{name: "something after the header", fn: takesStruct, header: func(_ *testing.T, p *commonpb.Payload) { p.Data = append(p.Data, '1') }, cause: "guard.decision"},
		{name: "other arguments in the header", fn: takesStruct, header: func(t *testing.T, p *commonpb.Payload) {
			var in contract.RunInput
			require.NoError(t, json.Unmarshal(p.Data, &in))
			in.Args = []byte(`{"n":2}`)
			p.Data, _ = json.Marshal(in)
		}, cause: "guard.arguments"},
		{name: "an activity of another name", as: "Other", fn: takesStruct, cause: "guard.action"},
		{name: "an action that is a function", action: "func", fn: takesStruct, cause: "guard.action"},
		{name: "a local activity, with the decision", local: true, fn: takesStruct, cause: "guard.binding"},
		{name: "a function of its own called RunStep", as: contract.RunStep, fn: takesStruct, cause: "guard.action"},
		{name: "a function of its own called RunStep, called as that", as: contract.RunStep, sent: contract.RunInput{}, fn: func(s *seen) any {
			return func(ctx context.Context, in contract.RunInput) error { s.saw(ctx, in); return nil }
		}, cause: "guard.decision"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func (tt teamCase) run(t *testing.T) {
	cat, err := catalogue.Parse("actions.yaml", []byte(activityCatalogue))
	require.NoError(t, err)
	st, err := store.Open(t.Context(), t.TempDir()+"/evidence.db")
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	d := &desk{store: st}
	if tt.action == "" {
		tt.action = "pay"
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(d.decide(t, guardCase{action: tt.action}, cat))
	require.NoError(t, err)
	if tt.header != nil {
		tt.header(t, payload)
	}
	var s seen
	out, err := tt.call(t, st, cat, &s, payload)
	require.Equal(t, tt.got, s.got, "what the activity was called with")
	if tt.status == "" {
		requireRefusal(t, guardCase{errIs: contract.ErrTypeRefused, cause: tt.cause}, err)
		return
	}
	require.NoError(t, err)
	rec, err := trust(t).Open(out.Outcome)
	require.NoError(t, err)
	o := rec.Predicate.(*evidence.Outcome)
	require.Equal(t, []any{tt.status, tt.cause, tt.result}, []any{o.Status, o.Cause, string(o.Result)})
	if tt.got != "" {
		require.Equal(t, executor.Call{Execution: testRun.Workflow, Step: "s", Action: "pay", Args: []byte(`{"n":1}`), Key: d.signed.Key, Attempt: 1}, s.call)
	}
}

func (tt teamCase) call(t *testing.T, st *store.Store, cat *catalogue.Catalogue, s *seen, header *commonpb.Payload) (*contract.RunOutput, error) {
	steps, err := activities.NewSteps(activities.StepsConfig{
		Process: self, Probes: []activities.Probe{healthy()}, Reach: reachable,
		Trust: trust(t), Worker: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker,
		Catalogue: cat, Store: st, Log: zap.NewNop(), Executors: map[string]executor.Executor{"func": executor.Func(ok)},
	})
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(sdk.Options{Interceptors: []interceptor.WorkerInterceptor{steps.Interceptor()}})
	if !tt.none {
		env.SetHeader(&commonpb.Header{Fields: map[string]*commonpb.Payload{contract.HeaderDecision: header}})
	}
	name, sent, fn := tt.as, tt.sent, tt.fn(s)
	if name == "" {
		name = "Pay"
	}
	if sent == nil {
		sent = map[string]int{"n": 2}
	}
	env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	run := func() (converter.EncodedValue, error) { return env.ExecuteActivity(name, sent) }
	if tt.local {
		run = func() (converter.EncodedValue, error) { return env.ExecuteLocalActivity(fn, number{N: 2}) }
	}
	value, err := run()
	if err != nil {
		return nil, err
	}
	var out contract.RunOutput
	require.NoError(t, value.Get(&out))
	return &out, nil
}
