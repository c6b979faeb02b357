package evidence_test

import (
	"fmt"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

func wrongDecisions() []wrongChain {
	on := func(name, finding string, edit func(*Decision)) wrongChain {
		return wrongChain{name, finding, play(open, allow(refund, edit), seal())}
	}
	const plan, pinned, older, lease = "with this action and these arguments is not in the plan",
		"its request, principal, policy or catalogue is not the grant's", "it has no cause, or is older", "without a live lease"
	return []wrongChain{
		{"decision without a grant", "decision: there is no grant", play(request(), allow(lookup), seal())},
		on("decision of another grant", "it names another grant", func(d *Decision) { d.Grant = another }),
		on("decision in another run", "it is bound to another run", func(d *Decision) { d.Binding.Epoch = 2 }),
		on("decision after an integrity phase", `phase "integrity"`, func(d *Decision) { d.Phase = PhaseIntegrity }),
		on("decision on a step not planned", plan, func(d *Decision) { d.Step = "refund2" }),
		on("decision on another action", plan, func(d *Decision) { d.Action = "orders.cancel" }),
		on("decision on other arguments", plan, func(d *Decision) { d.Args = ValueDigest([]byte(`{"order":"o-2","cents":1250}`)) }),
		{"step decided twice", "was decided before", play(open, deny(refund), deny(refund), seal())},
		{"step allowed after it was denied", "was decided before", play(open, deny(refund), allow(refund), seal())},
		on("decision on another request", pinned, func(d *Decision) { d.Request = another }),
		on("decision for another principal", pinned, func(d *Decision) { d.Principal = evidencetest.Bob }),
		on("decision for no principal", pinned, func(d *Decision) { d.Principal = "" }),
		on("decision under another policy digest", pinned, func(d *Decision) { d.Policy.Digest = another }),
		on("decision under another policy version", pinned, func(d *Decision) { d.Policy.Version++ }),
		on("decision under another catalogue", pinned, func(d *Decision) { d.Catalogue = another }),
		on("decision with another idempotency key", "its idempotency key is not the step's", func(d *Decision) { d.Key = IdempotencyKey(d.Request, notify) }),
		on("decision without a cause", older, func(d *Decision) { d.Cause = "" }),
		on("decision older than the grant", older, func(d *Decision) { d.At = evidencetest.Start }),
		{"decision older than a signal", older, play(open, signal(), allow(refund, func(d *Decision) { d.At -= 15 }), seal())},
		{"denial with a lease", "is not allowed, but given a lease", play(open, deny(refund, func(d *Decision) { d.Lease.Number = 1 }), seal())},
		{"denial of a step that says what it sends", "is denied, but says what it sends", play(open, deny(refund, func(d *Decision) { d.Sends = another }), seal())},
		on("allowed until a time", "is decided, but waits", func(d *Decision) { d.Until = d.At + 1 }),
		{"denial that is decided again", "is decided, but waits", play(open, deny(refund, func(d *Decision) { d.Again = d.At + 1 }), seal())},
		on("allowed to send anything", "is allowed, and does not say what it sends", func(d *Decision) { d.Sends = Digest{} }),
		{"allowed after a halt", "it comes after the halt", play(open, halt(), allow(refund), seal())},
		{"denied after a halt", "it comes after the halt", play(open, halt(), deny(refund), seal())},
		{"allowed after a bad signal", "although an integrity probe failed", play(open, badSignal(), allow(refund), halt(), seal())},
		{"allowed after a failed step", "although step refund was failed", play(open, allow(refund), ended(refund, StatusFailed), allow(notify), seal())},
		{"allowed after a denied step", "although a step was denied", play(open, deny(refund), allow(notify), seal())},
		{"allowed after an unknown outcome", "although step refund was unknown", play(open, allow(refund), ended(refund, StatusUnknown), allow(notify), seal())},
		on("allowed by no rule", "but not by its rules", func(d *Decision) { d.Rules = nil }),
		on("allowed against a rule", "but not by its rules", func(d *Decision) { d.Rules = []RuleResult{{ID: "no", Effect: Deny}} }),
		{"allowed after the grant expired", "after the grant expired", play(request(), grant(func(g *Grant) { g.Expires = g.At + 10 }), allow(lookup), seal())},
		on("allowed with a lease too long", lease, func(d *Decision) {
			d.Lease = Lease{Number: 2, Until: d.At.Add(30*time.Second) + 1, Nonce: nonce(2)}
		}),
		on("allowed with a dead lease", lease, func(d *Decision) {
			d.At = d.Lease.Until
		}),
		on("allowed with a lease that never was", lease, func(d *Decision) { d.Lease = Lease{} }),
		on("allowed with the same lease made longer", lease, func(d *Decision) { d.Lease.Until += 10 }),
		on("allowed with a later lease that ends sooner", lease, func(d *Decision) {
			d.Lease = Lease{Number: 2, Until: d.Lease.Until - 1, Nonce: nonce(2)}
		}),
		{"allowed with an older lease that ends later", lease, play(open, allow(refund, func(d *Decision) {
			d.Lease = Lease{Number: 5, Until: d.Lease.Until, Nonce: nonce(5)}
		}), done(refund), allow(notify, func(d *Decision) { d.Lease = Lease{Number: 4, Until: d.Lease.Until + 1, Nonce: nonce(4)} }), seal())},
		{"allowed with an older lease", lease, play(open, allow(refund, func(d *Decision) {
			d.Lease = Lease{Number: 5, Until: d.Lease.Until + 1, Nonce: nonce(5)}
		}), done(refund), allow(notify), seal())},
		on("allowed with a lease without a nonce", lease, func(d *Decision) { d.Lease.Number, d.Lease.Nonce = 2, "" }),
		on("allowed with the same lease under another nonce", lease, func(d *Decision) { d.Lease.Nonce = nonce(9) }),
		on("allowed with a later lease under the old nonce", lease, func(d *Decision) { d.Lease.Number++ }),
		{"allowed before what it needs", `before "refund", which it needs`, play(open, allow(notify), seal())},
		{"allowed while what it needs runs", `before "refund", which it needs`, play(open, allow(refund), allow(notify), done(refund), done(notify), seal())},
	}
}

func wrongRefusals() []wrongChain {
	on := func(name, finding string, edit func(*Decision)) wrongChain {
		return wrongChain{name, finding, play(request(), refuse(edit), seal())}
	}
	const names = "it has no cause, or names a step, a grant or a lease"
	return []wrongChain{
		on("request admitted by a decision", "a request is admitted by a grant", func(d *Decision) { d.Effect = Allow }),
		{"request denied after a grant", "before anything else", play(request(), grant(), refuse(), seal())},
		{"request denied twice", "before anything else", play(request(), refuse(), refuse(), seal())},
		{"forged request denied twice", "before anything else", play(refuse(), refuse(), seal())},
		on("denial of another request", "it denies another request", func(d *Decision) { d.Request = another }),
		{"denial of another forged request", "it denies another request", play(refuse(func(d *Decision) { d.Request = another }), seal())},
		on("denial in another workflow", "it is not bound to a run", func(d *Decision) { d.Binding.Workflow = "w" }),
		on("denial in no run", "it is not bound to a run", func(d *Decision) { d.Binding.Run = "" }),
		on("denial without a cause", names, func(d *Decision) { d.Cause = "" }),
		on("denial that names a step", names, func(d *Decision) { d.Step = lookup }),
		on("denial that names an action", names, func(d *Decision) { d.Action = "orders.read" }),
		on("denial that names arguments", names, func(d *Decision) { d.Args = another }),
		on("denial that says what it sends", names, func(d *Decision) { d.Sends = another }),
		on("denial with an idempotency key", names, func(d *Decision) { d.Key = "k" }),
		on("denial that names a grant", names, func(d *Decision) { d.Grant = another }),
		on("denial in a principal's name", names, func(d *Decision) { d.Principal = evidencetest.Alice }),
		on("denial of the request that waits", names, func(d *Decision) { d.Effect = StepUp }),
		on("denial of the request until a time", names, func(d *Decision) { d.Until = d.At + 1 }),
		on("denial of the request that is decided again", names, func(d *Decision) { d.Again = d.At + 1 }),
		on("denial with a lease of the request", names, func(d *Decision) { d.Lease.Number = 1 }),
		{"outcome after a denial", "outcome: there is no grant", play(request(), refuse(), done(lookup), seal())},
		{"signal after a denial", "signal: there is no grant", play(request(), refuse(), signal(), seal())},
	}
}

func wrongOutcomes() []wrongChain {
	on := func(name, finding string, edit func(*Outcome)) wrongChain {
		return wrongChain{name, finding, play(open, allow(refund), done(refund, edit), seal())}
	}
	const without, elsewhere, began = "has an outcome without its decision", "ran as another action or in another run", "ended before it began"
	return []wrongChain{
		{"outcome without a decision", without, play(open, done(refund), seal())},
		on("outcome of no step", without, func(o *Outcome) { o.Step = "refund2" }),
		on("outcome of another step's decision", without, func(o *Outcome) { o.Step = notify }),
		on("outcome of another decision", without, func(o *Outcome) { o.Decision = another }),
		{"outcome of a step that waits", without, play(open, stepUp(refund), func(d *desk) {
			waits := newest(d)
			d.Done(refund, func(o *Outcome) { o.Decision = waits })
		}, seal())},
		{"outcome of a denied step", "although it was denied", play(open, deny(refund), done(refund), seal())},
		{"two outcomes of a step", "has two outcomes", play(open, step(refund), done(refund), seal())},
		{"outcome after a halt", "it comes after the halt", play(open, allow(refund), halt(), done(refund), seal())},
		on("outcome of another action", elsewhere, func(o *Outcome) { o.Action = "orders.cancel" }),
		on("outcome in another run", elsewhere, func(o *Outcome) { o.Binding.Run = "r" }),
		on("outcome of no attempt", began, func(o *Outcome) { o.Attempt = 0 }),
		on("outcome that never began", began, func(o *Outcome) { o.Started = 0 }),
		on("outcome before it began", began, func(o *Outcome) { o.Started = o.At + 1 }),
	}
}

func nonce(n int) string { return fmt.Sprintf("%032x", n) }
