package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy"
)

// rules returns a bundle of the given rules: "phase effect condition".
// Rules of phase step concern every action; those that step up ask for two of
// alice, bob and carol within four hours, those that defer do so every ten
// minutes for eight hours.
func rules(t testing.TB, lines ...string) *policy.Bundle {
	t.Helper()
	bundle, err := policy.Parse("policy.yaml", source(lines...), catalogueOf(t, "testdata/order-desk"))
	require.NoError(t, err)
	return bundle
}

func source(lines ...string) []byte {
	var b strings.Builder
	b.WriteString("name: test\nversion: 1\nrules:\n")
	for i, line := range lines {
		part := strings.SplitN(line, " ", 3)
		fmt.Fprintf(&b, "  - id: r%d\n    phase: %s\n    effect: %s\n    message: m%d\n    when: %q\n", i, part[0], part[1], i, part[2])
		if part[0] == "step" {
			b.WriteString("    actions: [\"*\"]\n")
		}
		switch evidence.Effect(part[1]) {
		case evidence.StepUp:
			b.WriteString("    approval: {by: [alice, bob, carol], need: 2, within: 4h}\n")
		case evidence.Defer:
			b.WriteString("    defer: {for: 8h, every: 10m}\n")
		}
	}
	return []byte(b.String())
}

// facts returns facts about a refund of 100 that fit every phase.
func facts(phase evidence.Phase) evidence.Facts {
	step := evidence.Step{ID: "pay", Action: "orders.refund", Args: json.RawMessage(`{"amount":100,"customer":"c","order_id":"A"}`)}
	f := evidence.Facts{
		Phase:   phase,
		Now:     1_767_225_600_000,
		Request: &evidence.Request{ID: "x", Purpose: "p", Context: map[string]string{"customer": "c"}, Steps: []evidence.Step{step}},
	}
	if phase == evidence.PhaseStep {
		f.Step, f.Requester = &step, "dave"
	}
	return f
}

