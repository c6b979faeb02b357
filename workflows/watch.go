package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/workflows/contract"
)

// watchLater starts Watch when the grant's lease is half over: a short
// execution ends before that, and pays for a timer only.
func (l *loop) watchLater() {
	timers, cancel := workflow.WithCancel(l.steps)
	l.timer = cancel
	half := time.Duration(l.ticket.Terms.LeaseMS) * time.Millisecond / 2
	timer := workflow.NewTimerWithOptions(timers, half, workflow.TimerOptions{Summary: "half of the first lease, then the watch begins"})
	l.sel.AddFuture(timer, func(f workflow.Future) {
		if f.Get(timers, nil) == nil {
			l.watchNow()
		}
	})
}

// watchNow starts Watch unless it runs.
func (l *loop) watchNow() {
	if l.watching || l.over || l.full() && l.x.running() == 0 {
		return
	}
	l.watching = true
	l.timer()
	in := contract.WatchInput{Head: l.x.chain.Next(), Number: l.x.signals + 1, Binding: l.ticket.Binding}
	ctx, unwatch := workflow.WithCancel(l.steps)
	l.unwatch = unwatch
	future := workflow.ExecuteActivity(watching(ctx, l.ticket), contract.Watch, in)
	l.sel.AddFuture(future, l.watched)
}

// watched takes in the end of a window: a signal and the next window, or bad
// news. A Watch that fails is bad news.
func (l *loop) watched(f workflow.Future) {
	l.watching = false
	var out contract.WatchOutput
	err := f.Get(l.ctx, &out)
	if (l.over || l.full()) && temporal.IsCanceledError(err) {
		return
	}
	if err != nil {
		l.trip(contract.Cause{Check: checkOf(err, "watch.error"), Reason: "the watch over the execution failed"})
		return
	}
	if out.Signal != nil {
		l.x.signals++
		l.x.unstoredSignals++
		l.x.fresh = append(l.x.fresh, *out.Signal)
	}
	switch {
	case out.Halt.Check != "":
		l.trip(out.Halt)
	case out.Signal == nil:
		l.trip(contract.Cause{Check: "watch.silent", Reason: "a window ended without a signal"})
	default:
		l.watchNow()
	}
}
