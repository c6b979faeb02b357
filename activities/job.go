package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// MaxResult is the largest result of a step, in bytes.
const MaxResult = 256 << 10

// beatEvery is how often a running step tells Temporal that it is alive, and
// learns whether it was cancelled. The worker's heartbeat throttle must not
// be longer.
const beatEvery = 50 * time.Millisecond

// errTimeout is the cause of the context of a step that took too long.
var errTimeout = errors.New("the attempt took too long")

// errStopping is the cause of the context of a step whose worker stops.
var errStopping = errors.New("the worker stops")

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
	order := orders.stopping(j.decision.Orders.Seq, j.s.concerns(j.decision, j.signed))
	if order == nil || !defence.Stands(defence.GuardObeys) {
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
	order := orders.stopping(j.decision.Orders.Seq, j.s.concerns(j.decision, j.signed))
	if order == nil || !defence.Stands(defence.GuardObeys) {
		return nil
	}
	check, _ := causeOf(order)
	return &orderedError{check}
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

// act calls the executor, and says how it ended.
func (j *job) act(ctx context.Context) (*contract.RunOutput, error) {
	held, v := j.watchOver(ctx)
	if j.late != nil {
		v.cancel(j.late)
	}
	timed, cancel := context.WithTimeoutCause(held, j.action.Timeout, errTimeout)
	yielding, yielded := j.yield(ctx, timed)
	result, err := j.execute(yielding)
	why := context.Cause(yielding) // before the calls below end it as well
	crash.Point("effect.done")
	yielded()
	cancel()
	v.end()
	if err == nil {
		return j.ended(ctx, result)
	}
	out, err := j.failed(ctx, executor.Explain(err), why)
	if err != nil {
		v.rest(ctx)
	}
	return out, err
}

// yield returns a context that also ends, with [errStopping], when this worker
// is told to stop and another one can do the step again. A step that cannot
// be repeated gets all the time that the worker's stop timeout leaves it.
func (j *job) yield(activityCtx, ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if mayRepeat(j.action) {
		stopping := activity.GetWorkerStopChannel(activityCtx)
		go func() {
			select {
			case <-stopping:
				cancel(errStopping)
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}

// execute calls the executor. A panic in it is an error about which nothing
// is known.
func (j *job) execute(ctx context.Context) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &executor.Error{Cause: "executor.panic"}
			j.s.c.Log.Error("executor panicked", zap.String("action", j.call.Action), zap.Any("panic", p))
		}
	}()
	if err := context.Cause(ctx); err != nil {
		return nil, &executor.Error{Cause: "executor.interrupted", NoEffect: true, Err: err}
	}
	return j.send(ctx, j.call)
}

// ended is the outcome of an executor that answered.
func (j *job) ended(ctx context.Context, result json.RawMessage) (*contract.RunOutput, error) {
	tight, err := evidence.Compact(result)
	if err == nil && len(tight) <= MaxResult {
		if out, err := j.finish(ctx, evidence.StatusDone, "", tight); err == nil {
			return out, nil
		} // nested so deep that no statement can hold it
	}
	// It acted; only its answer is of no use.
	if j.action.Effect == catalogue.Read {
		return j.finish(ctx, evidence.StatusFailed, "executor.result", nil)
	}
	return j.finish(ctx, evidence.StatusUnknown, "executor.result", nil)
}

// failed is the one place where an executor's error becomes a status. why is
// the cause of its context, or nil if that was still alive.
func (j *job) failed(ctx context.Context, e *executor.Error, why error) (*contract.RunOutput, error) {
	last := e.Permanent || int(j.attempt) >= j.action.Attempts || !mayRepeat(j.action)
	j.s.c.Log.Info("attempt failed", zap.String("execution", j.call.Execution), zap.String("step", j.call.Step),
		zap.Int32("attempt", j.attempt), zap.String("cause", e.Cause), zap.Bool("last", last), zap.Error(e))
	check := checkOf(why)
	switch {
	case errors.Is(why, errOvertaken):
		return nil, temporal.NewApplicationError("the attempt was overtaken", contract.ErrTypeAttempt)
	case check != "" && check != evidence.CauseUnfit && !isOrder(check) && mayRepeat(j.action) && int(j.attempt) < j.action.Attempts+contract.ExtraAttempts:
		// It has stopped. The next attempt waits for a live lease, and is
		// refused if there is none: a control plane that comes back within
		// that time finds its execution going on.
		return nil, temporal.NewApplicationError("stopped while it ran: "+check, contract.ErrTypeAttempt)
	case check != "" && j.harmless(e):
		return j.finish(ctx, evidence.StatusCancelled, check, nil)
	case check != "":
		return j.finish(ctx, evidence.StatusUnknown, check, nil)
	case temporal.IsCanceledError(why) && j.harmless(e):
		return j.finish(ctx, evidence.StatusCancelled, "step.cancelled", nil)
	case temporal.IsCanceledError(why):
		return j.finish(ctx, evidence.StatusUnknown, "step.cancelled", nil)
	case !last, why != nil && !errors.Is(why, errTimeout) && mayRepeat(j.action):
		// The second is a worker that shuts down: another one goes on.
		return nil, temporal.NewApplicationError("attempt failed: "+j.cause(e, why), contract.ErrTypeAttempt)
	case j.known(e):
		return j.finish(ctx, evidence.StatusFailed, j.cause(e, why), nil)
	}
	return j.finish(ctx, evidence.StatusUnknown, j.cause(e, why), nil)
}

// checkOf returns the failed check for which the guard ended a step, or "".
func checkOf(why error) string {
	switch {
	case errors.Is(why, errLapsed):
		return evidence.CauseLapsed
	case errors.Is(why, errUnfit):
		return evidence.CauseUnfit
	case errors.Is(why, errCutOff):
		return evidence.CauseCutOff
	}
	return orderedCheck(why)
}

// harmless reports whether a step that was stopped surely had no effect: it
// only reads; or the executor says so, and no earlier attempt may have done
// what this one did not. That a step can be repeated says nothing about it:
// nobody repeats one that was stopped.
func (j *job) harmless(e *executor.Error) bool {
	if j.action.Effect == catalogue.Read {
		return true
	}
	return e.NoEffect && (j.attempt == 1 || !mayRepeat(j.action))
}

// known reports whether a step that failed for the last time failed in the
// ordinary way: it was harmless; or what it called said that it failed, and
// would have repeated an earlier answer. An attempt that got no answer leaves
// it open what the ones before it did.
func (j *job) known(e *executor.Error) bool {
	return j.harmless(e) || mayRepeat(j.action) && e.Answered
}

func (j *job) cause(e *executor.Error, why error) string {
	if errors.Is(why, errTimeout) {
		return "step.timeout"
	}
	return e.Cause
}

// finish signs the outcome and puts it beside the slot, so that an answer that
// is lost on its way can be found again.
func (j *job) finish(ctx context.Context, status evidence.Status, cause string, result json.RawMessage) (*contract.RunOutput, error) {
	out, err := j.outcome(status, cause, result)
	if err != nil {
		return nil, err
	}
	crash.Point("outcome.signed")
	// The effect has happened or not: a cancelled context must not lose the
	// record of it. A step that can be repeated need not wait for the disk:
	// losing its answer costs one more attempt with the same key.
	ctx = context.WithoutCancel(ctx)
	if mayRepeat(j.action) {
		j.s.storing.Go(func() { j.store(ctx, out.Outcome) })
	} else {
		j.store(ctx, out.Outcome)
	}
	return out, nil
}

// store puts the outcome beside the slot. Where that fails, the signed outcome
// still reaches the chain through the workflow, which will find the store away
// for itself.
func (j *job) store(ctx context.Context, outcome evidence.Envelope) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if !defence.Stands(defence.SlotBeforeEffect) {
		j.takeNow(ctx)
	}
	if err := j.s.c.Store.Finish(ctx, j.run, j.decision.Step, outcome); err != nil {
		j.s.c.Log.Error("outcome not stored by the worker", zap.String("execution", j.call.Execution), zap.String("step", j.call.Step), zap.Error(err))
		return
	}
	crash.Point("outcome.stored")
}

func (j *job) outcome(status evidence.Status, cause string, result json.RawMessage) (*contract.RunOutput, error) {
	now := max(evidence.TimeOf(j.s.c.Now()), j.started)
	key, err := j.s.key(now)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign how the step ended: %w", err)
	}
	e, err := key.Sign(j.subject, &evidence.Outcome{
		Decision: j.digest, Binding: j.decision.Binding, Step: j.decision.Step, Action: j.decision.Action,
		Worker: j.s.c.Name, Attempt: j.attempt, Started: j.started, At: now,
		Status: status, Cause: cause, Result: result,
	})
	if err != nil {
		return nil, err
	}
	return &contract.RunOutput{Outcome: e, Status: status}, nil
}
