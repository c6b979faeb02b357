package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy"
)

// said returns the word of a person, which expires in a day.
func said(holder string, at evidence.Time, word evidence.Word) *evidence.Record {
	return &evidence.Record{Holder: holder, Predicate: &evidence.Approval{At: at, Expires: at.Add(24 * time.Hour), Approver: holder, Word: word}}
}

// TestWait has one row for each way in which a step can be held back, and for
// each in which it must not go on.
func TestWait(t *testing.T) {
	now := facts(evidence.PhaseStep).Now
	yes := func(holders ...string) (a evidence.Approvals) {
		for _, holder := range holders {
			a = append(a, said(holder, now, evidence.Approve))
		}
		return a
	}
	const ask, deferring, allow, deny = "step step_up true", "step defer true", "step allow true", "step deny true"
	const failed = `step allow request.context["x"] == ""`
	tests := []struct {
		name      string
		rules     []string
		said      evidence.Approvals
		requester string // dave if empty

		want   evidence.Effect
		cause  string
		reason string // all of it, unless empty
	}{
		{name: "asks", rules: []string{ask}, want: "step_up", cause: "policy.step_up", reason: "rule r0 asks for 2 approvals by alice, bob, carol: m0"},
		{name: "asks although another allows", rules: []string{allow, ask}, want: "step_up", cause: "policy.step_up"},
		{name: "one is there", rules: []string{ask}, said: yes("bob"), want: "step_up", cause: "policy.step_up", reason: "rule r0 asks for 2 approvals by alice, bob, carol, 1 more: m0"},
		{name: "one twice", rules: []string{ask}, said: yes("bob", "bob"), want: "step_up", cause: "policy.step_up"},
		{name: "one who was not asked", rules: []string{ask}, said: yes("bob", "mallory"), want: "step_up", cause: "policy.step_up"},
		{name: "nobody's", rules: []string{ask}, said: yes("bob", ""), want: "step_up", cause: "policy.step_up"},
		{name: "too old", rules: []string{ask}, said: append(yes("bob"), said("carol", now.Add(-4*time.Hour-time.Millisecond), "approve")), want: "step_up", cause: "policy.step_up"},
		{name: "expired", rules: []string{ask}, said: append(yes("bob"), said("carol", now.Add(-24*time.Hour), "approve")), want: "step_up", cause: "policy.step_up"},
		{name: "not yet said", rules: []string{ask}, said: append(yes("bob"), said("carol", now+1, "approve")), want: "step_up", cause: "policy.step_up"},
		{name: "just in time", rules: []string{ask}, said: append(yes("bob"), said("carol", now.Add(-4*time.Hour), "approve")), want: "allow", cause: "policy.allow", reason: "rule r0 has the 2 approvals that it asks for: m0"},
		{name: "approved beside an allow", rules: []string{allow, ask}, said: yes("bob", "alice"), want: "allow", cause: "policy.allow", reason: "allowed by rule r0: m0"},
		{name: "one of two asks", rules: []string{ask, "step step_up args.amount == 100"}, said: yes("bob", "alice"), want: "allow", cause: "policy.allow"},
		{name: "approved and denied", rules: []string{ask, deny}, said: yes("bob", "alice"), want: "deny", cause: "policy.deny", reason: "denied by rule r1: m1"},
		{name: "approved and failed", rules: []string{failed, ask}, said: yes("bob", "alice"), want: "deny", cause: "policy.error"},
		{name: "approved and deferred", rules: []string{ask, deferring}, said: yes("bob", "alice"), want: "defer", cause: "policy.defer"},
		{name: "approvals that nobody asked for", rules: []string{"step allow false"}, said: yes("bob", "alice"), want: "deny", cause: "policy.default"},

		{name: "deferred", rules: []string{deferring}, want: "defer", cause: "policy.defer", reason: "rule r0 says not yet, for at most 8h, and is asked again every 10m: m0"},
		{name: "deferred before asking", rules: []string{ask, deferring, allow}, want: "defer", cause: "policy.defer"},
		{name: "deferred and denied", rules: []string{deferring, deny}, want: "deny", cause: "policy.deny"},
		{name: "deferred and failed", rules: []string{deferring, failed}, want: "deny", cause: "policy.error"},
		{name: "no longer deferred, and not allowed", rules: []string{"step defer false"}, want: "deny", cause: "policy.default"},
		{name: "a wait that could not be evaluated", rules: []string{allow, `step defer request.context["x"] == ""`}, want: "deny", cause: "policy.error"},
		{name: "an ask that could not be evaluated", rules: []string{allow, `step step_up request.context["x"] == ""`}, said: yes("bob", "alice"), want: "deny", cause: "policy.error"},

		{name: "refused", rules: []string{ask}, said: append(yes("alice", "bob"), said("carol", now, "refuse")), want: "deny", cause: "approval.refused", reason: "carol refused it"},
		{name: "refused, then deferred", rules: []string{ask, deferring}, said: evidence.Approvals{said("carol", now, "refuse")}, want: "deny", cause: "approval.refused"},
		{name: "refused, and no longer asked", rules: []string{allow}, said: evidence.Approvals{said("", now, "refuse")}, want: "deny", cause: "approval.refused", reason: "somebody refused it"},
		{name: "refused and denied", rules: []string{deny}, said: evidence.Approvals{said("carol", now, "refuse")}, want: "deny", cause: "policy.deny"},
		{name: "a word that is none", rules: []string{ask}, said: append(yes("alice", "bob"), said("carol", now, "")), want: "deny", cause: "approval.refused"},
		{name: "a record that is no approval", rules: []string{ask}, said: append(yes("alice", "bob"), &evidence.Record{Holder: "carol", Predicate: &evidence.Signal{}}), want: "deny", cause: "approval.refused"},

		{name: "the requester does not count", rules: []string{ask}, said: yes("alice", "bob"), requester: "alice", want: "step_up", cause: "policy.step_up", reason: "rule r0 asks for 2 approvals by bob, carol, 1 more: m0"},
		{name: "the two others", rules: []string{ask}, said: yes("carol", "bob"), requester: "alice", want: "allow", cause: "policy.allow"},
		{name: "an unknown requester", rules: []string{ask}, said: yes("carol", "bob"), requester: "none", want: "deny", cause: "policy.error", reason: "the facts are not complete: facts cannot be judged: approvals, and no requester"},
		{name: "a missing approval", rules: []string{ask}, said: append(yes("carol", "bob"), nil), want: "deny", cause: "policy.error"},
		{name: "many approvals", rules: []string{ask}, said: yes(slices.Repeat([]string{"bob", "alice"}, policy.MaxSaid/2)...), want: "allow", cause: "policy.allow"},
		{name: "too many approvals", rules: []string{ask}, said: yes(slices.Repeat([]string{"bob"}, policy.MaxSaid+1)...), want: "deny", cause: "policy.error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := facts(evidence.PhaseStep)
			f.Said = tt.said
			switch tt.requester {
			case "":
			case "none":
				f.Requester = ""
			default:
				f.Requester = tt.requester
			}
			got := rules(t, tt.rules...).Decide(f)
			require.Equal(t, tt.want, got.Effect, got.Reason)
			require.Equal(t, tt.cause, got.Cause)
			if tt.reason != "" {
				require.Equal(t, tt.reason, got.Reason)
			}
			if tt.cause != "policy.error" {
				check(t, f, got)
			}
		})
	}
}

