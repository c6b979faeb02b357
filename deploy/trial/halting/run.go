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

const (
	lease    = 10 * time.Second // as by default
	interval = time.Second
	patience = 3 * time.Minute // for one run, and for each execution of many
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
	where, names := rig.File, []string{rig.Control, rig.Steps}
	if o.postgres {
		where, names = rig.SharedServer, append(names, rig.Twin(rig.Control), rig.Twin(rig.Steps))
	}
	s, err := r.Stage(ctx, "halting", rig.Options{Lease: lease, Interval: interval, Heartbeat: 30 * time.Second, Store: where})
	if err != nil {
		return err
	}
	t := &trial{stage: s, out: out, verbose: o.verbose}
	err = s.Start(ctx, nil, names...)
	if err == nil {
		err = t.all(ctx, o)
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

func (t *trial) all(ctx context.Context, o options) error {
	if err := t.makeCommand(ctx); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "\n"+form, "from the order to the end of the step's context", "runs", "p50", "p90", "max")
	var errs []error
	for _, w := range t.ways() {
		errs = append(errs, t.oneByOne(ctx, w, o.runs))
	}
	return errors.Join(append(errs, t.atOnce(ctx, o.all))...)
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
