package evidencetest

import (
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// asking returns the rules of a step that waits for two people. Whoever asks
// for the execution, [Alice], does not count.
func asking() []evidence.RuleResult {
	return []evidence.RuleResult{
		{ID: "small-refunds", Effect: evidence.Allow},
		{ID: "two-people", Effect: evidence.StepUp, Message: "two people look at refunds", Ask: &evidence.Ask{
			By: []string{Alice, Carol, Dave, Erin}, Need: 2, WithinMS: 600_000,
		}},
	}
}

// deferring returns the rules of a step that is decided again later.
func deferring() []evidence.RuleResult {
	return []evidence.RuleResult{
		{ID: "not-now", Effect: evidence.Defer, Message: "the books are closed", Delay: &evidence.Delay{ForMS: 300_000, EveryMS: 60_000}},
	}
}

// StepUp appends a decision that a step waits for two of [Carol], [Dave] and
// [Erin] to approve, for ten minutes.
func (d *Desk) StepUp(step string, edits ...func(*evidence.Decision)) {
	d.t.Helper()
	d.wait(step, evidence.StepUp, asking(), 10*time.Minute, edits)
}

// Defer appends a decision that a step waits for five minutes, and is decided
// again in one.
func (d *Desk) Defer(step string, edits ...func(*evidence.Decision)) {
	d.t.Helper()
	again := func(p *evidence.Decision) { p.Again = p.At.Add(time.Minute) }
	d.wait(step, evidence.Defer, deferring(), 5*time.Minute, append([]func(*evidence.Decision){again}, edits...))
}

func (d *Desk) wait(step string, effect evidence.Effect, rules []evidence.RuleResult, length time.Duration, edits []func(*evidence.Decision)) {
	d.t.Helper()
	p := d.decision(step)
	p.Effect, p.Cause, p.Rules, p.Sends = effect, "policy."+string(effect), rules, p.Args
	p.Until = d.lineage.Limit(step, effect)
	if p.Until == 0 {
		p.Until = p.At.Add(length)
	}
	edited(p, edits)
	d.waits[step], d.asked[step] = d.sign(Authority, d.subject(), p), *p
}

// Approved appends a decision that lets a step run because people approved.
func (d *Desk) Approved(step string, edits ...func(*evidence.Decision)) {
	d.t.Helper()
	d.Allow(step, append([]func(*evidence.Decision){func(p *evidence.Decision) { p.Rules = asking() }}, edits...)...)
}

// Approve appends that whoever has the key of that name approves of the newest
// decision on a step that waits.
func (d *Desk) Approve(step, name string, edits ...func(*evidence.Approval)) {
	d.t.Helper()
	d.say(step, name, evidence.Approve, edits)
}

// RefuseBy appends that whoever has the key of that name refuses it.
func (d *Desk) RefuseBy(step, name string, edits ...func(*evidence.Approval)) {
	d.t.Helper()
	note := func(p *evidence.Approval) { p.Note = "the order was delivered" }
	d.say(step, name, evidence.Refuse, append([]func(*evidence.Approval){note}, edits...))
}

func (d *Desk) say(step, name string, word evidence.Word, edits []func(*evidence.Approval)) {
	d.t.Helper()
	asked, at := d.asked[step], d.tick()
	d.sign(name, d.subject(), edited(&evidence.Approval{
		At: at, Grant: asked.Grant, Binding: asked.Binding, Decision: d.waits[step],
		Step: step, Action: asked.Action, Args: asked.Args, Sends: asked.Sends,
		Policy: asked.Policy, Catalogue: asked.Catalogue,
		Approver: name, Word: word, Expires: at.Add(time.Hour),
	}, edits))
}

// Order appends an order that stops this execution and no other.
func (d *Desk) Order(edits ...func(*evidence.Order)) {
	d.t.Helper()
	o := NewOrder(d.tick(), evidence.Scope{Kind: evidence.ScopeExecution, Value: d.request.ID}, edits...)
	d.sign(Revoker, o.Subject(), o)
}

// NewOrder returns an order that stops what is in the scope, not signed.
func NewOrder(at evidence.Time, scope evidence.Scope, edits ...func(*evidence.Order)) *evidence.Order {
	return edited(&evidence.Order{
		At: at, Audience: Domain, Revoker: Revoker, Does: evidence.Stop, Scope: scope,
		Reason: "the ticket was a hoax", Nonce: fmt.Sprintf("%032x", int64(at)),
	}, edits)
}

// Rejection appends that a message was not believed.
func (d *Desk) Rejection(edits ...func(*evidence.Rejection)) {
	d.t.Helper()
	d.sign(Authority, d.subject(), edited(&evidence.Rejection{
		Position: d.chain.Next(), At: d.tick(), Grant: d.grant, Binding: d.Binding(),
		Message: evidence.FileDigest([]byte("a message")), Cause: "message.untrusted", Reason: "nobody knows the key that signed it",
	}, edits))
}
