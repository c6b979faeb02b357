package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy"
)

// TestParseCasesRefuses has one row for each way in which a file of cases can
// be wrong. Every text must be in the error.
func TestParseCasesRefuses(t *testing.T) {
	tests := map[string][]string{
		"":                   {"c.yaml:1:1: holds 0 YAML documents"},
		"cases: []":          {"1:8: cases: want at least one case"},
		"case: []":           {`1:1: unknown field "case"`, `1:1: field "cases" is missing`},
		"cases: [a]":         {"1:9: want a mapping, got a string"},
		"cases: [{name: a}]": {`field "phase" is missing`, `field "want" is missing`},
		"cases: [{name: a, phase: x, want: maybe, request: {contxt: {}}}]":                                                          {`phase: want admit`, `want: want allow, deny, step_up or defer, got "maybe"`, `unknown field "contxt"`},
		"cases: [{name: a, phase: admit, want: deny}, {name: a, phase: admit, want: deny}]":                                         {`case "a": duplicate name`},
		"cases: [{name: a, phase: admit, want: deny, step: {}, args: {}}]":                                                          {"step: only for phase step", "args: only for phase step"},
		"cases: [{name: a, phase: admit, want: step_up}, {name: b, phase: integrity, want: defer}]":                                 {"1:39: want: step_up is only for phase step", "want: defer is only for phase step"},
		"cases: [{name: a, phase: admit, want: deny, approvals: [], requester: a}]":                                                 {"1:56: approvals: only for phase step", "requester: only for phase step"},
		"cases: [{name: a, phase: step, want: deny, step: {id: a, action: b}, approvals: [{}, a, {by: ''}, {by: a, for: b}]}]":      {`field "by" is missing`, "want a mapping, got a string", "1:94: by: want the name of an approver", `unknown field "for"`},
		"cases: [{name: a, phase: step, want: deny, step: {id: a, action: b}, approvals: [{by: a, word: yes}, {by: b, word: ''}]}]": {`1:96: word: want approve or refuse, got "yes"`, `word: want approve or refuse, got ""`},
		"cases: [{name: a, phase: step, want: deny, step: {id: a, action: b}, approvals: [{by: a, at: 2026-01-01T00:00:00.001Z}]}]": {"1:94: at: 2026-01-01T00:00:00.001Z is later than the case, at 2026-01-01T00:00:00.000Z: nobody has said it yet"},
		"cases: [{name: a, phase: step, want: deny, step: {id: a, action: b}, approvals: a, requester: [b]}]":                       {`field "approvals": want a list`, `field "requester": want a string`},
		"cases: [{name: a, phase: step, want: deny}]":                                                                               {`field "step" is missing`},
		"cases: [{name: a, phase: step, want: deny, step: {id: a}}]":                                                                {`field "action" is missing`},
		"cases: [{name: a, phase: admit, want: deny, now: yesterday}]":                                                              {`field "now": want a time`},
		"cases: [{name: a, phase: admit, want: deny, now: 2026-01-01T00:00:00.0001Z}]":                                              {`field "now": want a time`},
		"cases: [{name: a, phase: admit, want: deny, rules: x, request: {context: [a], steps: [b]}}]":                               {`field "rules": want a list`, "want a mapping, got a list", "want a mapping, got a string"},
		"cases: [{name: a, phase: admit, want: deny, rules: [1], request: {context: {a: 1}}}]":                                      {`field "rules": want a list of strings`, `field "a": want a string, got a number`},
		"cases: [{name: a, phase: integrity, want: deny, lineage: [{step: a}], probes: [{name: b}]}]":                               {`field "action" is missing`, `field "status" is missing`},
		"cases: [{name: a, phase: integrity, want: deny, lineage: [{step: a, action: b, status: ok}]}]":                             {"status: want done, failed"},
		"cases: [{name: a, phase: integrity, want: deny, probes: [{name: a, status: done}]}]":                                       {"status: want ok, bad"},
	}
	for text, wants := range tests {
		cases, err := policy.ParseCases("c.yaml", []byte(text))
		require.ErrorIs(t, err, policy.ErrCases, text)
		require.Nil(t, cases)
		for _, want := range wants {
			require.ErrorContains(t, err, want, text)
		}
	}
}

