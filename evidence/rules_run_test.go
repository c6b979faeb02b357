package evidence_test

import (
	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// wrongRuns are chains that pass from one run to the next as none may.
func wrongRuns() []wrongChain {
	hands := func(name, finding string, edit func(*Handover)) wrongChain {
		return wrongChain{name, finding, play(open, handover(edit), takeover(), seal())}
	}
	takes := func(name, finding string, edit func(*Takeover)) wrongChain {
		return wrongChain{name, finding, play(open, handover(), takeover(edit), seal())}
	}
	const older, lease, run = "it is older than the record before it", "its lease is too long, or no renewal", "it is not bound to another run in epoch 2"
	return []wrongChain{
		{"handover without a grant", "there is no grant", play(request(), refuse(), handover(), seal())},
		hands("handover of another grant", "it names another grant", func(h *Handover) { h.Grant = another }),
		hands("handover of another run", "it is bound to another run", func(h *Handover) { h.Binding.Run = "r" }),
		hands("handover to an epoch too far", "epoch 3 does not follow epoch 1", func(h *Handover) { h.Epoch = 3 }),
		hands("handover to the same epoch", "epoch 1 does not follow epoch 1", func(h *Handover) { h.Epoch = 1 }),
		hands("handover older than the grant", older, func(h *Handover) { h.At = evidencetest.Start }),
		{"handover while a step runs", `step "refund" has not ended`, play(open, allow(refund), handover(), takeover(), seal())},
		{"handover after a failed step", "nothing is left to hand over", play(open, allow(refund), ended(refund, StatusFailed), handover(), takeover(), seal())},
		{"handover after a halt", "it comes after the halt", play(open, halt(), handover(), takeover(), seal())},
		{"handover twice", "no other has taken over", play(open, handover(), handover(), takeover(), seal())},
		{"takeover after the run was halted", "it takes over what was not handed over", play(open, handover(), halt(), takeover(), seal())},
		{"done after a handover", "no other has taken over", play(open, handover(), done(refund), seal())},
		{"allowed after a handover", "no other has taken over", play(open, handover(), allow(refund), seal())},
		{"takeover without a handover", "it takes over what was not handed over", play(open, takeover(), seal())},
		{"takeover twice", "it takes over what was not handed over", play(open, handover(), takeover(), takeover(), seal())},
		takes("takeover of another handover", "it takes over what was not handed over", func(t *Takeover) { t.Handover = another }),
		takes("takeover of another grant", "it names another grant", func(t *Takeover) { t.Grant = another }),
		takes("takeover by the same run", run, func(t *Takeover) { t.Binding.Run = "7f0c8b52-5a53-4a37-9d83-2f6a3f1e9c11" }),
		takes("takeover by no run", run, func(t *Takeover) { t.Binding.Run = "" }),
		takes("takeover in another queue", run, func(t *Takeover) { t.Binding.Queue = "q" }),
		takes("takeover in the old epoch", run, func(t *Takeover) { t.Binding.Epoch = 1 }),
		takes("takeover older than the handover", older, func(t *Takeover) { t.At = evidencetest.Start }),
		takes("takeover with the old lease", lease, func(t *Takeover) { t.Lease.Number = 1 }),
		takes("takeover with a lease too long", lease, func(t *Takeover) { t.Lease.Until++ }),
		takes("takeover without probes", "although a probe failed", func(t *Takeover) { t.Probes = nil }),
		{"no halt after a bad takeover", "a check failed, but there is no halt", play(open, handover(), takeover(func(t *Takeover) { t.Probes, t.Lease = nil, Lease{} }), seal())},
		{"allowed for the old run", "it is bound to another run", play(open, handover(), takeover(), allow(refund, func(d *Decision) {
			d.Binding.Run, d.Binding.Epoch = "7f0c8b52-5a53-4a37-9d83-2f6a3f1e9c11", 1
		}), seal())},
		{"done in the old run", "ran as another action or in another run", play(open, handover(), takeover(), allow(refund), done(refund, func(o *Outcome) {
			o.Binding.Run, o.Binding.Epoch = "7f0c8b52-5a53-4a37-9d83-2f6a3f1e9c11", 1
		}), seal())},
		{"sealed for the old run", "it is bound to another run", play(open, handover(), takeover(), seal(func(s *Seal) {
			s.Binding.Run, s.Binding.Epoch = "7f0c8b52-5a53-4a37-9d83-2f6a3f1e9c11", 1
		}))},
	}
}
