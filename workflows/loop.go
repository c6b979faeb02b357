package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// A loop is the running of an admitted execution: one coroutine that decides,
// hands out steps, and waits for whatever comes first.
type loop struct {
	x        *execution
	ticket   *contract.Ticket
	ctx      workflow.Context // cancelled by the one who asked for it
	steps    workflow.Context // cancelled when the execution stops
	stop     workflow.CancelFunc
	sel      workflow.Selector
	timer    workflow.CancelFunc // of the timer that starts Watch
	watching bool                // Watch runs
	unwatch  workflow.CancelFunc // stops Watch, and nothing else
	next     *contract.Handover  // what the run leaves, once it has handed over
	lapses   int                 // how often in a row the lease was not live
	lapsedAt time.Time           // the first time of those
	paused   bool                // until a timer ends: the evidence store does not answer
	over     bool                // no step may be handed out any more
	halt     contract.Cause
}

// runAll runs the steps of an admitted execution to their end, whatever that
// is. It returns the check that failed, or none; or what it leaves to the run
// that the execution continues as.
func (x *execution) runAll(ctx workflow.Context, t *contract.Ticket, stopped bool) (contract.Cause, *contract.Handover) {
	// A child of the root context that outlives its cancellation: the loop
	// itself hears of that, stops the steps, and waits for them.
	steps, stop := workflow.NewDisconnectedContext(ctx)
	steps, stopSteps := workflow.WithCancel(steps)
	l := &loop{x: x, ticket: t, ctx: ctx, steps: steps, sel: workflow.NewSelector(ctx)}
	l.stop = func() { stopSteps(); stop() }
	defer l.stop()
	l.sel.AddFuture(cancelled(ctx), func(workflow.Future) { l.end("asked to stop") })
	if ctx.Err() != nil || stopped {
		l.end("asked to stop before anything began")
		return l.halt, nil
	}
	l.x.inbox.state = inboxOpen
	l.sel.AddReceive(x.arrivals, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	l.watchLater()
	l.proceed()
	for !l.done() {
		l.sel.Select(ctx)
		l.proceed()
	}
	return l.halt, l.next
}

// cancelled returns a future that is ready once ctx is cancelled. (The Done
// channel itself would stay ready, and keep a selector from ever waiting.)
func cancelled(ctx workflow.Context) workflow.Future {
	future, settable := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		settable.Set(nil, nil)
	})
	return future
}

// done reports whether nothing runs and nothing more will.
func (l *loop) done() bool {
	if l.x.running() > 0 {
		return false
	}
	if l.over || l.next != nil {
		return true
	}
	for _, s := range l.x.steps {
		if s.status == "" {
			return false
		}
	}
	return true
}

// proceed decides and hands out what can be, now that something happened.
func (l *loop) proceed() {
	for !l.over && l.next == nil && !l.paused {
		if l.full() {
			l.handOver()
			return
		}
		ready := l.x.ready()
		if len(ready) == 0 && !l.mustRecord() {
			return
		}
		if !l.decide(ready) {
			return
		}
	}
}

// mustRecord reports whether something waits to be stored that cannot wait for
// the next decision or the seal: a message, a signal, or an outcome while other steps run.
// Whoever watches those would wait in vain for the worker of the one that ended
// if that died before it could store the outcome itself.
func (l *loop) mustRecord() bool {
	return len(l.x.inbox.waiting) > 0 || l.x.unstoredSignals > 0 || len(l.x.fresh) > 0 && l.x.running() > 0
}

// decide asks about the ready steps and starts those that are allowed. It
// returns false if it must be asked again later.
func (l *loop) decide(ready []string) bool {
	var out contract.DecideOutput
	in := contract.DecideInput{Head: l.x.chain.Next(), Fresh: l.x.fresh, Steps: ready, Messages: l.x.messages()}
	err := workflow.ExecuteLocalActivity(checking(l.steps, decideSummary(ready)), contract.Decide, in).Get(l.steps, &out)
	if l.waits(err) {
		return false
	}
	if err != nil {
		l.trip(contract.Cause{Check: checkOf(err, "decide.error"), Reason: "a decision could not be recorded"})
		return false
	}
	l.x.recorded(out)
	l.x.answered(out.Heard)
	if !out.Handover.IsZero() { // stored before, and the answer was lost
		l.handedOver(out.Handover)
		return false
	}
	for _, w := range out.Waiting {
		l.wait(w)
	}
	for _, w := range out.Allowed {
		l.start(w)
	}
	switch {
	case out.Halt:
		l.trip(out.Stop)
	case out.Stop.Check != "":
		l.end(out.Stop.Check)
	case out.Lapsed:
		return l.lapsed()
	case !l.allStarted(ready):
		l.trip(contract.Cause{Check: "decide.silent", Reason: "a step was neither allowed nor denied"})
	default:
		l.lapses = 0
	}
	return true
}

