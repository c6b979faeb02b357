package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// beatEvery is how often a running step tells Temporal that it is alive, and
// learns whether it was cancelled. The worker's heartbeat throttle must not
// be longer.
const beatEvery = 50 * time.Millisecond

// beat heartbeats until the returned function is called. The first beat waits
// one interval, which spares Temporal all the steps that are shorter.
func beat(ctx context.Context, pulse func(context.Context)) func() {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				// Also after a cancellation, for as long as the step takes to
				// stop: a worker that falls silent is taken for dead, and the
				// execution would be sealed while the step still runs.
				pulse(context.WithoutCancel(ctx))
			}
		}
	}()
	return func() { close(done) }
}

func (j *job) awaitLease(ctx context.Context) error { return j.lease.await(ctx) }

// refused is the answer when there was no live lease: a signed one, because
// the decision was good. It says that nothing began only if that is so, and
// stays so: an earlier attempt may have taken the slot, and a later one could,
// so the slot is taken for good. Whoever owns Temporal chooses which of two
// outcomes the workflow gets.
func (j *job) refused(ctx context.Context, err error) (*contract.RunOutput, error) {
	if !errors.Is(err, errLapsed) {
		return nil, err // cancelled while it waited; Seal looks at the slot
	}
	slot, err := j.s.c.Store.Take(ctx, store.Slot{
		Run: j.run, Step: j.decision.Step, Decision: j.digest, Place: j.decision.Position, Key: j.decision.Key, Worker: fenced, At: j.started, Orders: anyOrders,
	})
	switch {
	case err == nil:
		return j.finish(ctx, evidence.StatusRefused, "lease", nil)
	case errors.Is(err, store.ErrNoRun):
		return nil, refuse("store", "this worker's evidence store is not the one of the control plane")
	case !errors.Is(err, store.ErrTaken):
		return nil, storeError(err)
	case slot.Decision != j.digest:
		return nil, refuse("slot", "the effect slot was taken for another decision")
	case slot.Outcome != nil:
		return j.again(*slot.Outcome)
	case slot.Worker == fenced:
		return nil, refuse("sealed", "the step was given up, or the execution is over")
	case j.action.Effect != catalogue.Read:
		return j.finish(ctx, evidence.StatusUnknown, evidence.CauseLapsed, nil)
	}
	return j.finish(ctx, evidence.StatusRefused, "lease", nil)
}

// take takes the effect slot of the step. It returns an output where the step
// has ended before: an outcome that was lost on its way, or the word that
// nobody knows. Nothing is returned where the attempt may go on.
func (j *job) take(ctx context.Context) (*contract.RunOutput, error) {
	if !defence.Stands(defence.SlotBeforeEffect) {
		return j.takeLate(ctx)
	}
	slot, err := j.takeSlot(ctx)
	switch {
	case isRefusal(err):
		return nil, err
	case err == nil, overlooked(err):
		return nil, nil
	case errors.Is(err, store.ErrNoRun):
		return nil, refuse("store", "this worker's evidence store is not the one of the control plane")
	case !errors.Is(err, store.ErrTaken):
		return nil, storeError(err)
	case slot.Decision != j.digest:
		return nil, refuse("slot", "the effect slot was taken for another decision")
	case slot.Outcome != nil:
		return j.again(*slot.Outcome)
	case slot.Worker == fenced:
		return nil, refuse("sealed", "the step was given up, or the execution is over")
	case mayRepeat(j.action):
		return nil, j.repeats(ctx)
	}
	// An earlier attempt took the slot and never answered. Whether it acted
	// cannot be known here.
	return j.finish(ctx, evidence.StatusUnknown, "step.interrupted", nil)
}

// takeSlot takes the slot, unless an order has come that stops the step. In the
// transaction that takes it no order is newer than those that were read: from
// the moment an order is in the store, nothing begins that it stops.
func (j *job) takeSlot(ctx context.Context) (slot store.Slot, err error) {
	for range 10 {
		slot, err = j.s.c.Store.Take(ctx, store.Slot{
			Run: j.run, Step: j.decision.Step, Decision: j.digest, Place: j.decision.Position, Key: j.decision.Key,
			Worker: j.s.c.Name, At: j.started, Orders: j.orders,
		})
		if !errors.Is(err, store.ErrOrders) {
			return slot, err
		}
		if err := j.obey(ctx); err != nil {
			return slot, err
		}
	}
	return slot, err
}

// obey reads the orders, and refuses if one of them stops the step.
func (j *job) obey(ctx context.Context) error {
	orders, err := j.s.orders.read(ctx)
	if err != nil && defence.Stands(defence.StoreAway) {
		return storeError(err)
	}
	j.orders = orders.head.Seq
	order := j.stoppedBy(orders)
	if order == nil {
		return nil
	}
	check, reason := causeOf(order)
	return temporal.NewNonRetryableApplicationError("refused by the guard: "+reason, contract.ErrTypeRefused, nil, contract.Cause{Check: check, Reason: reason})
}

// ordered returns why a step that has waited must not begin any more, or nil.
func (j *job) ordered(ctx context.Context) error {
	orders, err := j.s.orders.read(ctx)
	if err != nil {
		return errLapsed // it cannot be known, and another attempt may find out
	}
	if order := j.stoppedBy(orders); order != nil {
		return newOrdered(order)
	}
	return nil
}

// stoppedBy returns the order that stops the step, or nil.
func (j *job) stoppedBy(orders standing) *evidence.Record {
	if !defence.Stands(defence.GuardObeys) {
		return nil
	}
	return orders.stopping(j.decision.Orders.Seq, j.s.concerns(j.decision, j.signed))
}

// isRefusal reports whether err is the guard's refusal, or the store's absence,
// as an activity returns it.
func isRefusal(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app)
}

// repeats notes that an earlier attempt took the slot. Temporal's own count
// does not say so: whoever may write to the namespace can make it begin anew,
// and what the earlier attempt did would then go unmentioned.
//
// Its attestations come after those of the earlier attempts, which end then,
// wherever they still run.
//
// A step that began before the seal is not begun again after it.
func (j *job) repeats(ctx context.Context) error {
	if over, err := j.s.over(ctx, j.run); err != nil {
		return storeError(err)
	} else if over {
		return refuse("sealed", "the execution is over")
	}
	if err := j.obey(ctx); err != nil { // no slot is taken that could say it
		return err
	}
	if !defence.Stands(defence.AttemptsCounted) {
		return nil
	}
	j.attempt = max(j.attempt, 2)
	j.call.Attempt, j.turn = j.attempt, j.attempt
	said, err := j.s.c.Store.Attestations(ctx, j.run)
	if err != nil {
		return storeError(err)
	}
	for _, a := range said {
		if a.Step == j.decision.Step {
			j.turn = max(j.turn, a.Attempt+1)
		}
	}
	return nil
}

// over reports whether the recorder has begun to seal an execution in which a
// step was open.
func (s *Steps) over(ctx context.Context, run store.Run) (bool, error) {
	slots, err := s.c.Store.Slots(ctx, run)
	return slices.ContainsFunc(slots, isSealing), err
}

// again returns the outcome that an earlier attempt stored.
func (j *job) again(e evidence.Envelope) (*contract.RunOutput, error) {
	rec, err := openUnmarked(j.s.c.Trust, e)
	if err != nil {
		return nil, refuse("slot", sentence(err))
	}
	o, ok := rec.Predicate.(*evidence.Outcome)
	if !ok || o.Decision != j.digest {
		return nil, refuse("slot", "the stored outcome is not this step's")
	}
	return &contract.RunOutput{Outcome: e, Status: o.Status}, nil
}