// TestDecide has one row for each way in which a question can end.
func TestDecide(t *testing.T) {
	const admit, step, integrity = evidence.PhaseAdmit, evidence.PhaseStep, evidence.PhaseIntegrity
	tests := []struct {
		name   string
		rules  []string
		phase  evidence.Phase
		change func(*evidence.Facts)

		want   evidence.Effect
		cause  string
		ids    string // of the results, failed ones with a !
		reason string // part of it
	}{
		{name: "no rule for the phase", rules: []string{"step allow true"}, phase: admit, want: "deny", cause: "policy.default", reason: "no rule allows it"},
		{name: "nothing matches", rules: []string{"admit allow false", "admit deny false"}, phase: admit, want: "deny", cause: "policy.default"},
		{name: "allow", rules: []string{"admit allow true"}, phase: admit, want: "allow", cause: "policy.allow", ids: "r0", reason: "allowed by rule r0: m0"},
		{name: "deny after allow", rules: []string{"admit allow true", "admit deny true"}, phase: admit, want: "deny", cause: "policy.deny", ids: "r0 r1", reason: "denied by rule r1: m1"},
		{name: "allow after deny", rules: []string{"admit deny true", "admit allow true"}, phase: admit, want: "deny", cause: "policy.deny", ids: "r0 r1"},
		{name: "failed allow", rules: []string{`admit allow request.context["x"] == ""`}, phase: admit, want: "deny", cause: "policy.error", ids: "r0!", reason: "rule r0 could not be evaluated: no such key: x"},
		{name: "failed allow beside an allow", rules: []string{"admit allow true", `admit allow request.context["x"] == ""`, "admit allow true"}, phase: admit, want: "deny", cause: "policy.error", ids: "r0 r1! r2"},
		{name: "failed deny beside an allow", rules: []string{"admit allow true", `admit deny 1 / size(request.purpose) - 1 == 1 / 0`}, phase: admit, want: "deny", cause: "policy.error", ids: "r0 r1!"},
		{name: "failed and denied", rules: []string{`admit allow request.context["x"] == ""`, "admit deny true"}, phase: admit, want: "deny", cause: "policy.deny", ids: "r0! r1"},
		{name: "denied and failed", rules: []string{"admit deny true", `admit allow request.context["x"] == ""`}, phase: admit, want: "deny", cause: "policy.deny", ids: "r0 r1!", reason: "denied by rule r0"},
		{name: "integrity without a match", rules: []string{"integrity deny false"}, phase: integrity, want: "allow", cause: "policy.allow", reason: "no rule objects"},
		{name: "integrity denied", rules: []string{"integrity deny true"}, phase: integrity, want: "deny", cause: "policy.deny", ids: "r0"},
		{name: "integrity failed", rules: []string{`integrity deny request.context["x"] == ""`}, phase: integrity, want: "deny", cause: "policy.error", ids: "r0!"},
		{name: "unknown phase", rules: []string{"admit allow true"}, phase: "during", want: "deny", cause: "policy.default", reason: "there are no rules for this question"},
		{name: "no phase", rules: []string{"admit allow true"}, phase: "", want: "deny", cause: "policy.default"},
		{name: "unknown action", rules: []string{"step allow true"}, phase: step, change: func(f *evidence.Facts) { f.Step.Action = "orders.steal" }, want: "deny", cause: "action.unknown"},
		{name: "no step", rules: []string{"step allow true"}, phase: step, change: func(f *evidence.Facts) { f.Step = nil }, want: "deny", cause: "policy.error", reason: "the facts are not complete"},
		{name: "no request", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request = nil }, want: "deny", cause: "policy.error", reason: "no request"},
		{name: "no request in integrity", rules: []string{"integrity deny false"}, phase: integrity, change: func(f *evidence.Facts) { f.Request = nil }, want: "deny", cause: "policy.error"},
		{name: "too many steps", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request.Steps = make([]evidence.Step, policy.MaxSteps+1) }, want: "deny", cause: "policy.error", reason: "more than 256 steps"},
		{name: "too long a lineage", rules: []string{"integrity deny false"}, phase: integrity, change: func(f *evidence.Facts) { f.Lineage = make([]evidence.Past, policy.MaxSteps+1) }, want: "deny", cause: "policy.error"},
		{name: "too much context", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request.Context = many(policy.MaxContext + 1) }, want: "deny", cause: "policy.error"},
		{name: "too many probes", rules: []string{"integrity deny false"}, phase: integrity, change: func(f *evidence.Facts) { f.Probes = make([]evidence.Probe, policy.MaxProbes+1) }, want: "deny", cause: "policy.error"},
		{name: "too long a purpose", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request.Purpose = long(policy.MaxText) }, want: "deny", cause: "policy.error"},
		{name: "too long a context", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request.Context["a"] = long(policy.MaxText) }, want: "deny", cause: "policy.error"},
		{name: "too long a plan", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request.Steps[0].Needs = []string{long(policy.MaxText)} }, want: "deny", cause: "policy.error"},
		{name: "too long a past", rules: []string{"integrity deny false"}, phase: integrity, change: func(f *evidence.Facts) { f.Lineage = []evidence.Past{{Action: long(policy.MaxText)}} }, want: "deny", cause: "policy.error"},
		{name: "too long a probe", rules: []string{"integrity deny false"}, phase: integrity, change: func(f *evidence.Facts) { f.Probes = []evidence.Probe{{Got: long(policy.MaxText)}} }, want: "deny", cause: "policy.error"},
		{name: "too long arguments", rules: []string{"step allow true"}, phase: step, change: func(f *evidence.Facts) { f.Step.Args = json.RawMessage(long(policy.MaxArgs)) }, want: "deny", cause: "policy.error"},
		{name: "too long planned arguments", rules: []string{"admit allow true"}, phase: admit, change: func(f *evidence.Facts) { f.Request.Steps[0].Args = json.RawMessage(long(policy.MaxArgs)) }, want: "deny", cause: "policy.error"},
		{name: "too long a result", rules: []string{"integrity deny false"}, phase: integrity, change: func(f *evidence.Facts) {
			f.Lineage = []evidence.Past{{Result: json.RawMessage(long(policy.MaxResult))}}
		}, want: "deny", cause: "policy.error"},
		{name: "arguments nobody reads", rules: []string{"step allow true"}, phase: step, change: func(f *evidence.Facts) { f.Step.Args = json.RawMessage(`{`) }, want: "allow", cause: "policy.allow", ids: "r0"},
		{name: "broken arguments", rules: []string{"step allow true || args.amount == 1"}, phase: step, change: func(f *evidence.Facts) { f.Step.Args = json.RawMessage(`{`) }, want: "deny", cause: "policy.error", ids: "r0!"},
		{name: "no arguments", rules: []string{"step allow true || args.amount == 1"}, phase: step, change: func(f *evidence.Facts) { f.Step.Args = nil }, want: "deny", cause: "policy.error", ids: "r0!"},
		{name: "duplicate arguments", rules: []string{"step allow args.a == 1"}, phase: step, change: func(f *evidence.Facts) { f.Step.Args = json.RawMessage(`{"a":1,"a":2}`) }, want: "deny", cause: "policy.error", ids: "r0!"},
		{name: "arguments that are a list", rules: []string{"step allow true || args.a == 1"}, phase: step, change: func(f *evidence.Facts) { f.Step.Args = json.RawMessage(`[]`) }, want: "deny", cause: "policy.error", ids: "r0!"},
		{name: "a condition that is not true or false", rules: []string{"step allow dyn(args.amount) ? true : false"}, phase: step, want: "deny", cause: "policy.error", ids: "r0!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := facts(tt.phase)
			if tt.change != nil {
				tt.change(&f)
			}
			got := rules(t, tt.rules...).Decide(f)
			require.Equal(t, tt.want, got.Effect, got.Reason)
			require.Equal(t, tt.cause, got.Cause)
			require.Equal(t, tt.ids, ids(got))
			require.Contains(t, got.Reason, tt.reason)
			check(t, f, got)
		})
	}
}

