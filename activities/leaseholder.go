package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
)

// errLapsed means that no live lease was found. It is the cause of the context
// of a step whose lease ended.
var errLapsed = errors.New("the lease is over")

// A leaseholder knows the newest lease of one step's execution. It is safe for
// concurrent use.
type leaseholder struct {
	s   *Steps
	run store.Run
	d   *evidence.Decision

	mu     sync.Mutex
	lease  evidence.Lease
	length time.Duration // of the longest lease so far
	signed bool          // the lease is one of a signal, so that length is the grant's
	until  time.Time     // on the monotonic clock, so that the wall clock cannot extend it
	seen   evidence.Time // the largest time in the store
}

// newLeaseholder holds the lease of a decision. Seen is the largest time that
// the store has seen.
func newLeaseholder(s *Steps, run store.Run, d *evidence.Decision, seen evidence.Time) *leaseholder {
	h := &leaseholder{s: s, run: run, d: d, seen: seen}
	h.extend(d.Lease, d.At, false)
	return h
}

// extend moves the end of the lease, measured from now on the monotonic clock.
// Neither a wall clock that was set back since the lease was given, nor one
// that is behind the authority's, makes it longer than it was made.
func (h *leaseholder) extend(l evidence.Lease, given evidence.Time, signed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.Number <= h.lease.Number {
		return
	}
	length := between(given, l.Until)
	left := between(max(evidence.TimeOf(h.s.c.Now()), h.seen), l.Until)
	h.lease, h.signed, h.length = l, h.signed || signed, max(h.length, length)
	h.until = time.Now().Add(min(left, length))
}

func between(a, b evidence.Time) time.Duration { return b.Time().Sub(a.Time()) }

// left returns for how long the lease is live. Both clocks count: the wall clock
// can be set back, and the monotonic one stands still while the machine is
// suspended.
func (h *leaseholder) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(time.Until(h.until), between(evidence.TimeOf(h.s.c.Now()), h.lease.Until))
}

// rhythm returns how often the guard of a running step reads its lease and
// attests: eight times in a lease, but not more often than every 50 ms, and at
// least every second.
func (h *leaseholder) rhythm() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(max(h.length/8, 50*time.Millisecond), time.Second)
}

// patience returns for how long a step may run without reaching Temporal: half
// a lease, once the length of one is known.
func (h *leaseholder) patience() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.signed {
		return max(h.length/2, time.Second)
	}
	return max(h.length/2, 250*time.Millisecond)
}

func (h *leaseholder) nonce() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease.Nonce
}

// refresh reads the newest lease from the store. Whatever cannot be read or
// believed is no lease.
func (h *leaseholder) refresh(ctx context.Context) {
	seen, err := h.s.c.Store.Seen(ctx)
	if err != nil {
		return
	}
	h.mu.Lock()
	h.seen = max(h.seen, seen)
	h.mu.Unlock()
	_, signed, err := h.s.c.Store.Lease(ctx, h.run)
	if err != nil {
		return
	}
	s, err := openLease(h.s.c.Trust, signed, evidence.TimeOf(h.s.c.Now()), h.d.Grant, h.d.Binding)
	if err == nil {
		h.extend(s.Lease, s.At, true)
	}
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
			h.refresh(ctx)
		}
		if h.left() > 0 || !defence.Stands(defence.LeaseLive) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-give.C:
			return fmt.Errorf("%w since %v", errLapsed, h.lease.Until)
		case <-tick.C:
		}
	}
}
