package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
)

// errLapsed means that no live lease was found. It is the cause of the context
// of a step whose lease ended.
var errLapsed = errors.New("the lease is over")

// A leaseholder knows the newest lease of one step's execution. It is owned by
// the goroutine that runs the step, and by hold's while that runs.
type leaseholder struct {
	s     *Steps
	run   store.Run
	d     *evidence.Decision
	until time.Time // with a monotonic reading, so that the wall clock cannot extend it
	ends  evidence.Time
}

func newLeaseholder(s *Steps, run store.Run, d *evidence.Decision) *leaseholder {
	h := &leaseholder{s: s, run: run, d: d}
	h.extend(d.Lease.Until)
	return h
}

// extend moves the end of the lease, measured from now on the monotonic clock.
func (h *leaseholder) extend(ends evidence.Time) {
	if ends <= h.ends {
		return
	}
	now := h.s.c.Now()
	h.ends = ends
	h.until = now.Add(ends.Time().Sub(now.Round(0)))
}

func (h *leaseholder) left() time.Duration { return h.until.Sub(h.s.c.Now()) }

// stored reads the end of the newest lease from the store. Whatever cannot be
// read or believed is no lease.
func (h *leaseholder) stored(ctx context.Context) (evidence.Time, bool) {
	_, signed, err := h.s.c.Store.Lease(ctx, h.run)
	if err != nil {
		return 0, false
	}
	l, err := openLease(h.s.c.Trust, signed, evidence.TimeOf(h.s.c.Now()), h.d.Grant, h.d.Binding)
	return l.Until, err == nil
}

// await returns once there is a live lease, or [errLapsed] if there is none
// for too long.
func (h *leaseholder) await(ctx context.Context) error {
	give := time.NewTimer(h.s.c.Wait)
	defer give.Stop()
	tick := time.NewTicker(h.s.c.Poll)
	defer tick.Stop()
	for {
		if h.left() <= 0 {
			if ends, ok := h.stored(ctx); ok {
				h.extend(ends)
			}
		}
		if h.left() > 0 || !defence.Stands(defence.LeaseLive) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-give.C:
			return fmt.Errorf("%w since %v", errLapsed, h.ends)
		case <-tick.C:
		}
	}
}

// hold returns a context that ends, with [errLapsed] as its cause, when the
// lease does. The caller must call the cancel function, after which h is its
// own again.
//
// The store is asked from a goroutine of its own: one that does not answer
// must not keep the end of the lease from being noticed.
func (h *leaseholder) hold(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	news := make(chan evidence.Time, 1)
	go h.follow(ctx, h.left(), news)
	done := make(chan struct{})
	go func() {
		defer close(done)
		end := time.NewTimer(h.left())
		defer end.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case ends := <-news:
				h.extend(ends)
				end.Reset(h.left())
			case <-end.C:
				if defence.Stands(defence.LeaseLive) {
					cancel(errLapsed)
				}
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled); <-done }
}

// follow reads the newest lease until ctx ends, and sends its end. It asks for
// the first time when half of the lease is over, which spares the store all
// the steps that are shorter than that.
func (h *leaseholder) follow(ctx context.Context, left time.Duration, news chan<- evidence.Time) {
	wait := left / 2
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if ends, ok := h.stored(ctx); ok {
			select {
			case news <- ends:
			case <-ctx.Done():
				return
			}
		}
		wait = h.s.c.Poll
	}
}