// check asserts what holds for every ruling, on the facts that it was made
// from: above all what [evidence.Lineage] asks of decisions.
func check(t testing.TB, f evidence.Facts, r evidence.Ruling) {
	t.Helper()
	require.NotEmpty(t, r.Cause)
	require.NotEmpty(t, r.Reason)
	require.LessOrEqual(t, len(r.Reason), 200)
	require.Equal(t, r.Cause == "policy.allow", r.Effect.Allows())
	require.Equal(t, r.Cause == "policy.step_up", r.Effect == evidence.StepUp)
	require.Equal(t, r.Cause == "policy.defer", r.Effect == evidence.Defer)
	if r.Effect != evidence.Deny && f.Phase != evidence.PhaseIntegrity {
		require.NotEmpty(t, r.Rules)
		require.True(t, f.Phase != evidence.PhaseStep || f.Said.Refused() == nil, "somebody refused")
	}
	waits := false
	for _, result := range r.Rules {
		require.LessOrEqual(t, len(result.Error), 200)
		require.LessOrEqual(t, len(result.Message), 200)
		if result.Error != "" {
			require.Equal(t, evidence.Deny, result.Effect)
		}
		if !result.Granted(f.Said, f.Requester, f.Now) {
			require.False(t, r.Effect.Allows(), "rule %s does not allow", result.ID)
		}
		if result.Effect == evidence.Deny {
			require.Equal(t, evidence.Deny, r.Effect, "rule %s denies", result.ID)
		}
		waits = waits || result.Effect == r.Effect
		require.Equal(t, result.Effect == evidence.StepUp, result.Ask != nil)
		require.Equal(t, result.Effect == evidence.Defer, result.Delay != nil)
	}
	require.True(t, waits || !r.Effect.Waits(), "it waits without a rule")
	require.True(t, !r.Effect.Waits() || f.Phase == evidence.PhaseStep, "only steps wait")
}

