package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

// options say which trials run, and how.
type options struct {
	dir           string // the working folder; removed and made anew
	point, victim string
	store         string // sqlite, also if it is empty, or postgres
	parallel      int
	pause         time.Duration // how long the victims stay dead
	verbose, keep bool
}

// errViolated means that something did not hold.
var errViolated = errors.New("not every execution came out as it must")

// run runs the trials that the options ask for.
func run(ctx context.Context, o options, out io.Writer) ([]result, error) {
	trials, err := chosen(o)
	if err != nil {
		return nil, err
	}
	return runTrials(ctx, o, trials, out)
}

// runTrials runs trials and prints the table.
func runTrials(ctx context.Context, o options, trials []trial, out io.Writer) ([]result, error) {
	r, err := rig.Open(ctx, o.dir, out)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	t := newTable(out, o.verbose)
	results := each(ctx, o, trials, func(tr trial) result {
		res := stageTrial(ctx, r, tr, o)
		t.row(res)
		return res
	})
	err = r.Close()
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	if bad := t.sum(results, time.Since(began)); bad > 0 {
		err = errors.Join(fmt.Errorf("%w: %d of %d; their folders are in %s", errViolated, bad, len(results), o.dir), err)
	}
	return results, err
}

// each does the trials, several at a time, and returns the results in their
// order.
func each(ctx context.Context, o options, trials []trial, do func(trial) result) []result {
	results := make([]result, len(trials))
	places := make(chan int)
	var working sync.WaitGroup
	for range o.parallel {
		working.Go(func() {
			for i := range places {
				results[i] = do(trials[i])
			}
		})
	}
	for i := range trials {
		if ctx.Err() != nil {
			break
		}
		places <- i
	}
	close(places)
	working.Wait()
	return results
}
