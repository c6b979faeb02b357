package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// BenchmarkDecide decides one step with bundles of 1 to 1000 rules, of which
// at most three concern it.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			bundle := manyRules(b, n)
			f := facts(evidence.PhaseStep)
			f.Step.Action = "act.a0"
			require.Equal(b, evidence.Allow, bundle.Decide(f).Effect)
			b.ReportAllocs()
			for b.Loop() {
				bundle.Decide(f)
			}
		})
	}
}

// BenchmarkDecideLine is the price of not having an index: every rule
// concerns the step.
func BenchmarkDecideLine(b *testing.B) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = fmt.Sprintf(`step allow args.amount < %d && args.customer == request.context["customer"]`, 50+i)
	}
	bundle := rules(b, lines...)
	f := facts(evidence.PhaseStep)
	b.ReportAllocs()
	for b.Loop() {
		bundle.Decide(f)
	}
}

// BenchmarkDecideTracked is the price of a rule without a static bound.
func BenchmarkDecideTracked(b *testing.B) {
	bundle := rules(b, `step allow args.amount < 1000 && !lineage.exists(a, lineage.exists(b, lineage.exists(c, a.action + b.action + c.action == "")))`)
	require.Zero(b, bundle.Rules()[0].Cost)
	f := facts(evidence.PhaseStep)
	b.ReportAllocs()
	for b.Loop() {
		bundle.Decide(f)
	}
}

// manyRules returns a bundle of n rules, three for each action.
func manyRules(b *testing.B, n int) *policy.Bundle {
	var actions, rules strings.Builder
	actions.WriteString("version: 1\nactions:\n")
	rules.WriteString("name: many\nversion: 1\nrules:\n")
	for i := range n {
		action := fmt.Sprintf("act.a%d", i/3)
		if i%3 == 0 {
			fmt.Fprintf(&actions, "  %s: {effect: read, timeout: 1s, func: f, args: {type: object, additionalProperties: false}}\n", action)
		}
		effect, when := "allow", `args.customer == request.context["customer"] && args.amount <= 10000`
		if i%3 == 1 {
			effect, when = "deny", `args.amount > 5000 && request.purpose != "large"`
		}
		fmt.Fprintf(&rules, "  - {id: r%d, phase: step, actions: [%s], effect: %s, when: '%s'}\n", i, action, effect, when)
	}
	cat, err := catalogue.Parse("actions.yaml", []byte(actions.String()))
	require.NoError(b, err)
	bundle, err := policy.Parse("policy.yaml", []byte(rules.String()), cat)
	require.NoError(b, err)
	return bundle
}