// wait notes that a step is to be decided again, at the latest when its wait
// says so.
func (l *loop) wait(w contract.Wait) {
	s := l.x.byID[w.Step]
	if s == nil || s.ordered {
		return
	}
	again := s.wait != nil && s.wait.Decision == w.Decision && s.wait.At == w.At && !s.late
	s.wait, s.due, s.late = &w, false, false
	if again {
		return // its timer runs already
	}
	// Its clock may be behind the control plane's: not too often.
	wait := max(w.At.Time().Sub(workflow.Now(l.ctx)), 250*time.Millisecond)
	timer := workflow.NewTimerWithOptions(l.steps, wait, workflow.TimerOptions{Summary: string(w.Effect) + ": " + w.Step})
	l.sel.AddFuture(timer, func(f workflow.Future) {
		if f.Get(l.steps, nil) == nil && s.wait != nil && s.wait.Decision == w.Decision {
			s.due, s.late = true, true
		}
	})
}

// allStarted reports whether every step that was asked for was handed out, or
// waits.
func (l *loop) allStarted(ids []string) bool {
	for _, id := range ids {
		if s := l.x.byID[id]; !s.ordered && (s.wait == nil || s.due) {
			return false
		}
	}
	return true
}

// waits reports whether the evidence store did not answer and is to be asked
// again later. Nothing is decided meanwhile.
func (l *loop) waits(err error) bool {
	wait := l.x.heard(l.ctx, err)
	if wait == 0 {
		return false
	}
	l.paused = true
	l.sel.AddFuture(l.x.pause(l.steps, wait), func(workflow.Future) { l.paused = false })
	return true
}

// lapsed waits for the lease to be renewed, for as long as that can take when
// a control plane starts again, and halts after that. A store that can be read
// and not written to looks like this, too: Watch is then as patient as it is
// with any other outage.
func (l *loop) lapsed() bool {
	if l.lapses == 0 {
		l.lapsedAt = workflow.Now(l.ctx)
	}
	l.lapses++
	wait := max(time.Duration(l.ticket.Terms.IntervalMS)*time.Millisecond, 100*time.Millisecond)
	if l.lapses > 30 {
		if workflow.Now(l.ctx).Sub(l.lapsedAt) >= 30*wait+outageOf(l.ticket) {
			l.trip(contract.Cause{Check: evidence.CauseLapsed, Reason: "the lease was not renewed"})
			return false
		}
		wait = max(wait, outageOf(l.ticket)/shareOfWait)
	}
	l.watchNow()
	l.sel.AddFuture(workflow.NewTimerWithOptions(l.steps, wait, workflow.TimerOptions{Summary: "wait for the lease"}), func(workflow.Future) {})
	return false
}

// start hands an allowed step to the step workers.
func (l *loop) start(w contract.Work) {
	s := l.x.byID[w.Step]
	decision := l.x.record(w.Decision)
	if s == nil || s.ordered || l.over || decision == nil {
		return
	}
	s.ordered, s.running, s.wait = true, true, nil
	future := workflow.ExecuteActivity(acting(l.steps, l.ticket, s.plan), activityOf(s.plan), contract.RunInput{Decision: *decision, Args: s.plan.Args})
	l.sel.AddFuture(future, func(f workflow.Future) { l.ended(s, f) })
}

// ended takes in the end of a step.
func (l *loop) ended(s *step, f workflow.Future) {
	s.running = false
	var out contract.RunOutput
	err := f.Get(l.ctx, &out)
	if err == nil {
		s.status = out.Status
		l.x.fresh = append(l.x.fresh, out.Outcome)
		if out.Status != evidence.StatusDone {
			l.end("step " + s.plan.ID + " is " + string(out.Status))
		}
		return
	}
	s.status = evidence.StatusUnknown
	if temporal.IsCanceledError(err) && l.over {
		return // it had not begun, or the store will say that it had
	}
	l.trip(refusalOf(err, s.plan.ID))
}

// trip halts: a check failed.
func (l *loop) trip(c contract.Cause) {
	if l.halt.Check == "" {
		l.halt = c
	}
	l.end("halted: " + c.Check)
}

// end stops everything downstream. Steps that run are cancelled and waited
// for; nothing is handed out any more.
func (l *loop) end(why string) {
	if l.over {
		return
	}
	l.over, l.x.phase = true, "stopping"
	l.x.details(l.ctx, why)
	l.stop()
}

// refusalOf names the failed check in the error of a step that has no outcome.
func refusalOf(err error, id string) contract.Cause {
	var app *temporal.ApplicationError
	var cause contract.Cause
	if errors.As(err, &app) && app.Type() == contract.ErrTypeRefused && app.HasDetails() && app.Details(&cause) == nil && cause.Check != "" {
		return cause
	}
	return contract.Cause{Check: checkOf(err, "step.no_outcome"), Reason: fmt.Sprintf("step %q ended without an outcome", id)}
}

// checkOf maps an error of an activity to the check that failed. Error texts
// name hosts and processes, so only types go into evidence.
func checkOf(err error, otherwise string) string {
	var timeout *temporal.TimeoutError
	switch {
	case isType(err, contract.ErrTypeStore):
		return "store.unavailable"
	case errors.As(err, &timeout):
		return otherwise + ".timeout"
	}
	return otherwise
}

func isType(err error, name string) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == name
}
