package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

// starting is how many executions are started at a time.
const starting = 8

// atOnce kills everything while n steps run.
func (t *trial) atOnce(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 4*patience, fmt.Errorf("it was given %v", 4*patience))
	defer cancel()
	h := newHolders(n)
	t.stage.World.Meet(h.before, nil)
	defer close(h.release)
	starts := time.Now()
	all, err := t.startAll(ctx, n)
	if err != nil {
		return err
	}
	t.say("%d executions were started in %v", n, time.Since(starts))
	if err := h.arrived(ctx); err != nil {
		return err
	}
	t.say("all of them ran after %v", time.Since(starts))
	began := time.Now()
	order, err := t.stage.Agent.Kill(ctx, evidence.Scope{Kind: evidence.ScopeAll}, "a trial")
	if err != nil {
		return err
	}
	told := time.Since(began)
	ended, err := h.gone(ctx)
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, at := range ended {
		took = append(took, at.Sub(began))
	}
	t.row(fmt.Sprintf("kill --all over %d running executions", n), took)
	err = t.concludeAll(ctx, all)
	fmt.Fprintf(t.out, "\nthe order was in the store, and %d executions were told, after %v; the last was sealed after %v\n",
		order.Told, told.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return err
}

func (t *trial) startAll(ctx context.Context, n int) ([]*starter.Execution, error) {
	all := make([]*starter.Execution, n)
	errs := make([]error, n)
	places := make(chan int)
	var working sync.WaitGroup
	for range starting {
		working.Go(func() {
			for i := range places {
				all[i], errs[i] = t.stage.Agent.Start(ctx, rig.Request(fmt.Sprintf("many-%d", i), "one of many", rig.Notify(held)))
			}
		})
	}
	for i := range n {
		places <- i
	}
	close(places)
	working.Wait()
	return all, errors.Join(errs...)
}

// concludeAll waits for all seals first: proofs take a replay each.
func (t *trial) concludeAll(ctx context.Context, all []*starter.Execution) error {
	for _, x := range all {
		if _, err := x.Wait(ctx); err == nil {
			return fmt.Errorf("%w: execution %s completed", errBroken, x.ID())
		}
	}
	var errs []error
	for i := 0; i < len(all); i += 1 + len(all)/20 {
		errs = append(errs, t.conclude(ctx, all[i]))
	}
	return errors.Join(errs...)
}

// Holders keep the first call of each step waiting until its caller hangs up.
// Nothing of those calls is ever done.
type holders struct {
	want    int
	release chan struct{}

	mu    sync.Mutex // guards all below, for moments
	came  int
	left  []time.Time
	moved chan struct{} // closed when one of them changes, and replaced
}

func newHolders(n int) *holders {
	return &holders{want: n, release: make(chan struct{}), moved: make(chan struct{})}
}

var errHeld = errors.New("the call was held until it was given up")

func (h *holders) before(ctx context.Context, c rig.Call) error {
	if c.N > 1 {
		return nil
	}
	h.note(func() { h.came++ })
	select {
	case <-ctx.Done():
		at := time.Now()
		h.note(func() { h.left = append(h.left, at) })
	case <-h.release:
	}
	return errHeld
}

func (h *holders) note(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *holders) wait(ctx context.Context, what string, count func() int) error {
	for {
		h.mu.Lock()
		n, moved := count(), h.moved
		h.mu.Unlock()
		if n >= h.want {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d %s: %w", n, h.want, what, context.Cause(ctx))
		}
	}
}

// arrived waits until all steps have reached the desk.
func (h *holders) arrived(ctx context.Context) error {
	return h.wait(ctx, "steps reached the desk", func() int { return h.came })
}

// gone waits until all callers have hung up, and returns when they did.
func (h *holders) gone(ctx context.Context) ([]time.Time, error) {
	err := h.wait(ctx, "steps ended", func() int { return len(h.left) })
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.left), err
}
