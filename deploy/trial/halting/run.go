package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

// options say what is measured.
type options struct {
	dir       string // the working folder; removed and made anew
	runs, all int
	postgres  bool
	verbose   bool
}

// Those that are revoked one by one have the terms of the default
// configuration. Two hundred steps at once are more than two cores can attest to
// every second, beside a Temporal server that hears of each of them twenty times
// a second: they would lose their leases before the last of them runs.
const (
	lease        = 10 * time.Second
	interval     = time.Second
	manyLease    = time.Minute
	manyInterval = 5 * time.Second
	patience     = 3 * time.Minute // for one run, and for each execution of many
)

// errBroken means that something ran on, or that evidence and desk disagree.
var errBroken = errors.New("an order did not do what it says")

func run(ctx context.Context, o options, out io.Writer) error {
	r, err := rig.Open(ctx, o.dir, out)
	if err != nil {
		return err
	}
	err = measure(ctx, r, o, out)
	return errors.Join(err, r.Close())
}

func measure(ctx context.Context, r *rig.Rig, o options, out io.Writer) error {
	fmt.Fprintf(out, "\n"+form, "from the order to the end of the step's context", "runs", "p50", "p90", "max")
	return errors.Join(
		on(ctx, r, "one", rig.Options{Lease: lease, Interval: interval}, o, out, func(t *trial) error { return t.eachWay(ctx, o.runs) }),
		on(ctx, r, "many", rig.Options{Lease: manyLease, Interval: manyInterval}, o, out, func(t *trial) error { return t.atOnce(ctx, o.all) }),
	)
}

// on measures on a stage of its own.
func on(ctx context.Context, r *rig.Rig, name string, terms rig.Options, o options, out io.Writer, measure func(*trial) error) error {
	names := []string{rig.Control, rig.Steps}
	terms.Heartbeat = 30 * time.Second
	if o.postgres {
		terms.Store = rig.SharedServer
		names = append(names, rig.Twin(rig.Control), rig.Twin(rig.Steps))
	}
	s, err := r.Stage(ctx, name, terms)
	if err != nil {
		return err
	}
	err = s.Start(ctx, nil, names...)
	if err == nil {
		err = measure(&trial{stage: s, out: out, verbose: o.verbose})
	}
	return errors.Join(err, s.Close())
}

// A trial is the measuring on one stage.
type trial struct {
	stage   *rig.Stage
	out     io.Writer
	verbose bool
	command []string // the command line, up to the command
}

const form = "%-44s %5s %8s %8s %8s\n"

func (t *trial) eachWay(ctx context.Context, runs int) error {
	if err := t.makeCommand(ctx); err != nil {
		return err
	}
	var errs []error
	for _, w := range t.ways() {
		errs = append(errs, t.oneByOne(ctx, w, runs))
	}
	return errors.Join(errs...)
}

// row prints what was measured in one way.
func (t *trial) row(what string, took []time.Duration) {
	sorted := slices.Sorted(slices.Values(took))
	at := func(percent int) string { return sorted[(len(sorted)-1)*percent/100].Round(time.Millisecond).String() }
	fmt.Fprintf(t.out, form, what, fmt.Sprint(len(sorted)), at(50), at(90), at(100))
}

func (t *trial) say(format string, args ...any) {
	if t.verbose {
		fmt.Fprintf(t.out, "  "+format+"\n", args...)
	}
}