// asking returns a bundle of one rule that asks for approval.
func asking(t testing.TB, approval string) *policy.Bundle {
	t.Helper()
	data := []byte("name: a\nversion: 1\nrules: [{id: a, phase: step, actions: ['*'], when: true, effect: step_up, approval: " + approval + "}]")
	bundle, err := policy.Parse("p.yaml", data, catalogueOf(t, "testdata/order-desk"))
	require.NoError(t, err)
	return bundle
}

// TestImpossibleAsk checks that a step does not wait for more people than can
// approve, and that what is possible is asked for.
func TestImpossibleAsk(t *testing.T) {
	f := facts(evidence.PhaseStep)
	tests := []struct{ approval, requester, cause, reason string }{
		{"{by: [alice], need: 1, within: 1s}", "alice", "approval.impossible", "rule a asks for 1 approval, which cannot be: without the requester 0 can approve"},
		{"{by: [bob, alice], need: 2, within: 1s}", "alice", "approval.impossible", "rule a asks for 2 approvals, which cannot be: without the requester 1 can approve"},
		{"{by: [bob, alice], need: 1, within: 1s}", "alice", "policy.step_up", "rule a asks for 1 approval by bob"},
		{"{by: [bob, alice], need: 2, within: 1s}", "carol", "policy.step_up", "rule a asks for 2 approvals by bob, alice"},
		{"{by: [a, b, c, d], need: 2, within: 1s}", "x", "policy.step_up", "rule a asks for 2 approvals by a, b, c, d"},
		{"{by: [a, b, c, d, e], need: 2, within: 1s}", "x", "policy.step_up", "rule a asks for 2 approvals by a, b, c and 2 others"},
	}
	for _, tt := range tests {
		f.Requester = tt.requester
		got := asking(t, tt.approval).Decide(f)
		require.Equal(t, tt.cause, got.Cause)
		require.Equal(t, tt.reason, got.Reason)
		check(t, f, got)
	}
}

