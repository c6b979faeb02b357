package evidence_test

import (
	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

func wrongSignals() []wrongChain {
	on := func(name, finding string, edit func(*Signal)) wrongChain {
		return wrongChain{name, finding, play(open, signal(edit), seal())}
	}
	const measured, lease = "it measured nothing", "its lease is too long, or no renewal"
	return []wrongChain{
		on("signal of another grant", "it names another grant", func(s *Signal) { s.Grant = another }),
		on("signal of another run", "it is bound to another run", func(s *Signal) { s.Binding.Queue = "q" }),
		on("signal out of turn", "it is signal 2 after signal 0", func(s *Signal) { s.Number = 2 }),
		{"signal twice", "it is signal 1 after signal 1", play(open, signal(), signal(func(s *Signal) { s.Number = 1 }), seal())},
		on("signal without a measurement", measured, func(s *Signal) { s.Measured = 0 }),
		on("signal without a window", measured, func(s *Signal) { s.From = 0 }),
		on("signal of a window backwards", measured, func(s *Signal) { s.From = s.At + 1 }),
		on("signal with the grant's lease", lease, func(s *Signal) { s.Lease.Number = 1 }),
		on("signal without a lease", lease, func(s *Signal) { s.Lease = Lease{} }),
		on("signal with a lease too long", lease, func(s *Signal) { s.Lease.Until++ }),
		on("signal with a dead lease", lease, func(s *Signal) { s.Lease.Until = s.At }),
		{"signal with an older signal's lease", lease, play(open, signal(), signal(func(s *Signal) { s.Lease.Number = 2 }), seal())},
		on("signal without probes", "it renews the lease although a probe failed", func(s *Signal) { s.Probes = nil }),
		{"bad signal with a lease", "it renews the lease although a probe failed", play(open, badSignal(func(s *Signal) { s.Lease.Number = 2 }), seal())},
		on("signal with a lease without a nonce", lease, func(s *Signal) { s.Lease.Nonce = "" }),
		on("signal of a worker whose step was not decided", "which was not allowed", func(s *Signal) { s.Workers = []Attested{{Step: refund}} }),
		{"signal of a worker whose step was denied", "which was not allowed", play(open, deny(refund), signal(func(s *Signal) { s.Workers = []Attested{{Step: refund}} }), seal())},
		{"signal of a worker whose step waits", "which was not allowed", play(open, stepUp(refund), signal(func(s *Signal) { s.Workers = []Attested{{Step: refund}} }), seal())},
		{"attestation in a chain", "its kind is unknown", play(open, attestation(), seal())},
		{"signal after a halt", "it comes after the halt", play(open, halt(), signal(), seal())},
	}
}

func wrongEnds() []wrongChain {
	on := func(name, finding string, edit func(*Seal)) wrongChain {
		return wrongChain{name, finding, play(open, allow(refund), ended(refund, StatusFailed), seal(edit))}
	}
	const check, other, ends, verdict = "it names no check, or is older", "it names another request or grant",
		"it states other ends of steps than the records do", "its verdict is"
	return []wrongChain{
		{"halt without a grant", "halt: there is no grant", play(request(), refuse(), halt(), seal())},
		{"halt twice", "it comes after the halt", play(open, halt(), halt(), seal())},
		{"halt for no check", check, play(open, halt(func(h *Halt) { h.Check = "" }), seal())},
		{"halt older than the grant", check, play(open, halt(func(h *Halt) { h.At = evidencetest.Start }), seal())},
		{"halt of another run", "it is bound to another run", play(open, halt(func(h *Halt) { h.Binding.Run = "r" }), seal())},

		{"sealed without a grant or denial", "there is neither a grant nor a denial", play(request(), seal())},
		on("seal of another request", other, func(s *Seal) { s.Request = another }),
		on("seal of another grant", other, func(s *Seal) { s.Grant = another }),
		{"seal of a denial with a grant", other, play(request(), refuse(), seal(func(s *Seal) { s.Grant = another }))},
		on("seal of another run", "it is bound to another run", func(s *Seal) { s.Binding.Run = "r" }),
		{"seal of another run's denial", "it is bound to another run", play(refuse(), seal(func(s *Seal) { s.Binding.Run = "r" }))},
		on("seal older than a decision", "it is older than the record before it", func(s *Seal) { s.At = evidencetest.Start + 1 }),
		{"no halt after a bad signal", "a check failed, but there is no halt", play(open, badSignal(), seal())},
		{"no halt after a refused step", "a check failed, but there is no halt", play(open, allow(refund), ended(refund, StatusRefused), seal())},
		{"no halt after a worker was unfit", "a check failed, but there is no halt", play(open, allow(refund), ended(refund, StatusCancelled, func(o *Outcome) { o.Cause = CauseUnfit }), seal())},
		{"no halt after a worker was cut off", "a check failed, but there is no halt", play(open, allow(refund), ended(refund, StatusUnknown, func(o *Outcome) { o.Cause = CauseCutOff }), seal())},
		{"no halt after a worker saw an order", "a check failed, but there is no halt", play(open, allow(refund), ended(refund, StatusCancelled, func(o *Outcome) { o.Cause = CauseKilled }), seal())},
		{"no halt after a worker saw a revocation", "a check failed, but there is no halt", play(open, allow(refund), ended(refund, StatusCancelled, func(o *Outcome) { o.Cause = CauseRevoked }), seal())},
		{"no halt after a lapsed lease", "a check failed, but there is no halt", play(open, allow(refund), ended(refund, StatusCancelled, lapsed), seal())},
		on("step ends otherwise", ends, func(s *Seal) { s.Steps[1].State = StateDone }),
		on("step left out of the seal", ends, func(s *Seal) { s.Steps = s.Steps[:2] }),
		on("steps of the seal swapped", ends, func(s *Seal) { s.Steps[0], s.Steps[2] = s.Steps[2], s.Steps[0] }),
		on("step of the seal with another action", ends, func(s *Seal) { s.Steps[2].Action = "mail.read" }),
		{"unresolved claimed of a step not decided", ends, play(open, seal(func(s *Seal) { s.Steps[1].State = StateUnresolved }))},
		{"unresolved claimed of a step that waits", ends, play(open, stepUp(refund), lost(refund), seal(func(s *Seal) { s.Steps[1].State = StateUnresolved }))},
		{"denied claimed of a step that waits", ends, play(open, stepUp(refund), seal(func(s *Seal) { s.Steps[1].State = StateDenied }))},
		{"unresolved claimed of a denied step", ends, play(open, deny(refund), seal(func(s *Seal) { s.Steps[1].State = StateUnresolved }))},
		on("verdict better than the records", verdict, func(s *Seal) { s.Verdict = Completed }),
		on("verdict for another cause", verdict, func(s *Seal) { s.Cause = "step.cancelled" }),
		{"unresolved step, but cancelled", verdict, play(open, allow(refund), lost(refund), seal(func(s *Seal) {
			s.Verdict, s.Cause = Cancelled, CauseCancelled
		}))},
		{"halted, but failed", verdict, play(open, allow(refund), ended(refund, StatusFailed), halt(), seal(func(s *Seal) {
			s.Verdict, s.Cause = Failed, "step.failed"
		}))},
		{"a step waits, but completed", verdict, play(open, stepUp(refund), seal(func(s *Seal) { s.Verdict, s.Cause = Completed, CauseCompleted }))},
		{"not all steps, but completed", verdict, play(open, seal(func(s *Seal) { s.Verdict, s.Cause = Completed, CauseCompleted }))},
		{"denied, but cancelled", verdict, play(request(), refuse(), seal(func(s *Seal) { s.Verdict, s.Cause = Cancelled, CauseCancelled }))},
	}
}

func lapsed(o *Outcome) { o.Cause = CauseLapsed }
