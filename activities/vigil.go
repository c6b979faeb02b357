package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/internal/defence"
)

// The causes of the context of a step that its guard ended while it ran.
// Beside these there is errLapsed.
var (
	// errUnfit: a probe of this step worker failed.
	errUnfit = errors.New("this step worker is not what it should be")
	// errCutOff: nobody can say whether the step is still wanted.
	errCutOff = errors.New("the Temporal service was not reached for too long")
	// errOvertaken: a later attempt at the step has begun, or it has ended.
	errOvertaken = errors.New("a later attempt at the step is in charge")
)

// A vigil is what the guard does while a step runs: it reads the newest lease,
// attests to what this worker is, and tells Temporal that the step is alive.
// The context of the step ends with the lease, whatever else hangs, and as
// soon as one of these says so.
type vigil struct {
	j       *job
	cancel  context.CancelCauseFunc
	counter uint64
	done    chan struct{}
}

// watchOver returns the context for a step, with the reason it ended for as
// its cause, and the vigil, which the caller must end.
func (j *job) watchOver(ctx context.Context) (context.Context, *vigil) {
	ctx, cancel := context.WithCancelCause(ctx)
	v := &vigil{j: j, cancel: cancel, done: make(chan struct{})}
	if j.lease.left() <= 0 && defence.Stands(defence.LeaseLive) { // it ended while the slot was taken: now, not when holdLease gets its turn
		cancel(errLapsed)
	}
	go v.holdLease(ctx)
	go v.holdContact(ctx)
	go v.attestAgain(ctx)
	go v.holdOrders(ctx)
	return ctx, v
}

// end stops the vigil. The step must have stopped. A store that hangs must not
// keep its end from being told.
func (v *vigil) end() {
	v.cancel(context.Canceled)
	select {
	case <-v.done:
	case <-time.After(2 * time.Second):
	}
}

// glance is how soon a machine that was suspended notices that a lease is over:
// timers stand still meanwhile.
const glance = 250 * time.Millisecond

// holdLease ends the step when its lease ends. It does nothing that could
// hang.
func (v *vigil) holdLease(ctx context.Context) {
	for {
		left := v.j.lease.left()
		if left <= 0 {
			if defence.Stands(defence.LeaseLive) {
				v.cancel(errLapsed)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(left, glance)):
		}
	}
}

// holdOrders ends the step when an order stops it, as soon as this process has
// read it: whoever owns Temporal cannot keep it away.
func (v *vigil) holdOrders(ctx context.Context) {
	news, unfollow := v.j.s.orders.follow()
	defer unfollow()
	for {
		orders, changed := news()
		if order := v.j.stoppedBy(orders); order != nil {
			v.cancel(newOrdered(order))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// holdContact ends the step when Temporal was not reached for too long: then
// nobody could tell this worker that the step is no longer wanted.
func (v *vigil) holdContact(ctx context.Context) {
	heard := make(chan struct{})
	go v.call(ctx, heard)
	last := time.Now()
	for {
		// Asked anew each time: how long a lease is may just have been learnt.
		left := time.Until(last.Add(v.j.lease.patience()))
		if left <= 0 {
			v.cancel(errCutOff)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-heard:
			last = time.Now()
		case <-time.After(left):
		}
	}
}

// call reaches out to Temporal again and again.
func (v *vigil) call(ctx context.Context, heard chan<- struct{}) {
	info := activity.GetInfo(ctx)
	for {
		wait := v.j.lease.rhythm()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		once, cancel := context.WithTimeout(ctx, max(v.j.lease.patience()/2, wait))
		err := v.j.s.c.Reach(once, info, v.j.details(once))
		cancel()
		if err != nil {
			v.j.s.c.Log.Warn("Temporal not reached", zap.String("execution", v.j.call.Execution), zap.String("step", v.j.call.Step), zap.Error(err))
			continue
		}
		select {
		case heard <- struct{}{}:
		case <-ctx.Done():
		}
	}
}

// attestAgain reads the newest lease and attests, again and again. The first
// time is after one beat of the rhythm, which spares the store all the steps
// that are shorter; a later attempt says at once that it is in charge.
func (v *vigil) attestAgain(ctx context.Context) {
	defer close(v.done)
	wait := v.j.lease.rhythm()
	if v.j.turn > 1 {
		wait = 0
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		v.j.lease.refresh(ctx)
		if err := v.attest(ctx, false); err != nil {
			v.cancel(err)
			return
		}
		wait = v.j.lease.rhythm()
	}
}

// attest signs and stores what this worker is. It returns an error where the
// step must stop. That the store did not take it is none: then the store has
// no renewed lease for this step either.
func (v *vigil) attest(ctx context.Context, ended bool) error {
	j := v.j
	probes := measure(ctx, j.s.c.Probes, Pinned{Run: j.run, Catalogue: j.decision.Catalogue}, false)
	if ctx.Err() != nil {
		return nil
	}
	if err := j.believed(); err != nil {
		return err
	}
	now := evidence.TimeOf(j.s.c.Now())
	key, err := j.s.key(now)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	v.counter++
	e, err := key.Sign(j.subject, &evidence.Attestation{
		At: now, Decision: j.digest, Binding: j.decision.Binding, Step: j.decision.Step,
		Worker: j.s.c.Name, Attempt: j.turn, Counter: v.counter, Nonce: j.lease.nonce(), Ended: ended,
		Process: j.s.c.Process, Probes: probes,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	crash.Point("attest.signed")
	err = j.s.c.Store.Attest(ctx, store.Attestation{Run: j.run, Step: j.decision.Step, Attempt: j.turn, Counter: v.counter, Signed: e})
	if err == nil {
		crash.Point("attest.stored")
	}
	switch p := failed(probes); {
	case p != nil:
		return fmt.Errorf("%w: probe %s is %s", errUnfit, p.Name, p.Status)
	case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrSuperseded):
		return errOvertaken
	case err != nil && ctx.Err() == nil:
		j.s.c.Log.Warn("attestation not stored", zap.String("execution", j.call.Execution), zap.String("step", j.call.Step), zap.Error(err))
	}
	return nil
}

// rest says that the attempt is over and nothing of it runs, so that nobody
// waits for its attestations until the next one begins. The vigil must have
// ended.
func (v *vigil) rest(ctx context.Context) {
	select {
	case <-v.done:
	default:
		return // an attestation still hangs
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = v.attest(ctx, true) // whoever misses it takes the attempt for a silent one
}
