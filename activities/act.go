package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// MaxResult is the largest result of a step, in bytes.
const MaxResult = 256 << 10

// errTimeout is the cause of the context of a step that took too long.
var errTimeout = errors.New("the attempt took too long")

// errStopping is the cause of the context of a step whose worker stops.
var errStopping = errors.New("the worker stops")

// act calls the executor, and says how it ended. Late is why it must not begin
// any more, though the slot is taken; or nil.
func (j *job) act(ctx context.Context, late error) (*contract.RunOutput, error) {
	held, v := j.watchOver(ctx)
	if late != nil {
		v.cancel(late)
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
