package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// full reports whether the history is so large that the rest of the execution
// must go into a new one, and something is left to do.
func (l *loop) full() bool {
	if !exceeds(l.ctx, l.ticket.MaxEvents, l.ticket.MaxBytes) {
		return false
	}
	for _, s := range l.x.steps {
		if s.status == "" {
			return true
		}
	}
	return false
}

// exceeds reports whether the history has as many events or bytes. Results and
// messages of some size fill it long before there are many events.
func exceeds(ctx workflow.Context, events, size int) bool {
	info := workflow.GetInfo(ctx)
	return info.GetCurrentHistoryLength() >= events || size > 0 && info.GetCurrentHistorySize() >= size
}

// handOver ends this run's part, as soon as nothing of it runs: no step may be
// under way, because nobody could say any more whose it is, and no Watch, which
// would renew the lease of a run that is over.
func (l *loop) handOver() {
	switch {
	case exceeds(l.ctx, l.ticket.HardLimit, l.ticket.HardBytes):
		// Temporal would end the run soon, and nothing of ours would be asked.
		l.trip(contract.Cause{Check: "history.full", Reason: "the history grew too large while a step ran"})
	case l.x.running() > 0:
		l.keepRecording()
	case len(l.x.inbox.waiting) > 0: // they were sent to this run
		if l.decide(nil) {
			l.handOver()
		}
	case l.watching:
		l.unwatch()
	default:
		l.leave()
	}
}

// keepRecording stores the signals that come while a step still runs.
func (l *loop) keepRecording() {
	if l.mustRecord() {
		l.decide(nil)
	}
}

// leave signs the handover. Whatever stands in its way stops the execution.
func (l *loop) leave() {
	l.timer()
	var out contract.DecideOutput
	in := contract.DecideInput{Head: l.x.chain.Next(), Fresh: l.x.fresh, HandOver: true}
	err := workflow.ExecuteLocalActivity(checking(l.steps, "hand over to a new run"), contract.Decide, in).Get(l.steps, &out)
	if l.waits(err) {
		return
	}
	if err != nil {
		if temporal.IsCanceledError(err) {
			l.end("asked to stop")
			return
		}
		l.trip(contract.Cause{Check: checkOf(err, "handover.error"), Reason: "the handover could not be recorded"})
		return
	}
	l.x.recorded(out)
	switch {
	case out.Halt:
		l.trip(out.Stop)
	case out.Stop.Check != "":
		l.end(out.Stop.Check)
	case out.Handover.IsZero():
		l.trip(contract.Cause{Check: "handover.silent", Reason: "the execution was not handed over"})
	default:
		l.handedOver(out.Handover)
	}
}

// handedOver notes that the rest is another run's.
func (l *loop) handedOver(handover evidence.Digest) {
	l.x.phase = "continuing"
	l.x.closeInbox(l.steps)
	l.next = &contract.Handover{Run: l.x.run, Head: l.x.chain.Next(), Handover: handover, Cancelled: l.ctx.Err() != nil}
}