// TestReport has one row for each way in which a case can fail.
func TestReport(t *testing.T) {
	bundle := rules(t, "step allow args.amount < 100", "step deny args.order_id == 'B'", `step allow request.context["x"] == 'y'`)
	const step = "phase: step, step: {id: a, action: orders.refund}, request: {context: {x: n}, steps: [{id: a, action: orders.refund, args: {amount: 1}}]}, "
	tests := []struct{ name, text, want string }{
		{"passes", step + `args: {order_id: A, customer: c, amount: 1}, want: allow, rules: [r0]`, ""},
		{"passes with open rules", step + `args: {order_id: B, customer: c, amount: 1}, want: deny`, ""},
		{"passes with an error", `phase: step, step: {id: a, action: orders.refund}, args: {order_id: A, customer: c, amount: 1}, want: deny, errors: [r2]`, ""},
		{"wrong effect", step + `args: {order_id: A, customer: c, amount: 200}, want: allow`, "want allow, got deny (policy.default): no rule allows it"},
		{"denied by accident", `phase: step, step: {id: a, action: orders.refund}, args: {order_id: A, customer: c, amount: 1}, want: deny`, "want errors in none, got r2: rule r2 could not be evaluated: no such key: x"},
		{"no error", step + `args: {order_id: A, customer: c, amount: 200}, want: deny, errors: [r2]`, "want errors in r2, got none"},
		{"other rules", step + `args: {order_id: B, customer: c, amount: 1}, want: deny, rules: [r1]`, "want rules r1 to match, got r0, r1"},
		{"a rule that is not there", step + `args: {order_id: B, customer: c, amount: 1}, want: deny, rules: [r9]`, `the bundle has no rule "r9"`},
		{"impossible arguments", step + `args: {order_id: B, customer: c}, want: deny`, `"amount" missing`},
		{"unknown action", `phase: step, step: {id: a, action: no.such}, want: deny, rules: []`, ""},
	}
	var text strings.Builder
	text.WriteString("cases:\n")
	for _, tt := range tests {
		text.WriteString("  - {name: " + tt.name + ", " + tt.text + "}\n")
	}
	cases, err := policy.ParseCases("c.yaml", []byte(text.String()))
	require.NoError(t, err)
	require.Equal(t, len(tests), cases.Len())
	report := bundle.Test(cases)
	require.False(t, report.Passed())
	for i, r := range report.Results {
		require.Equal(t, tests[i].name, r.Name)
		require.Equal(t, i+2, r.Line)
		require.Equal(t, tests[i].want == "", r.Passed, r.Reason)
		require.Contains(t, r.Reason, tests[i].want)
	}
	require.Equal(t, []string{"r2"}, report.Unmatched)
}

// TestEmptyReport checks that nothing tested is not passed.
func TestEmptyReport(t *testing.T) {
	cases, err := policy.ParseCases("c.yaml", []byte("cases: [{name: a, phase: step, step: {id: a, action: b}, want: deny}]"))
	require.NoError(t, err)
	var none *policy.Bundle
	require.False(t, policy.Report{}.Passed())
	require.False(t, none.Test(cases).Passed())
	require.False(t, rules(t, "admit allow true").Test(nil).Passed())
	require.True(t, (&policy.Bundle{}).Test(cases).Passed(), "the zero bundle denies, as the case wants")
}

// TestBundleAccessors checks what a bundle says about itself.
func TestBundleAccessors(t *testing.T) {
	data := read(t, "testdata/order-desk/policy.yaml")
	bundle, _ := load(t, "testdata/order-desk")
	require.Equal(t, "order-desk", bundle.Name())
	require.Equal(t, uint64(3), bundle.Version())
	require.Equal(t, evidence.FileDigest(data), bundle.Digest())
	require.Equal(t, evidence.PolicyRef{Name: "order-desk", Version: 3, Digest: bundle.Digest()}, bundle.Ref())
	bundle.Bytes()[0] = 'x'
	require.Equal(t, data, bundle.Bytes(), "the copy was changed, not the bundle")
	info := bundle.Rules()[3]
	require.NotZero(t, info.Cost)
	info.Cost = 0
	require.Equal(t, policy.RuleInfo{ID: "read-anything", Phase: "step", Actions: []string{"orders.lookup"}, When: "true", Effect: "allow"}, info)
}

// TestParseWithoutCatalogue checks that there is no bundle without actions,
// and no bundle out of a file that is too long.
func TestParseWithoutCatalogue(t *testing.T) {
	_, err := policy.Parse("p.yaml", source("admit allow true"), nil)
	require.ErrorIs(t, err, policy.ErrBundle)
	_, err = policy.Parse("p.yaml", make([]byte, 2<<20), nil)
	require.ErrorIs(t, err, policy.ErrBundle)
	_, err = policy.Parse("p.yaml", []byte("name: Bad Name\nversion: 1\nrules: [a]"), catalogueOf(t, "testdata/fleet"))
	require.ErrorContains(t, err, "p.yaml:1:7: name:")
	require.ErrorContains(t, err, "p.yaml:3:9: want a mapping")
	lines := make([]string, 21)
	for i := range lines {
		lines[i] = "step deny lineage.exists(a, lineage.exists(b, lineage.exists(c, a.step + b.step == c.step)))"
	}
	_, err = policy.Parse("p.yaml", source(lines...), catalogueOf(t, "testdata/order-desk"))
	require.ErrorContains(t, err, "action mail.send may cost 21000000, the limit is 20000000")
}