func ids(r evidence.Ruling) string {
	var ids []string
	for _, result := range r.Rules {
		id := result.ID
		if result.Error != "" {
			id += "!"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func long(n int) string { return strings.Repeat("x", n+1) }

func many(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = ""
	}
	return m
}

// TestZeroBundleDenies checks that a bundle that was never parsed allows
// nothing, integrity included.
func TestZeroBundleDenies(t *testing.T) {
	for _, bundle := range []*policy.Bundle{nil, {}} {
		for _, phase := range []evidence.Phase{"", "admit", "step", "integrity", "x"} {
			got := bundle.Decide(facts(phase))
			require.False(t, got.Effect.Allows(), phase)
			require.Equal(t, "policy.default", got.Cause)
		}
	}
}

// TestCostLimit checks that a rule that costs too much at run time denies,
// and that the same rule is fine with smaller facts.
func TestCostLimit(t *testing.T) {
	bundle := rules(t, "step allow !lineage.exists(a, lineage.exists(b, lineage.exists(c, a.action + b.action + c.action == args.customer)))")
	require.Zero(t, bundle.Rules()[0].Cost, "the rule must be a tracked one")
	f := facts(evidence.PhaseStep)
	f.Lineage = make([]evidence.Past, 3)
	require.Equal(t, evidence.Allow, bundle.Decide(f).Effect)
	f.Lineage = make([]evidence.Past, policy.MaxSteps)
	got := bundle.Decide(f)
	require.Equal(t, evidence.Deny, got.Effect)
	require.Equal(t, "policy.error", got.Cause)
	require.Equal(t, "costs more than 1000000", got.Rules[0].Error)
}

// TestConditions checks what rules can say: each line must be true.
func TestConditions(t *testing.T) {
	conditions := []string{
		`args.amount == 100 && args.amount <= 4000 && args.amount < 100.5`,
		`type(args.amount) == int && type(args.ratio) == double && type(args.big) == uint`,
		`args.ratio == 1 && args.list[0] == 1 && args.none == null && args.deep.er == "x"`,
		`has(args.amount) && !has(args.nothing) && "amount" in args`,
		`args.map(k, k) == ["amount", "big", "customer", "deep", "list", "none", "ratio", "yes"]`,
		`args.yes && args.list.all(x, x > 0)`,
		`request.context == {"customer": "c", "a": "b"}`,
		`request.context.exists(k, k == "customer") && request.context.map(k, k)[0] == "a"`,
		`request.context.customer == args.customer && has(request.context.customer)`,
		`request.steps.size() == 1 && request.steps[0].args.amount == 100 && request.steps[0] == request.steps[0]`,
		`request.steps.exists_one(s, s.id == step.id) && step.needs == [] && !has(step.needs)`,
		`dyn(request).id == "x" && dyn(request.steps[0]).action == step.action && dyn(step).id == "pay"`,
		`has(dyn(request).id) && !has(dyn(request).audience) && type(request) == type(request)`,
		`now == timestamp("2026-01-01T00:00:00Z") && now.getHours() == 0 && now.getHours("+02:00") == 2`,
		`!has(request.issued) && request.expires == timestamp("1970-01-01T00:00:00Z")`,
		`lineage.filter(p, p.status == "done").map(p, p.result.n) == [1, 2]`,
		`lineage[0].args.a == "b" && lineage[2].result == null && has(lineage[0].result) && !has(lineage[2].result)`,
		`lineage[0] != lineage[1] && lineage[0] == lineage[0] && lineage[0].at < lineage[1].at`,
		`dyn(lineage[0]) != dyn(request) && request != dyn(1)`,
		`sets.contains([1, 2], [2]) && math.greatest(1, 2) == 2 && "A".lowerAscii() == "a"`,
		`[3, 1, 2].sort() == [1, 2, 3] && base64.encode(b"a") == "YQ=="`,
	}
	f := facts(evidence.PhaseStep)
	f.Request.Context["a"] = "b"
	f.Step = &evidence.Step{ID: "pay", Action: "orders.refund", Args: json.RawMessage(
		`{"amount":100,"customer":"c","ratio":1.0,"big":9223372036854775808,"list":[1,2],"none":null,"deep":{"er":"x"},"yes":true}`)}
	f.Lineage = []evidence.Past{
		{Step: "a", Status: "done", Args: json.RawMessage(`{"a":"b"}`), Result: json.RawMessage(`{"n":1}`), At: 1},
		{Step: "b", Status: "done", Args: json.RawMessage(`{}`), Result: json.RawMessage(`{"n":2}`), At: 2},
		{Step: "c", Status: "failed", Args: json.RawMessage(`{}`), At: 3},
	}
	for _, condition := range conditions {
		got := rules(t, "step allow "+condition).Decide(f)
		require.Equal(t, evidence.Allow, got.Effect, "%s: %s", condition, got.Reason)
	}
}

// TestFailingConditions checks that a rule fails, rather than being false,
// where it reads what is not there or not exact.
func TestFailingConditions(t *testing.T) {
	tests := []struct{ condition, args, want string }{
		{`args.x == 1`, `{}`, "no such key: x"},
		{`args.x == 1`, `{"x":18446744073709551616}`, "a number cannot be held exactly"},
		{`args.x <= 1`, `{"x":1.0000000000000000001}`, "a number cannot be held exactly"},
		{`args.x <= 1`, `{"x":[1e999]}`, "a number cannot be held exactly"},
		{`args.x <= 1`, `{"x":{"y":1e-400}}`, "a number cannot be held exactly"},
		{`args.x > 1`, `{"x":"y"}`, "no such overload"},
		{`dyn(step).args == 1`, `{}`, "no such field"},
		{`has(dyn(step).args)`, `{}`, "no such field"},
		{`dyn(step)[1] == 1`, `{}`, "no such overload"},
		{`dyn(request.steps[0]).args.a == 1`, `{}`, "not in the allowed form of JSON"},
		{`request.steps[0].args.a == 1`, `{}`, "not in the allowed form of JSON"},
		{`dyn(request.steps[0]) == dyn(request.steps[1])`, `{}`, "not in the allowed form of JSON"},
		{`string(dyn(step)) == ""`, `{}`, "no such overload"},
		{`dyn(step)["x"] == 1`, `{}`, "no such field"},
		{`has(dyn(args).x.y)`, `{"x":1e400}`, "a number cannot be held exactly"},
		{`args[args.x] == 1`, `{"x":"` + strings.Repeat("é", 300) + `"}`, "…"},
	}
	for _, tt := range tests {
		f := facts(evidence.PhaseStep)
		broken := evidence.Step{ID: "pay", Args: json.RawMessage(`{"a":1,"a":1}`)}
		f.Request.Steps = []evidence.Step{broken, broken}
		f.Step = &evidence.Step{ID: "pay", Action: "orders.refund", Args: json.RawMessage(tt.args)}
		got := rules(t, "step allow "+tt.condition).Decide(f)
		require.Equal(t, "policy.error", got.Cause, tt.condition)
		require.Contains(t, got.Rules[0].Error, tt.want, tt.condition)
		check(t, f, got)
	}
}

// TestProperties decides the same facts with many bundles and checks that the
// order of rules never matters, that a deny rule more never makes an allow,
// and that an allow rule less never does.
func TestProperties(t *testing.T) {
	pool := []string{
		"step allow true", "step allow false", "step deny true", "step deny false", "step allow args.amount < 50",
		"step allow args.amount > 50", "step deny args.amount > 50", "step allow args.nothing == 1", "step deny args.nothing == 1",
		"step step_up true", "step step_up args.amount < 50", "step defer args.amount > 50", "step defer false",
	}
	random := rand.New(rand.NewPCG(1, 2))
	f := facts(evidence.PhaseStep)
	effect := func(lines []string) evidence.Effect {
		if len(lines) == 0 {
			return evidence.Deny // a bundle without rules does not parse
		}
		return rules(t, lines...).Decide(f).Effect
	}
	allowed := 0
	for range 60 {
		var lines []string
		for range 1 + random.IntN(4) {
			lines = append(lines, pool[random.IntN(len(pool))])
		}
		want := effect(lines)
		if want.Allows() {
			allowed++
		}
		shuffled := append([]string{}, lines...)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		require.Equal(t, want, effect(shuffled), "%q, %q", lines, shuffled)
		if want.Allows() {
			continue
		}
		require.False(t, effect(append(shuffled, "step step_up true")).Allows(), "%q", shuffled)
		require.False(t, effect(append(shuffled, "step defer false")).Allows(), "%q", shuffled)
		for _, line := range pool {
			if strings.HasPrefix(line, "step deny") {
				require.False(t, effect(append(shuffled, line)).Allows(), "%q with %q", shuffled, line)
			}
		}
		for i, line := range lines {
			if strings.HasPrefix(line, "step allow") && !failing(line) {
				rest := append(append([]string{}, lines[:i]...), lines[i+1:]...)
				require.False(t, effect(rest).Allows(), "%q without %q", lines, line)
			}
		}
	}
	require.NotZero(t, allowed, "nothing was ever allowed, so nothing was tested")
}

// failing reports whether the rule fails on the facts of the property test.
// To take such a rule away can allow: the rule denies as long as it is there.
func failing(line string) bool { return strings.Contains(line, "nothing") }

// TestDecideIsDeterministic decides the same facts in many goroutines.
func TestDecideIsDeterministic(t *testing.T) {
	bundle := rules(t, "step allow args.map(k, k)[0] == 'amount'", "step deny request.context.map(k, k)[0] == 'customer'",
		"step deny args.all(k, int(k) == 1)", "step allow string(dyn(lineage)) == ''")
	want := bundle.Decide(facts(evidence.PhaseStep))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				f := facts(evidence.PhaseStep)
				f.Request.Context["z"] = ""
				if got := bundle.Decide(f); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	wg.Wait()
}
