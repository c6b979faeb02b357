package evidence_test

import (
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// newest returns the digest of the newest record.
func newest(d *desk) Digest { return d.Records()[len(d.Records())-1].Digest() }

// asks are the rules of a step that waits for so many of these people.
func asks(need int, withinMS int64, by ...string) []RuleResult {
	return []RuleResult{{ID: "people", Effect: StepUp, Ask: &Ask{By: by, Need: need, WithinMS: withinMS}}}
}

func delays(forMS, everyMS int64) []RuleResult {
	return []RuleResult{{ID: "later", Effect: Defer, Delay: &Delay{ForMS: forMS, EveryMS: everyMS}}}
}

func with(rules ...[]RuleResult) func(*Decision) {
	return func(d *Decision) {
		d.Rules = nil
		for _, r := range rules {
			d.Rules = append(d.Rules, r...)
		}
	}
}

// wrongWaits are decisions to wait that may not be made.
func wrongWaits() []wrongChain {
	on := func(name, finding string, edit func(*Decision)) wrongChain {
		return wrongChain{name, finding, play(open, stepUp(refund, edit), seal())}
	}
	defers := func(name, finding string, edit func(*Decision)) wrongChain {
		return wrongChain{name, finding, play(open, later(refund, edit), seal())}
	}
	const long, again, rules, orders = "waits for too long, or not at all", "is asked for again at no time within its wait",
		"waits, but not by its rules, or for longer than they say", "by fewer or other orders than the records before know"
	const hour = 3600_000
	longer := func(d *Decision) { d.Until++ }
	know := func(n uint64) func(*Decision) {
		return func(d *Decision) { d.Orders = Position{Seq: n, Prev: another} }
	}
	return []wrongChain{
		on("waits with a lease", "is not allowed, but given a lease", func(d *Decision) { d.Lease.Number = 1 }),
		on("waits without a cause", "it has no cause", func(d *Decision) { d.Cause = "" }),
		on("waits for other arguments", "is not in the plan", func(d *Decision) { d.Args = another }),
		on("waits under another policy", "is not the grant's", func(d *Decision) { d.Policy.Version++ }),
		on("waits in another run", "it is bound to another run", func(d *Decision) { d.Binding.Run = "r" }),
		on("waits for ever", long, func(d *Decision) { d.Until = 0 }),
		on("waits for no time", long, func(d *Decision) { d.Until = d.At }),
		on("waits longer than the grant", long, func(d *Decision) {
			d.Rules, d.Until = asks(1, 2*hour, carol), evidencetest.Start.Add(time.Hour)+1
		}),
		{"waits longer when it is decided anew", long, play(open, stepUp(refund), stepUp(refund, longer), seal())},
		{"waits longer after it was deferred", long, play(open, stepUp(refund), later(refund), stepUp(refund, longer), seal())},
		{"deferred for longer when it is decided anew", long, play(open, later(refund), later(refund, longer), seal())},
		{"deferred for longer after it waited for approval", long, play(open, later(refund), stepUp(refund), later(refund, longer), seal())},
		{"waits longer in another run", long, play(open, stepUp(refund), handover(), takeover(), stepUp(refund, longer), seal())},
		on("waits longer than its rule says", rules, longer),
		defers("deferred for longer than its rule says", rules, longer),
		on("waits for approval and is decided again", again, func(d *Decision) { d.Again = d.At + 1 }),
		defers("deferred without a time", again, func(d *Decision) { d.Again = 0 }),
		defers("deferred to now", again, func(d *Decision) { d.Again = d.At }),
		defers("deferred to after the wait", again, func(d *Decision) { d.Again = d.Until + 1 }),

		on("waits by no rule", rules, with()),
		on("waits by a rule that allows", rules, with([]RuleResult{{ID: "a", Effect: Allow}})),
		on("waits by a rule that denies", rules, with(asks(1, hour, carol), []RuleResult{{ID: "no", Effect: Deny}})),
		on("waits by a rule with an unknown effect", rules, with(asks(1, hour, carol), []RuleResult{{ID: "hm", Effect: "ask"}})),
		on("waits by a rule that failed", rules, with(asks(1, hour, carol), []RuleResult{{ID: "oops", Effect: Allow, Error: "no such key"}})),
		on("waits for approval by a rule that defers", rules, with(delays(hour, 1000))),
		defers("deferred by a rule that asks", rules, with(asks(1, hour, carol))),
		on("waits and asks nothing", rules, with([]RuleResult{{ID: "people", Effect: StepUp}})),
		on("waits for nobody", rules, with(asks(0, hour, carol))),
		on("waits for fewer than nobody", rules, with(asks(-1, hour))),
		on("waits for more people than there are", rules, with(asks(2, hour, carol))),
		on("waits for one person twice", rules, with(asks(2, hour, carol, carol))),
		on("waits for a person without a name", rules, with(asks(2, hour, carol, ""))),
		on("waits for approvals that are too old at once", rules, with(asks(1, 0, carol))),
		on("waits by one rule of which another asks nothing", rules, with(asks(1, hour, carol), []RuleResult{{ID: "later", Effect: Defer}})),
		on("waits by a rule that asks and delays", rules, func(d *Decision) {
			d.Rules = asks(1, hour, carol)
			d.Rules[0].Delay = &Delay{ForMS: hour, EveryMS: 1000}
		}),
		on("waits by a rule that allows and asks", rules, func(d *Decision) {
			d.Rules = append(asks(1, hour, carol), asks(1, hour, dave)...)
			d.Rules[1].Effect = Allow
		}),
		defers("deferred for how long nobody says", rules, with(delays(0, 1000))),
		defers("deferred and asked for again at once", rules, with(delays(hour, 0))),

		on("waits to send anything", "waits, and does not say what it sends", func(d *Decision) { d.Sends = Digest{} }),
		{"waits to send something else", "waits, but sends something else than it waited for",
			play(open, stepUp(refund), stepUp(refund, func(d *Decision) { d.Sends = another }), seal())},
		{"waits after a failed step", "waits although step refund was failed", play(open, allow(refund), ended(refund, StatusFailed), stepUp(notify), seal())},
		{"waits after a halt", "it comes after the halt", play(open, halt(), stepUp(refund), seal())},
		{"waits before what it needs", `waits before "refund", which it needs`, play(open, stepUp(notify), seal())},
		{"waits after it was allowed", "was decided before", play(open, allow(refund), stepUp(refund), seal())},
		{"waits after it was denied", "was decided before", play(open, deny(refund), later(refund), seal())},
		{"waits after it was refused", `waits although "erin" refused it`, play(open, stepUp(refund), refuseBy(refund, erin), stepUp(refund), seal())},
		{"deferred after it was refused", `waits although "erin" refused it`, play(open, stepUp(refund), refuseBy(refund, erin), later(refund), seal())},
		{"waits after a handover", "no other has taken over", play(open, handover(), stepUp(refund), seal())},

		{"allowed by fewer orders", "is allowed " + orders, play(open, allow(refund, know(2)), done(refund), allow(notify, know(1)), seal())},
		{"allowed by other orders", "is allowed " + orders, play(open, allow(refund, know(2)), done(refund), allow(notify, func(d *Decision) { d.Orders.Seq = 2 }), seal())},
		{"allowed by fewer orders than the grant", "is allowed " + orders, play(request(), grant(func(g *Grant) { g.Orders.Seq = 1 }), allow(lookup), seal())},
		{"waits by fewer orders", "waits " + orders, play(open, stepUp(refund, know(2)), stepUp(refund, know(1)), seal())},
		{"takeover by fewer orders", "it knows fewer or other orders", play(open, stepUp(refund, know(2)), handover(), takeover(), seal())},
		{"takeover by fewer orders than a signal", "it knows fewer or other orders", play(open, signal(func(s *Signal) { s.Orders.Seq = 1 }), handover(), takeover(), seal())},
		{"allowed by fewer orders than the takeover", "is allowed " + orders, play(open, handover(), takeover(func(t *Takeover) { t.Orders.Seq = 1 }), allow(refund), seal())},
		{"signal of fewer orders than the grant", "it knows fewer or other orders", play(request(), grant(func(g *Grant) { g.Orders.Seq = 1 }), signal(), seal())},
		{"signal of fewer orders than the takeover", "it knows fewer or other orders", play(open, handover(), takeover(func(t *Takeover) { t.Orders.Seq = 1 }), signal(), seal())},
		{"signal of fewer orders", "it knows fewer or other orders", play(open, signal(func(s *Signal) { s.Orders.Seq = 1 }), signal(), seal())},
	}
}

// wrongApprovals are words that may not be said.
func wrongApprovals() []wrongChain {
	on := func(name, finding string, edit func(*Approval)) wrongChain {
		return wrongChain{name, finding, play(open, stepUp(refund), approve(refund, carol, edit), seal())}
	}
	const waits, newer, pinned, about, while, asked, twice = "does not wait for approval", "it does not answer the newest decision on step",
		"its grant, run, policy or catalogue is not the decision's", "it is about another action, other arguments or other bytes",
		"it was not made while step", "was not asked", "has approved before"
	full := func(a *Approval) {
		a.Step, a.Action, a.Decision, a.Args, a.Sends = refund, "orders.refund", another, another, another
	}
	return []wrongChain{
		{"approval of a denied request", "approval: there is no grant", play(request(), refuse(), approve(refund, carol, full), seal())},
		{"approval of a step that nobody decided", waits, play(open, approve(refund, carol, full), seal())},
		on("approval of a step not planned", waits, func(a *Approval) { a.Step = "x" }),
		on("approval of another step", waits, func(a *Approval) { a.Step = notify }),
		{"approval after the step was allowed", waits, play(open, stepUp(refund), approve(refund, carol), approve(refund, dave), approved(refund), approve(refund, erin), done(refund), seal())},
		{"approval after the step was denied", "the execution is stopped", play(open, stepUp(refund), deny(refund), approve(refund, carol), seal())},
		on("approval of another decision", newer, func(a *Approval) { a.Decision = another }),
		{"approval of an earlier decision", newer, play(open, stepUp(refund), func(d *desk) {
			first := newest(d)
			d.StepUp(refund)
			d.Approve(refund, carol, func(a *Approval) { a.Decision = first })
		}, seal())},
		{"approval of a deferral", newer, play(open, later(refund), approve(refund, carol), seal())},
		{"approval of what was deferred since", newer, play(open, stepUp(refund), func(d *desk) {
			first := newest(d)
			d.Defer(refund)
			d.Approve(refund, carol, func(a *Approval) { a.Decision = first })
		}, seal())},
		{"approval that came when the wait was over", "it came when the wait of step", play(open, stepUp(refund), pass(11*time.Minute), rejection(),
			approve(refund, carol, func(a *Approval) { a.At = a.At.Add(-5 * time.Minute) }), seal())},
		on("approval under another grant", pinned, func(a *Approval) { a.Grant = another }),
		on("approval in another run", pinned, func(a *Approval) { a.Binding.Run = "r" }),
		on("approval in another epoch", pinned, func(a *Approval) { a.Binding.Epoch++ }),
		on("approval in another namespace", pinned, func(a *Approval) { a.Binding.Namespace = "n" }),
		on("approval under another policy", pinned, func(a *Approval) { a.Policy.Digest = another }),
		on("approval under another version of the policy", pinned, func(a *Approval) { a.Policy.Version++ }),
		on("approval under another catalogue", pinned, func(a *Approval) { a.Catalogue = another }),
		on("approval of another action", about, func(a *Approval) { a.Action = "orders.cancel" }),
		on("approval of other arguments", about, func(a *Approval) { a.Args = another }),
		on("approval of other bytes", about, func(a *Approval) { a.Sends = another }),
		on("approval before the decision", while, func(a *Approval) { a.At -= 11 }),
		on("approval after the wait", while, func(a *Approval) { a.At += 600_000 - 10 }),
		{"approval by whoever asked for the execution", "whoever asked for the execution cannot say this", play(open, stepUp(refund), approve(refund, evidencetest.AliceApprover), seal())},
		{"refusal by whoever asked for the execution", "whoever asked for the execution cannot say this", play(open, stepUp(refund), refuseBy(refund, evidencetest.AliceApprover), seal())},
		{"approval by somebody who was not asked", `"frank" was not asked`, play(open, stepUp(refund), approve(refund, evidencetest.Frank), seal())},
		{"refusal by somebody who was not asked", asked, play(open, stepUp(refund), refuseBy(refund, evidencetest.Frank), seal())},
		{"approval twice", twice, play(open, stepUp(refund), approve(refund, carol), approve(refund, carol), seal())},
		{"approval twice by a person with two keys", `"carol" has approved before`, play(open, stepUp(refund), approve(refund, carol), approve(refund, evidencetest.CarolsPhone), seal())},
		{"approval after a refusal", "was refused before", play(open, stepUp(refund), refuseBy(refund, erin), approve(refund, carol), seal())},
		{"approval after the own refusal", "was refused before", play(open, stepUp(refund), refuseBy(refund, erin), approve(refund, erin), seal())},
		{"refusal twice", "was refused before", play(open, stepUp(refund), refuseBy(refund, erin), refuseBy(refund, dave), seal())},
		{"approval after a halt", "the execution is stopped: the execution was halted", play(open, stepUp(refund), halt(), approve(refund, carol), seal())},
		{"approval after a bad signal", "the execution is stopped: an integrity probe failed", play(open, stepUp(refund), badSignal(), approve(refund, carol), halt(), seal())},
		{"approval after an order", "the execution is stopped: an order stopped it", play(open, stepUp(refund), order(), approve(refund, carol), halt(), seal())},
		{"approval after a handover", "no other has taken over", play(open, stepUp(refund), handover(), approve(refund, carol), seal())},
		{"approval bound to the run that took over", pinned, play(open, stepUp(refund), handover(), takeover(), func(d *desk) {
			d.Approve(refund, carol, func(a *Approval) { a.Binding = d.Binding() })
		}, seal())},
	}
}

// wrongAllows are steps that may not be allowed, whatever people said.
func wrongAllows() []wrongChain {
	both := play(open, stepUp(refund), approve(refund, carol), approve(refund, dave))
	on := func(name, finding string, edit func(*Decision)) wrongChain {
		return wrongChain{name, finding, play(both, approved(refund, edit), done(refund), seal())}
	}
	const rules, hour = "is allowed, but not by its rules and approvals", 3600_000
	one := play(open, stepUp(refund), approve(refund, carol))
	return []wrongChain{
		{"allowed without having waited", rules, play(open, approved(refund), done(refund), seal())},
		{"allowed without approval", rules, play(open, stepUp(refund), approved(refund), done(refund), seal())},
		{"allowed by one person of two", rules, play(one, approved(refund), done(refund), seal())},
		{"allowed by one person twice", rules, play(one, stepUp(refund), approve(refund, carol), approved(refund), done(refund), seal())},
		{"allowed by one person with two keys", rules, play(one, stepUp(refund), approve(refund, evidencetest.CarolsPhone), approved(refund), done(refund), seal())},
		{"allowed by approvals of another step", rules, play(request(func(r *Request) { r.Steps[2].Needs = nil }), grant(), step(lookup),
			stepUp(refund), stepUp(notify), approve(notify, carol), approve(notify, dave), approved(refund), done(refund), seal())},
		on("allowed by people who are not asked any more", rules, with(asks(2, hour, carol, erin))),
		on("allowed by whoever asked for the execution", rules, with(asks(2, hour, carol, evidencetest.Alice))),
		on("allowed by fewer people than are asked now", rules, with(asks(3, hour, carol, dave, erin))),
		on("allowed by approvals that are too old", rules, with(asks(2, 19, carol, dave))),
		{"allowed by an approval that has expired", rules, play(one, approve(refund, dave, func(a *Approval) { a.Expires = a.At + 10 }), approved(refund), done(refund), seal())},
		{"allowed by an approval of the future", rules, play(one, approve(refund, dave, func(a *Approval) { a.At += 11 }), approved(refund), done(refund), seal())},
		on("allowed by approval, against a rule", rules, with(asks(2, hour, carol, dave), []RuleResult{{ID: "no", Effect: Deny}})),
		on("allowed by approval, but deferred", rules, with(asks(2, hour, carol, dave), delays(hour, 1000))),
		on("allowed by approval, but a rule failed", rules, func(d *Decision) { d.Rules[1].Error = "no such key" }),
		on("allowed by a rule that asks nothing", rules, with([]RuleResult{{ID: "people", Effect: StepUp}})),
		on("allowed by a rule that asks nobody", rules, with(asks(0, hour, carol))),
		on("allowed by a rule that allows and asks", rules, func(d *Decision) { d.Rules = asks(1, hour, carol); d.Rules[0].Effect = Allow }),
		on("allowed to send what nobody approved", "is allowed, but sends something else than it waited for", func(d *Decision) { d.Sends = another }),
		on("allowed by approval after the grant expired", "is allowed after the grant expired", func(d *Decision) {
			d.At, d.Rules = evidencetest.Start.Add(time.Hour), asks(2, 2*hour, carol, dave)
		}),
		on("allowed by approval without a lease", "without a live lease", func(d *Decision) { d.Lease = Lease{} }),
		{"allowed although it was refused", `is allowed although "erin" refused it`, play(both, refuseBy(refund, erin), approved(refund), done(refund), seal())},
		{"allowed by a rule although it was refused", `is allowed although "erin" refused it`, play(both, refuseBy(refund, erin), allow(refund), done(refund), seal())},
		{"allowed although whoever approved refused", `is allowed although "dave" refused it`, play(both, refuseBy(refund, dave), approved(refund), done(refund), seal())},
		{"allowed in the next run although it was refused", `is allowed although "erin" refused it`, play(both, refuseBy(refund, erin), handover(), takeover(), approved(refund), done(refund), seal())},
		{"allowed by approval after an order", "although an order stopped it", play(both, order(), approved(refund), halt(), seal())},
		{"deferred and then allowed to send something else", "is allowed, but sends something else", play(open, later(refund), allow(refund, func(d *Decision) { d.Sends = another }), done(refund), seal())},
	}
}