// TestWaitsAreCopies checks that a bundle gives away what its rules ask for
// in the order of the file, and that nobody can change it there.
func TestWaitsAreCopies(t *testing.T) {
	bundle := rules(t, "step step_up true", "step defer true")
	ask := &evidence.Ask{By: []string{"alice", "bob", "carol"}, Need: 2, WithinMS: 4 * 3600 * 1000}
	delay := &evidence.Delay{ForMS: 8 * 3600 * 1000, EveryMS: 600 * 1000}
	for range 2 {
		infos, results := bundle.Rules(), bundle.Decide(facts(evidence.PhaseStep)).Rules
		require.Equal(t, ask, infos[0].Approval)
		require.Equal(t, delay, infos[1].Defer)
		require.Nil(t, infos[0].Defer)
		require.Nil(t, infos[1].Approval)
		require.Equal(t, []evidence.RuleResult{
			{ID: "r0", Effect: "step_up", Message: "m0", Ask: ask}, {ID: "r1", Effect: "defer", Message: "m1", Delay: delay},
		}, results)
		infos[0].Approval.By[0], infos[1].Defer.ForMS = "mallory", 1
		results[0].Ask.By[1], results[0].Ask.Need, results[1].Delay.EveryMS = "mallory", 0, 1
	}
}

