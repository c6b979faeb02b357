package policy

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
)

// TestSituationsDeny checks that only two situations allow and two wait, and
// that a new one, or none, denies.
func TestSituationsDeny(t *testing.T) {
	effects := map[situation]evidence.Effect{ruleAllowed: "allow", noObjection: "allow", ruleAsks: "step_up", ruleDefers: "defer"}
	for s := situation(-1); s < 20; s++ {
		want, ok := effects[s]
		if !ok {
			want = evidence.Deny
		}
		require.Equal(t, want, s.effect(), s)
		require.Equal(t, want == evidence.StepUp, s.cause() == "policy.step_up", s)
		require.Equal(t, want == evidence.Defer, s.cause() == "policy.defer", s)
		require.Equal(t, want.Allows(), s.cause() == "policy.allow", s)
		require.NotEmpty(t, reason(s, &evidence.Facts{}, nil, ""))
	}
	require.Equal(t, evidence.Deny, situation(0).effect())
}

// TestJudgeUnknownEffect checks that a result that says none of the effects
// that its phase has, or says it incompletely, denies.
func TestJudgeUnknownEffect(t *testing.T) {
	for _, phase := range []evidence.Phase{evidence.PhaseAdmit, evidence.PhaseStep, evidence.PhaseIntegrity, ""} {
		for _, effect := range []evidence.Effect{"", "permit", "ALLOW", evidence.StepUp, evidence.Defer} {
			results := []evidence.RuleResult{{ID: "a", Effect: evidence.Allow}, {ID: "b", Effect: effect}}
			require.Equal(t, ruleDenied, judge(&evidence.Facts{Phase: phase}, results), "%s %s", phase, effect)
		}
	}
	results := []evidence.RuleResult{{ID: "a", Effect: "allow"}, {ID: "b"}}
	require.Equal(t, "denied by rule b", reason(ruleDenied, &evidence.Facts{}, results, ""))
}

// TestOnlyStepsWait checks that a complete ask, even a fulfilled one, denies
// where nothing can wait.
func TestOnlyStepsWait(t *testing.T) {
	f := evidence.Facts{Now: 1, Requester: "dave", Said: evidence.Approvals{{
		Holder: "alice", Predicate: &evidence.Approval{At: 1, Expires: 2, Word: evidence.Approve},
	}}}
	results := []evidence.RuleResult{
		{ID: "a", Effect: evidence.StepUp, Ask: &evidence.Ask{By: []string{"alice"}, Need: 1, WithinMS: 1}},
		{ID: "b", Effect: evidence.Defer, Delay: &evidence.Delay{ForMS: 1, EveryMS: 1}},
	}
	for phase, want := range map[evidence.Phase][2]situation{
		evidence.PhaseStep: {ruleAllowed, ruleDefers}, evidence.PhaseAdmit: {ruleDenied, ruleDenied},
		evidence.PhaseIntegrity: {ruleDenied, ruleDenied}, "": {ruleDenied, ruleDenied},
	} {
		f.Phase = phase
		require.Equal(t, want, [2]situation{judge(&f, results[:1]), judge(&f, results[1:])}, phase)
	}
}

// fakeProgram answers with what it is given.
type fakeProgram struct {
	value ref.Val
	err   error
}

func (p fakeProgram) Eval(any) (ref.Val, *cel.EvalDetails, error) { return p.value, nil, p.err }

func (p fakeProgram) ContextEval(context.Context, any) (ref.Val, *cel.EvalDetails, error) {
	return p.Eval(nil)
}

func (p fakeProgram) ConcurrentEval(context.Context, any) <-chan cel.EvalResult { return nil }

