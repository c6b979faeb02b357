package activities

import (
	"context"
	"errors"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// This file is what the product would do without some of its defences, as
// somebody would write it who did not think of the attack. Only attack tests
// get here: in an ordinary build every branch that asks for a defence that is
// down is left out. See package defence.

// openBehind is [openNow] behind a defence. Without it, a record is whatever
// it says that it is.
func openBehind(d defence.Name, trust *evidence.Trust, e evidence.Envelope, now evidence.Time) (*evidence.Record, error) {
	if !defence.Stands(d) {
		return e.Decode()
	}
	return openNow(trust, e, now)
}

// receivable is [openUnmarked] behind [defence.OutcomeSignature].
func receivable(trust *evidence.Trust, e evidence.Envelope) (*evidence.Record, error) {
	if !defence.Stands(defence.OutcomeSignature) {
		return e.Decode()
	}
	return openUnmarked(trust, e)
}

// overlooked reports whether taking a slot failed in a way that nobody would
// notice without one of the defences.
func overlooked(err error) bool {
	switch {
	case !defence.Stands(defence.SlotOnce) && errors.Is(err, store.ErrTaken):
		return true
	case !defence.Stands(defence.KnownRun) && errors.Is(err, store.ErrNoRun):
		return true
	}
	return !defence.Stands(defence.StoreAway) && errors.Is(err, store.ErrUnavailable)
}

// takeUnread takes a slot with whatever decision was presented, before it is
// verified.
func (s *Steps) takeUnread(ctx context.Context, in contract.RunInput) {
	rec, err := in.Decision.Decode()
	if err != nil {
		return
	}
	if d, ok := rec.Predicate.(*evidence.Decision); ok {
		_, _ = s.c.Store.Take(ctx, store.Slot{Run: runOf(ctx), Step: d.Step, Decision: rec.Digest, Place: d.Position, Key: d.Key, Worker: s.c.Name, At: d.At, Orders: anyOrders})
	}
}

// takeLate looks whether a step is recorded as done. What is not, is recorded
// when it is done, with [job.takeNow].
func (j *job) takeLate(ctx context.Context) (*contract.RunOutput, error) {
	slots, err := j.s.c.Store.Slots(ctx, j.run)
	if err != nil {
		return nil, storeError(err)
	}
	for _, slot := range slots {
		if slot.Step == j.decision.Step && slot.Outcome != nil {
			return j.again(*slot.Outcome)
		}
	}
	return nil, nil
}

func (j *job) takeNow(ctx context.Context) {
	_, _ = j.s.c.Store.Take(ctx, store.Slot{
		Run: j.run, Step: j.decision.Step, Decision: j.digest, Place: j.decision.Position, Key: j.decision.Key,
		Worker: j.s.c.Name, At: j.started, Orders: anyOrders,
	})
}

// onceOnly returns the nonce that is to be consumed with a request.
func onceOnly(n *store.Nonce) *store.Nonce {
	if !defence.Stands(defence.NonceOnce) {
		return nil
	}
	return n
}

// chainOf returns the run whose chain a decision goes on with. Without
// [defence.ChainOfRun], any run of the workflow that this process knows will
// do.
func (c *Control) chainOf(ctx context.Context) store.Run {
	run := runOf(ctx)
	if defence.Stands(defence.ChainOfRun) {
		return run
	}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	for other, x := range c.cache.runs {
		if x.loaded && x.stored.Seq > 0 && other.Namespace == run.Namespace && other.Workflow == run.Workflow {
			return other
		}
	}
	return run
}