// TestParseWaitRefuses has one row for each way in which a rule that waits
// can be wrong, with a § before the place that the error must name.
func TestParseWaitRefuses(t *testing.T) {
	names := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("p%d", i)
		}
		return strings.Join(list, ", ")
	}
	const up, later = "effect: step_up, approval: ", "effect: defer, defer: "
	tests := []struct{ rule, want string }{
		{"effect: §step_up", "rule a: effect: step_up wants to know whose approval"},
		{"effect: §defer", "rule a: effect: defer wants to know how long"},
		{up + "§[alice]", "want a mapping, got a list"},
		{up + "{by: [alice], §ned: 1, within: 1s}", `unknown field "ned"`},
		{up + "{§need: 1, within: 1s}", "rule a: approval.by: want 1 to 64 names of approvers, got 0"},
		{up + "{by: §[], need: 1, within: 1s}", "rule a: approval.by: want 1 to 64"},
		{up + "{by: §alice, need: 1, within: 1s}", `field "by": want a list`},
		{up + "{by: [alice, §1], need: 1, within: 1s}", "rule a: approval.by: want the name"},
		{up + "{by: [alice, §''], need: 1, within: 1s}", "rule a: approval.by: want the name"},
		{up + "{by: [§' alice'], need: 1, within: 1s}", "rule a: approval.by: want the name"},
		{up + `{by: [§"al\u0007ce"], need: 1, within: 1s}`, `rule a: approval.by: want the name of an approver: 1 to 200 bytes that can be printed, no space at its ends, got "al\ace"`},
		{up + `{by: [§"al\u200bce"], need: 1, within: 1s}`, "rule a: approval.by: want the name"},
		{up + "{by: [§" + strings.Repeat("x", 201) + "], need: 1, within: 1s}", "rule a: approval.by: want the name"},
		{up + "{by: [alice, bob, §alice], need: 1, within: 1s}", `rule a: approval.by: "alice" stands there twice`},
		{up + "{by: §[" + names(65) + "], need: 1, within: 1s}", "rule a: approval.by: want 1 to 64 names of approvers, got 65"},
		{up + "{§by: [alice, bob], within: 1s}", "rule a: approval.need: want how many of them must approve, 1 to 2; there is no default"},
		{up + "{by: [alice], need: §0, within: 1s}", "rule a: approval.need: want how many"},
		{up + "{by: [alice], need: §2, within: 1s}", "rule a: approval.need: want how many of them must approve, 1 to 1"},
		{up + "{by: [alice], need: §'1', within: 1s}", "rule a: approval.need: want how many"},
		{up + "{by: [alice], need: §-1, within: 1s}", "rule a: approval.need: want how many"},
		{up + "{§by: [alice], need: 1}", "rule a: approval.within: want a duration of whole milliseconds from 1s to 720h, such as 90s or 4h, got \"nothing\""},
		{up + "{by: [alice], need: 1, within: §4}", `rule a: approval.within: want a duration of whole milliseconds from 1s to 720h, such as 90s or 4h, got "4"`},
		{up + "{by: [alice], need: 1, within: §1d}", "rule a: approval.within: want a duration"},
		{up + "{by: [alice], need: 1, within: §999ms}", "rule a: approval.within: want a duration"},
		{up + "{by: [alice], need: 1, within: §720h1s}", "rule a: approval.within: want a duration"},
		{up + "{by: [alice], need: 1, within: §1s1us}", "rule a: approval.within: want a duration of whole milliseconds"},
		{up + "{by: [alice], need: 1, within: §-1s}", "rule a: approval.within: want a duration"},
		{later + "§8h", "want a mapping, got a string"},
		{later + "{for: 8h, §evry: 10m}", `unknown field "evry"`},
		{later + "{§every: 10m}", "rule a: defer.for: want a duration of whole milliseconds from 1s to 720h"},
		{later + "{§for: 8h}", "rule a: defer.every: want a duration of whole milliseconds from 1s to 8h"},
		{later + "{for: §721h, every: 1h}", "rule a: defer.for: want a duration"},
		{later + "{for: 90s, every: §91s}", "rule a: defer.every: want a duration of whole milliseconds from 1s to 1m30s"},
		{later + "{for: 8h, every: §500ms}", "rule a: defer.every: want a duration"},
		{later + "{for: 1001s, every: §1s}", "rule a: defer.every: asks again more than 1000 times in 16m41s"},
		{later + "{for: 1000001ms, every: §1s}", "rule a: defer.every: asks again more than 1000 times in 16m40.001s"},
		{later + "{for: x, every: §721h}", "rule a: defer.every: want a duration of whole milliseconds from 1s to 720h"},
		{"effect: allow, approval: {§by: [alice], need: 1, within: 1s}", "rule a: approval: only for effect step_up"},
		{"effect: deny, defer: {§for: 1s, every: 1s}", "rule a: defer: only for effect defer"},
		{"effect: defer, approval: {§by: [alice], need: 1, within: 1s}, defer: {for: 1s, every: 1s}", "rule a: approval: only for effect step_up"},
		{"effect: step_up, defer: {§for: 1s, every: 1s}, approval: {by: [alice], need: 1, within: 1s}", "rule a: defer: only for effect defer"},
	}
	for _, tt := range tests {
		before, after, found := strings.Cut(tt.rule, "§")
		require.True(t, found, tt.rule)
		data := "name: a\nversion: 1\nrules:\n- {" + before + after + ", id: a, phase: step, actions: ['*'], when: true}"
		_, err := policy.Parse("p.yaml", []byte(data), catalogueOf(t, "testdata/order-desk"))
		require.ErrorIs(t, err, policy.ErrBundle, tt.rule)
		require.ErrorContains(t, err, fmt.Sprintf("p.yaml:4:%d: %s", len("- {")+len(before)+1, tt.want), tt.rule)
		require.True(t, !strings.HasPrefix(tt.want, "rule") || strings.Contains(err.Error(), "\n   4 | - {"), "a caret: %s", tt.rule)
	}
}

// TestParseWaitBounds checks the largest and the smallest waits that are
// right.
func TestParseWaitBounds(t *testing.T) {
	for _, rule := range []string{
		"effect: step_up, approval: {by: [" + strings.Repeat("é", 100) + "], need: 1, within: 1s}",
		"effect: step_up, approval: {by: [Alice Doe, bob@example.com], need: 2, within: 720h}",
		"effect: defer, defer: {for: 1s, every: 1s}",
		"effect: defer, defer: {for: 720h, every: 720h}",
		"effect: defer, defer: {for: 1000s, every: 1s}",
		"effect: defer, defer: {for: 1.5s, every: 1500ms}",
	} {
		data := "name: a\nversion: 1\nrules:\n- {" + rule + ", id: a, phase: step, actions: ['*'], when: true}"
		_, err := policy.Parse("p.yaml", []byte(data), catalogueOf(t, "testdata/order-desk"))
		require.NoError(t, err, rule)
	}
}

// TestRulesDoNotSeeApprovals checks that what people said is no variable.
func TestRulesDoNotSeeApprovals(t *testing.T) {
	for _, name := range []string{"said", "requester", "approvals"} {
		_, err := policy.Parse("p.yaml", source("step allow "+name+" == "+name), catalogueOf(t, "testdata/order-desk"))
		require.ErrorContains(t, err, "undeclared reference to '"+name+"'")
	}
}
