package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
)

// TestDifferences breaks each expectation of each scene: every one must be
// noticed.
func TestDifferences(t *testing.T) {
	breaks := map[string]func(*facts){
		"verdict":          func(f *facts) { f.verdict = evidence.Unresolved },
		"cause":            func(f *facts) { f.cause = "other" },
		"granted":          func(f *facts) { f.granted = !f.granted },
		"allowed more":     func(f *facts) { f.allowed = append(slices.Clone(f.allowed), "other") },
		"steps":            func(f *facts) { f.steps = f.steps[1:] },
		"called once more": func(f *facts) { f.calls = append(slices.Clone(f.calls), "refund: POST /orders/W5500201/refund 200") },
		"called by nobody": func(f *facts) { f.calls = append(slices.Clone(f.calls), "stranger: GET / 404") },
		"an effect more":   func(f *facts) { f.effects = append(slices.Clone(f.effects), "refund: refund #W5500201 1") },
	}
	for _, sc := range append(story(false), killed) {
		require.Empty(t, sc.want.differences(sc.want), sc.name)
		for name, change := range breaks {
			got := sc.want
			change(&got)
			require.NotEmpty(t, got.differences(sc.want), "%s: %s", sc.name, name)
		}
	}
}

// TestContradictions has what must never be, even if a story wanted it.
func TestContradictions(t *testing.T) {
	tests := []struct {
		name string
		f    facts
		want string
	}{
		{"never allowed", facts{allowed: list{"a"}, calls: list{"b: GET / 200"}}, "without a decision"},
		{"by nobody's key", facts{allowed: list{"a"}, calls: list{"stranger: GET / 200"}}, "without a decision"},
		{"twice", facts{allowed: list{"a"}, effects: list{"a: ship #1 0", "a: ship #1 0"}}, "done twice"},
		{"well", facts{allowed: list{"a"}, calls: list{"a: POST / 200"}, effects: list{"a: ship #1 0"}}, ""},
	}
	for _, tt := range tests {
		found := tt.f.differences(tt.f)
		if tt.want == "" {
			require.Empty(t, found, tt.name)
			continue
		}
		require.Len(t, found, 1, tt.name)
		require.Contains(t, found[0], tt.want)
	}
}

// TestUnexpectedIsAnError: a demo that did not come out right must not exit
// with 0.
func TestUnexpectedIsAnError(t *testing.T) {
	a := &account{name: "1-refund", facts: refund.want}
	a.compare(refund.want)
	require.NoError(t, conclude(folder{}, []*account{a}, &screen{w: t.Output()}))
	a.compare(policyChanges.want)
	require.ErrorIs(t, conclude(folder{}, []*account{a}, &screen{w: t.Output()}), errUnexpected)
}