// TestStrangePrograms checks what happens if CEL answers with what it should
// not: the rule fails, with a text that is the same everywhere.
func TestStrangePrograms(t *testing.T) {
	tests := []struct {
		program fakeProgram
		want    string
	}{
		{fakeProgram{value: types.String("true")}, "the rule is neither true nor false"},
		{fakeProgram{value: types.IntOne}, "the rule is neither true nor false"},
		{fakeProgram{}, "the rule is neither true nor false"},
		{fakeProgram{err: errors.New("internal error: runtime error at 0xdeadbeef")}, "internal error"},
		{fakeProgram{err: errors.New("value 0xc000123456 is odd")}, "value 0x… is odd"},
		{fakeProgram{err: errors.New("")}, "unknown error"},
		{fakeProgram{err: errors.New("a\n\tb\xff")}, "a b?"},
		{fakeProgram{value: types.True, err: errors.New("both")}, "both"},
		{fakeProgram{err: errors.New(strings.Repeat("é", 101))}, strings.Repeat("é", 98) + "…"},
	}
	f := evidence.Facts{Phase: evidence.PhaseAdmit, Request: &evidence.Request{}}
	for _, tt := range tests {
		r := &rule{info: RuleInfo{ID: "a", Effect: evidence.Allow}, program: tt.program}
		results := evaluate([]*rule{r}, newInput(&f))
		require.Len(t, results, 1)
		require.Equal(t, evidence.RuleResult{ID: "a", Effect: evidence.Deny, Error: tt.want}, results[0])
		require.Equal(t, ruleFailed, judge(&f, results))
	}
}

// TestInput checks what an activation answers beyond what rules can ask.
func TestInput(t *testing.T) {
	in := newInput(&evidence.Facts{Request: &evidence.Request{}})
	require.Nil(t, in.Parent())
	require.NoError(t, in.decodeArgs())
	for _, name := range []string{"", "x", varStep, varArgs} {
		_, found := in.ResolveName(name)
		require.False(t, found, name)
	}
}

// TestObject checks the parts of an object that typed rules do not use.
func TestObject(t *testing.T) {
	step := &object{stepType, &evidence.Step{ID: "a"}}
	wrong := &object{stepType, &evidence.Probe{}}
	_, err := step.ConvertToNative(reflect.TypeFor[string]())
	require.Error(t, err)
	require.True(t, types.IsError(step.ConvertToType(types.StringType)))
	require.Equal(t, ref.Val(stepType.typ), step.ConvertToType(types.TypeType))
	require.True(t, types.IsError(step.IsSet(types.IntOne)))
	require.True(t, types.IsError(step.IsSet(types.String("x"))))
	require.True(t, types.IsError(step.Get(types.IntOne)))
	require.Equal(t, types.True, step.IsSet(types.String("id")))
	require.Equal(t, types.False, wrong.IsSet(types.String("id")))
	require.True(t, types.IsError(wrong.Get(types.String("id"))))
	require.True(t, types.IsError(wrong.Equal(wrong)))
	require.Equal(t, types.False, step.Equal(types.IntOne))
}

// TestProvider checks that the provider adds to CEL's types and takes none
// away, and that rules cannot make objects.
func TestProvider(t *testing.T) {
	p, err := newProvider()
	require.NoError(t, err)
	names, ok := p.FindStructFieldNames("interlock.Probe")
	require.True(t, ok)
	require.Equal(t, []string{"name", "status", "want", "got"}, names)
	for _, name := range []string{"google.protobuf.Duration", "interlock.None"} {
		_, want := p.Registry.FindStructType(name)
		_, got := p.FindStructType(name)
		require.Equal(t, want, got)
		_, got = p.FindStructFieldNames(name)
		require.Equal(t, want, got)
		_, got = p.FindStructFieldType(name, "seconds")
		require.Equal(t, want, got)
		require.Equal(t, !want, types.IsError(p.NewValue(name, nil)))
	}
	require.True(t, types.IsError(p.NewValue("interlock.Step", nil)))
	for _, value := range []any{&evidence.Step{}, &plan{}, &request{}, &past{}, &evidence.Probe{}} {
		require.IsType(t, &object{}, adapt.NativeToValue(value))
	}
	require.Equal(t, types.IntOne, adapt.NativeToValue(int64(1)))
}

