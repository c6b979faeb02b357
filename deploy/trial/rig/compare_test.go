package rig

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
)

// well is an execution about which everything agrees.
func well() (Facts, Books) {
	sealed := time.Now()
	at := sealed.Add(-time.Second)
	return Facts{Verdict: evidence.Completed, Sealed: sealed, Steps: []StepFacts{
			{ID: "lookup", Action: "orders.lookup", Key: "k1", Outcome: evidence.StatusDone, State: evidence.StateDone},
			{ID: "refund", Action: "orders.refund", Key: "k2", Outcome: evidence.StatusDone, State: evidence.StateDone},
			{ID: "letter", Action: "orders.letter", Key: "k3", Outcome: evidence.StatusDone, State: evidence.StateDone},
		}}, Books{
			Calls: []Arrival{
				{Key: "k1", What: "GET /orders/1", At: at, Status: 200},
				{Key: "k2", What: "POST /orders/1/refund", At: at, Status: 200},
				{Key: "k3", What: "POST /letters/1", At: at, Status: 200},
			},
			Effects: []Effect{{Key: "k2", Kind: "refund"}, {Key: "k3", Kind: "letter"}},
		}
}

// TestCompare makes the books and the evidence differ in every way there is.
func TestCompare(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Facts, *Books)
		want   string // "" if they agree
	}{
		{"all is well", func(*Facts, *Books) {}, ""},
		{"a second attempt that the desk recognised", func(_ *Facts, b *Books) { b.Calls = append(b.Calls, b.Calls[1]) }, ""},
		{"unresolved, and it happened", func(f *Facts, _ *Books) {
			f.Steps[2].Outcome, f.Steps[2].State = evidence.StatusUnknown, evidence.StateUnresolved
		}, ""},
		{"unresolved, and it did not", func(f *Facts, b *Books) {
			f.Steps[2].Outcome, f.Steps[2].State, b.Effects = "", evidence.StateUnresolved, b.Effects[:1]
		}, ""},
		{"unresolved, and it arrives after the seal", func(f *Facts, b *Books) {
			f.Steps[2].Outcome, f.Steps[2].State, b.Calls[2].At = "", evidence.StateUnresolved, f.Sealed.Add(time.Second)
		}, ""},

		{"twice", func(_ *Facts, b *Books) { b.Effects = append(b.Effects, b.Effects[1]) }, "the letter of step letter happened 2 times"},
		{"twice and unresolved", func(f *Facts, b *Books) {
			b.Effects, f.Steps[2].State = append(b.Effects, b.Effects[1]), evidence.StateUnresolved
		}, "happened 2 times"},
		{"nobody allowed it", func(f *Facts, _ *Books) { f.Steps[2].Key = "" }, "no decision allows the letter"},
		{"nobody allowed asking", func(_ *Facts, b *Books) { b.Calls = append(b.Calls, Arrival{Key: "k4", What: "GET /"}) }, "no decision allows the call GET /"},
		{"a call without a key", func(_ *Facts, b *Books) { b.Calls = append(b.Calls, Arrival{What: "GET /"}) }, "no decision allows the call GET /"},
		{"something else was done", func(_ *Facts, b *Books) { b.Effects[0].Kind = "letter" }, "the effect of step refund (orders.refund) is a letter"},
		{"a read that did something", func(_ *Facts, b *Books) { b.Effects[0].Key = "k1" }, "the effect of step lookup (orders.lookup) is a refund"},
		{"no outcome", func(f *Facts, _ *Books) { f.Steps[2].Outcome, f.Steps[2].State = "", evidence.StateNotStarted }, "silent gap"},
		{"said to have failed", func(f *Facts, _ *Books) {
			f.Steps[2].Outcome, f.Steps[2].State = evidence.StatusFailed, evidence.StateFailed
		}, "silent gap"},
		{"done and it did not happen", func(_ *Facts, b *Books) { b.Effects = b.Effects[:1] }, "its letter did not happen"},
		{"read and no answer", func(_ *Facts, b *Books) { b.Calls[0].Status = 0 }, "the desk answered no such call"},
		{"after the seal", func(f *Facts, b *Books) { b.Calls[1].At = f.Sealed.Add(time.Second) }, "arrived 1s after the seal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, b := well()
			tt.change(&f, &b)
			wrong := Compare(f, b)
			if tt.want == "" {
				require.Empty(t, wrong)
				return
			}
			require.Contains(t, strings.Join(wrong, "\n"), tt.want)
		})
	}
}
