package policy_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy"
)

// patience is how long the worst input may take: rules are bounded, so the
// time is too, even on a busy machine.
const patience = 20 * time.Second

// FuzzParse parses any bytes as a bundle. What parses must have rules and
// must not allow what it has no allow rule for.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Add(source("step allow true", "admit deny false", "integrity deny now < now"))
	f.Add(source("step step_up true", "step defer now < now", "step allow true"))
	actions := catalogueOf(f, "testdata/order-desk")
	f.Fuzz(func(t *testing.T, data []byte) {
		begin := time.Now()
		bundle, err := policy.Parse("p.yaml", data, actions)
		if err != nil {
			require.ErrorIs(t, err, policy.ErrBundle)
			require.Nil(t, bundle)
			return
		}
		require.NotEmpty(t, bundle.Rules())
		allows := map[evidence.Phase]bool{evidence.PhaseIntegrity: true}
		for _, r := range bundle.Rules() {
			allows[r.Phase] = allows[r.Phase] || r.Effect == evidence.Allow
		}
		for _, phase := range []evidence.Phase{evidence.PhaseAdmit, evidence.PhaseStep, evidence.PhaseIntegrity} {
			f := facts(phase)
			got := bundle.Decide(f)
			check(t, f, got)
			require.False(t, got.Effect.Allows() && !allows[phase], "allowed without a rule")
		}
		_, _ = policy.ParseCases("c.yaml", data)
		require.Less(t, time.Since(begin), patience)
	})
}

// FuzzDecide decides any facts with the golden bundles, twice.
func FuzzDecide(f *testing.F) {
	var bundles []*policy.Bundle
	for _, dir := range directories(f) {
		bundle, _ := load(f, dir)
		bundles = append(bundles, bundle)
	}
	f.Add("step", "orders.refund", []byte(`{"order_id":"A","customer":"c","amount":1}`), []byte(`{"total":1}`), "c", int64(0), "alice", "")
	f.Add("step", "deploy.rollout", []byte(`{"service":"web-a","replicas":2,"labels":{"a":"b"}}`), []byte(`null`), "c", int64(-1), "", "dave")
	f.Add("admit", "", []byte(`{}`), []byte(``), "support.refund", int64(1<<62), "bob", "bob")
	f.Add("integrity", "x", []byte(`[1e999]`), []byte(`{"a":1,"a":2}`), "\xff", int64(5), "\xff", "dave")
	f.Add("step", "payments.refund", []byte(`{"cents":20000}`), []byte(`{}`), "c", int64(1_767_268_800_000), "bob", "alice")
	f.Fuzz(func(t *testing.T, phase, action string, args, result []byte, text string, now int64, holder, requester string) {
		begin := time.Now()
		step := evidence.Step{ID: text, Action: action, Needs: []string{text}, Args: json.RawMessage(args)}
		facts := evidence.Facts{
			Phase:   evidence.Phase(phase),
			Now:     evidence.Time(now),
			Request: &evidence.Request{Principal: text, Purpose: text, Context: map[string]string{"customer": text}, Steps: []evidence.Step{step}, Issued: evidence.Time(now)},
			Step:    &step,
			Lineage: []evidence.Past{{Step: text, Action: action, Args: args, Result: result, Status: "done"}},
			Probes:  []evidence.Probe{{Name: text, Status: evidence.ProbeStatus(text)}},

			Requester: requester,
		}
		if holder != "" {
			facts.Said = evidence.Approvals{said(holder, facts.Now, "approve"), said("carol", facts.Now, evidence.Word(text))}
		}
		for _, bundle := range bundles {
			got := bundle.Decide(facts)
			check(t, facts, got)
			require.Equal(t, got, bundle.Decide(facts))
			if phase != "integrity" && got.Effect.Allows() {
				require.NotEmpty(t, got.Rules, "allowed without a rule")
			}
			var none policy.Bundle
			require.False(t, none.Decide(facts).Effect.Allows())
		}
		require.Less(t, time.Since(begin), patience)
	})
}
