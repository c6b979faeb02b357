package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

// options say what is measured.
type options struct {
	dir            string // the working folder; removed and made anew
	fault          string
	lease          time.Duration
	allowance      time.Duration // for scheduling, on a machine with other things to do
	runs, parallel int
	verbose        bool
}

// errBroken means that a step ran on for longer than promised, or that the
// evidence and the desk disagree.
var errBroken = errors.New("the dead-man's switch does not hold what the configuration promises")

// run measures and prints the table.
func run(ctx context.Context, o options, out io.Writer) (map[string][]result, error) {
	some, err := chosen(o.fault)
	if err != nil {
		return nil, err
	}
	r, err := rig.Open(ctx, o.dir, out)
	if err != nil {
		return nil, err
	}
	results, err := measureAll(ctx, r, o, some, out)
	err = errors.Join(err, r.Close())
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	return results, err
}

func measureAll(ctx context.Context, r *rig.Rig, o options, some []fault, out io.Writer) (map[string][]result, error) {
	var lanes []*lane
	var err error
	for i := range o.parallel {
		l, openErr := openLane(ctx, r, fmt.Sprintf("lane%d", i), o.lease)
		if err = openErr; err != nil {
			break
		}
		lanes = append(lanes, l)
	}
	all := map[string][]result{}
	if err == nil {
		t := newTable(out, o)
		for _, f := range some {
			all[f.name] = measureEach(ctx, lanes, f, o.runs, t)
			err = errors.Join(err, t.sum(f, all[f.name]))
		}
	}
	for _, l := range lanes {
		err = errors.Join(err, l.close())
	}
	return all, err
}

// measureEach makes the runs of one fault, one at a time on each lane.
func measureEach(ctx context.Context, lanes []*lane, f fault, runs int, t *table) []result {
	results := make([]result, runs)
	places := make(chan int)
	var working sync.WaitGroup
	for _, l := range lanes {
		working.Go(func() {
			for i := range places {
				results[i] = l.measure(ctx, f, i)
				t.row(f, results[i])
			}
		})
	}
	for i := range runs {
		places <- i
	}
	close(places)
	working.Wait()
	return results
}

// A table prints what was measured.
type table struct {
	mu      sync.Mutex // guards out, for moments
	out     io.Writer
	verbose bool
	bound   time.Duration
}

const form = "%-8s %-42s %5s %8s %8s %8s  %s\n"

func newTable(out io.Writer, o options) *table {
	fmt.Fprintf(out, "\nlease %v, measured every %v; the bound is the lease and %v for scheduling\n\n", o.lease, intervalOf(o.lease), o.allowance)
	fmt.Fprintf(out, form, "fault", "", "runs", "p50", "max", "bound", "")
	return &table{out: out, verbose: o.verbose, bound: o.lease + o.allowance}
}

// row prints one run, if it is asked for or did not go well.
func (t *table) row(f fault, r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verbose {
		fmt.Fprintf(t.out, "  %s: %s, %s (%s), %d effects\n", f.name, r.time(), r.verdict, r.cause, r.effects)
	}
	for _, w := range r.wrong {
		fmt.Fprintf(t.out, "  %s: %s\n", f.name, w)
	}
	if r.err != nil {
		fmt.Fprintf(t.out, "  %s: %v\n", f.name, r.err)
	}
}

func (r result) time() string {
	if !r.ended {
		return ">" + r.took.String()
	}
	return r.took.Round(time.Millisecond).String()
}

// sum prints the line of a fault, and returns [errBroken] if it was not
// survived as promised.
func (t *table) sum(f fault, results []result) error {
	verdicts := map[string]int{}
	held := true
	for _, r := range results {
		verdicts[string(r.verdict)]++
		held = held && r.ok(t.bound)
	}
	sorted := slices.SortedFunc(slices.Values(results), func(a, b result) int { return int(a.took - b.took) })
	said := "ok"
	if !held {
		said = "NOT OK"
	}
	p50, most := sorted[(len(sorted)-1)/2], sorted[len(sorted)-1]
	fmt.Fprintf(t.out, form, f.name, f.what, fmt.Sprint(len(results)), p50.time(), most.time(), t.bound, said+": "+counts(verdicts))
	if !held {
		return fmt.Errorf("%w: %s", errBroken, f.what)
	}
	return nil
}

// ok reports whether the step ended in time, at most one effect came of it, and
// the evidence agrees with the desk.
func (r result) ok(bound time.Duration) bool {
	return r.err == nil && len(r.wrong) == 0 && r.ended && r.took <= bound && r.effects <= 1
}

func counts(all map[string]int) string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%d %s", all[v], v))
	}
	return strings.Join(parts, ", ")
}
