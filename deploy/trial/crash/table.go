package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A table prints results as they come.
type table struct {
	mu      sync.Mutex // guards out, for moments
	out     io.Writer
	verbose bool
}

const form = "%-18s %-7s %-8s %-11s %7s %6s  %s\n"

func newTable(out io.Writer, verbose bool) *table {
	fmt.Fprintf(out, "\n"+form, "killed at", "at", "victim", "verdict", "effects", "took", "")
	return &table{out: out, verbose: verbose}
}

func (t *table) row(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	verdict := string(r.facts.Verdict)
	if verdict == "" {
		verdict = "none"
	}
	said := "ok"
	if r.bad() {
		said = "NOT OK"
	}
	fmt.Fprintf(t.out, form, r.Name, r.at, r.victim, verdict, fmt.Sprint(r.effects), fmt.Sprintf("%.1fs", r.took.Seconds()), said)
	for _, w := range r.wrong {
		fmt.Fprintf(t.out, "    %s\n", w)
	}
	if r.err != nil {
		fmt.Fprintf(t.out, "    %s\n", strings.ReplaceAll(r.err.Error(), "\n", "\n    "))
	}
	if t.verbose || r.bad() {
		t.detail(r)
	}
}

func (t *table) detail(r result) {
	fmt.Fprintf(t.out, "    %s\n    sealed as %s (%s)\n", r.When, r.facts.Verdict, r.facts.Cause)
	for _, s := range r.facts.Steps {
		fmt.Fprintf(t.out, "    step %-7s %-12s outcome %q\n", s.ID, s.State, s.Outcome)
	}
	for _, c := range r.books.Calls {
		fmt.Fprintf(t.out, "    call %s %d, %v before the seal\n", c.What, c.Status, r.facts.Sealed.Sub(c.At).Round(time.Millisecond))
	}
	for _, e := range r.books.Effects {
		fmt.Fprintf(t.out, "    effect %s\n", e.Kind)
	}
}

// sum prints the counts, and returns how many results are bad.
func (t *table) sum(results []result, took time.Duration) int {
	bad, effects := 0, 0
	verdicts := map[string]int{}
	points := map[string]bool{}
	for _, r := range results {
		if r.bad() {
			bad++
		}
		effects += r.effects
		verdicts[string(r.facts.Verdict)]++
		points[r.Name] = true
	}
	fmt.Fprintf(t.out, "\n%d runs at %d points in %v; %d effects; %d not ok\nverdicts:", len(results), len(points), took.Round(time.Second), effects, bad)
	for _, v := range slices.Sorted(maps.Keys(verdicts)) {
		fmt.Fprintf(t.out, " %d %s", verdicts[v], v)
	}
	fmt.Fprintln(t.out)
	return bad
}
