package evidencetest

import (
	"time"

	"github.com/interlock-run/interlock/evidence"
)

func approved(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, Carol)
	d.Approve(Refund, Dave, func(p *evidence.Approval) { p.Note = "I called the customer" })
	d.Approved(Refund)
	d.Done(Refund)
	d.Step(Notify)
	d.Seal()
}

// approvedInTwoRuns: a step that waits does not keep a run from ending, and
// what was said of it counts in the next.
func approvedInTwoRuns(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, CarolsPhone)
	d.Handover()
	d.Takeover()
	d.Approve(Refund, Erin)
	d.Approved(Refund)
	d.Done(Refund)
	d.Step(Notify)
	d.Seal()
}

func deferred(d *Desk) {
	d.Open()
	for range 2 {
		d.Defer(Refund)
		d.Pass(time.Minute)
		d.Signal()
	}
	d.Allow(Refund)
	d.Done(Refund)
	d.Step(Notify)
	d.Seal()
}

func deferredThenApproved(d *Desk) {
	d.Open()
	d.Defer(Refund)
	d.StepUp(Refund)
	d.Approve(Refund, Dave)
	d.StepUp(Refund)
	d.Approve(Refund, Erin)
	d.Approved(Refund)
	d.Done(Refund)
	d.Step(Notify)
	d.Seal()
}

func rejected(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Rejection()
	d.Approve(Refund, Carol)
	d.Approve(Refund, Dave)
	d.Rejection(func(p *evidence.Rejection) { p.Cause = "message.malformed" })
	d.Approved(Refund)
	d.Done(Refund)
	d.Step(Notify)
	d.Seal()
}

func refusedByPerson(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, Carol)
	d.Approve(Refund, Dave)
	d.RefuseBy(Refund, Erin)
	d.Deny(Refund, func(p *evidence.Decision) { p.Cause, p.Rules = "approval.refused", asking() })
	d.Seal()
}

func notApproved(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, Carol)
	d.Pass(10 * time.Minute)
	d.Deny(Refund, func(p *evidence.Decision) { p.Cause, p.Rules = "approval.missing", asking() })
	d.Seal()
}

func cancelledWaiting(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, Carol)
	d.Seal()
}

func cancelledApproved(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, Carol)
	d.Approve(Refund, Erin)
	d.Approved(Refund)
	d.Ended(Refund, evidence.StatusCancelled)
	d.Seal()
}

func revoked(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Order()
	d.Ended(Refund, evidence.StatusCancelled, func(p *evidence.Outcome) { p.Cause = evidence.CauseRevoked })
	d.Halt(func(p *evidence.Halt) { p.Check, p.Reason = evidence.CauseRevoked, "an order stopped it" })
	d.Seal()
}

func killed(d *Desk) {
	d.Open()
	d.StepUp(Refund)
	d.Approve(Refund, Carol)
	d.Order(func(o *evidence.Order) { o.Scope, o.Reason = evidence.Scope{Kind: evidence.ScopeAll}, "fire drill" })
	d.Halt(func(p *evidence.Halt) { p.Check, p.Reason = evidence.CauseKilled, "an order stopped it" })
	d.Seal()
}