// TestFromJSON checks values that reach no rule.
func TestFromJSON(t *testing.T) {
	for _, text := range []string{"", "{", `{"a":1,"a":2}`, `{} {}`, "\xff"} {
		_, err := fromJSON([]byte(text))
		require.ErrorIs(t, err, evidence.ErrJSON, text)
	}
	for _, text := range []string{"[1.0000000000000001]", `{"a":-1e400}`, "99999999999999999999"} {
		_, err := fromJSON([]byte(text))
		require.ErrorIs(t, err, errNumber, text)
	}
	for text, want := range map[string]ref.Val{
		"-9223372036854775808": types.Int(-1 << 63), "18446744073709551615": types.Uint(1<<64 - 1), "0.0": types.Double(0),
		"1e3": types.Double(1000), "-0.10": types.Double(-0.1), "null": types.NullValue, "false": types.False, `"x"`: types.String("x"),
	} {
		got, err := fromJSON([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

// TestCostIsBounded checks that the static bounds of untracked rules hold:
// what a rule really costs on the largest facts is within its bound.
func TestCostIsBounded(t *testing.T) {
	conditions := []string{
		`request.id == request.purpose`, `request.context.exists(k, request.context[k].contains("x"))`,
		`request.steps.all(s, s.needs.all(n, n != "x"))`, `lineage.exists(p, p.args.a == p.result)`,
		`args.a.matches("^x+y$")`, `args.l.all(x, x == "x")`, `args.a.split("x").size() > 3`, `string(args.a).lowerAscii().contains("y")`,
		`lineage.map(p, p.step).size() == 0 || lineage.filter(p, p.action == "y").size() > 0`,
	}
	f := largest()
	for _, condition := range conditions {
		envs, err := environments()
		require.NoError(t, err)
		env := envs[evidence.PhaseStep]
		ast, issues := env.Compile(condition)
		require.NoError(t, issues.Err(), condition)
		cost, err := estimate(env, ast)
		require.NoError(t, err)
		program, err := env.Program(ast, cel.EvalOptions(cel.OptTrackCost))
		require.NoError(t, err)
		in := newInput(&f)
		require.NoError(t, in.decodeArgs())
		_, details, err := program.Eval(in)
		require.NoError(t, err, condition)
		require.LessOrEqual(t, *details.ActualCost(), cost.Max, condition)
	}
}

// node is a part of an expression, with its path and type.
type node struct {
	checker.AstNode
	path []string
	typ  *types.Type
}

func (n node) Path() []string    { return n.path }
func (n node) Type() *types.Type { return n.typ }

// TestSizes checks that only parts of the facts have a size. What a rule works
// out itself, and loops over, can be larger than any of them.
func TestSizes(t *testing.T) {
	for _, path := range [][]string{nil, {"@items"}, {"x"}, {"@items", "args"}} {
		require.Nil(t, sizes{}.EstimateSize(node{path: path, typ: types.StringType}), path)
	}
	require.Nil(t, sizes{}.EstimateSize(node{path: []string{varRequest}, typ: requestType.typ}))
	for want, path := range map[uint64][]string{
		MaxText: {varRequest, "id"}, MaxArgs: {varRequest, "steps", "@items", "args", "a"}, MaxResult: {varLineage, "@items", "result"},
	} {
		require.Equal(t, want, sizes{}.EstimateSize(node{path: path, typ: types.StringType}).Max)
	}
}

// largest returns facts at their bounds.
func largest() evidence.Facts {
	text := strings.Repeat("x", MaxText)
	value := `"` + strings.Repeat("x", MaxArgs/4) + `"`
	args := `{"a":` + value + `,"l":[` + strings.TrimSuffix(strings.Repeat(`"x",`, MaxArgs/16), ",") + `]}`
	step := evidence.Step{ID: text, Action: text, Needs: make([]string, MaxSteps), Args: []byte(args)}
	request := &evidence.Request{ID: text, Purpose: text, Context: map[string]string{text: text}}
	for range MaxSteps {
		request.Steps = append(request.Steps, step)
	}
	f := evidence.Facts{Phase: evidence.PhaseStep, Request: request, Step: &step}
	for range MaxSteps {
		f.Lineage = append(f.Lineage, evidence.Past{Step: text, Action: text, Args: []byte(`{"a":` + value + `}`), Result: []byte(value[:8] + `y"`)})
	}
	return f
}
