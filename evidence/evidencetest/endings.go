package evidencetest

import (
	"testing"

	"github.com/interlock-run/interlock/evidence"
)

// An Ending is one way in which an execution ends properly.
type Ending struct {
	Name    string
	Verdict evidence.Verdict
	play    func(*Desk)
}

// Endings returns every ending.
func Endings() []Ending {
	return []Ending{
		{"completed", evidence.Completed, completed},
		{"completed-in-three-runs", evidence.Completed, continued},
		{"halted-at-a-takeover", evidence.Halted, haltedAtTakeover},
		{"cancelled-after-a-handover", evidence.Cancelled, cancelledAfterHandover},
		{"denied-at-admission", evidence.Denied, deniedAtAdmission},
		{"denied-at-a-step", evidence.Denied, deniedAtStep},
		{"denied-not-authentic", evidence.Denied, deniedNotAuthentic},
		{"halted-by-a-signal", evidence.Halted, haltedBySignal},
		{"halted-by-a-guard", evidence.Halted, haltedByGuard},
		{"failed", evidence.Failed, failed},
		{"cancelled", evidence.Cancelled, cancelled},
		{"unresolved", evidence.Unresolved, unresolved},
		{"unresolved-no-outcome", evidence.Unresolved, noOutcome},
		{"unresolved-resolved", evidence.Unresolved, resolved},
		{"completed-approved", evidence.Completed, approved},
		{"completed-approved-in-two-runs", evidence.Completed, approvedInTwoRuns},
		{"completed-deferred", evidence.Completed, deferred},
		{"completed-deferred-then-approved", evidence.Completed, deferredThenApproved},
		{"completed-despite-a-rejection", evidence.Completed, rejected},
		{"denied-refused", evidence.Denied, refusedByPerson},
		{"denied-not-approved-in-time", evidence.Denied, notApproved},
		{"cancelled-while-it-waited", evidence.Cancelled, cancelledWaiting},
		{"cancelled-after-approval", evidence.Cancelled, cancelledApproved},
		{"halted-revoked", evidence.Halted, revoked},
		{"halted-killed-while-it-waited", evidence.Halted, killed},
	}
}

// Proof returns the proof of the ending with that name.
func Proof(t testing.TB, name string) *evidence.Proof {
	t.Helper()
	for _, e := range Endings() {
		if e.Name == name {
			return e.Proof(t)
		}
	}
	t.Fatalf("there is no ending %q", name)
	return nil
}

// Proof returns a proof that ends like this.
func (e Ending) Proof(t testing.TB) *evidence.Proof {
	t.Helper()
	d := New(t)
	e.play(d)
	return d.Proof()
}

// Open plays what most executions begin with: request, grant, first step.
func (d *Desk) Open() {
	d.t.Helper()
	d.Request()
	d.Grant()
	d.Step(Lookup)
}

func completed(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Signal(func(s *evidence.Signal) {
		s.Workers = []evidence.Attested{{Step: Refund, Worker: Worker, Attempt: 1, Counter: 3, Attestation: evidence.FileDigest([]byte("an attestation")), Process: process}}
	})
	d.Done(Refund)
	d.Step(Notify)
	d.Seal()
}

func continued(d *Desk) {
	d.Open()
	d.Handover()
	d.Takeover()
	d.Signal()
	d.Step(Refund)
	d.Handover()
	d.Takeover()
	d.Step(Notify)
	d.Seal()
}

func cancelledAfterHandover(d *Desk) {
	d.Open()
	d.Handover()
	d.Seal()
}

func haltedAtTakeover(d *Desk) {
	d.Open()
	d.Handover()
	d.Takeover(func(t *evidence.Takeover) { t.Probes, t.Lease = drifted, evidence.Lease{} })
	d.Halt()
	d.Seal()
}

func deniedAtAdmission(d *Desk) {
	d.Request()
	d.Refuse()
	d.Seal()
}

func deniedAtStep(d *Desk) {
	d.Open()
	d.Deny(Refund)
	d.Seal()
}

func deniedNotAuthentic(d *Desk) {
	d.Refuse(func(p *evidence.Decision) {
		p.Cause, p.Reason = "request.not_authentic", "the request was not signed by its principal"
		p.Rules, p.Policy, p.Catalogue = nil, evidence.PolicyRef{}, evidence.Digest{}
	})
	d.Seal()
}

func haltedBySignal(d *Desk) {
	d.Open()
	d.Signal()
	d.Allow(Refund)
	d.BadSignal()
	d.Ended(Refund, evidence.StatusCancelled)
	d.Halt()
	d.Seal()
}

func haltedByGuard(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Ended(Refund, evidence.StatusRefused)
	d.Halt(func(p *evidence.Halt) { p.Check = "guard.step.refused" })
	d.Seal()
}

func failed(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Ended(Refund, evidence.StatusFailed)
	d.Seal()
}

func cancelled(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Ended(Refund, evidence.StatusCancelled)
	d.Seal()
}

func unresolved(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Ended(Refund, evidence.StatusUnknown)
	d.Seal()
}

func noOutcome(d *Desk) {
	d.Open()
	d.Allow(Refund)
	d.Lost(Refund)
	d.Seal()
}

func resolved(d *Desk) {
	unresolved(d)
	d.Resolve(Refund)
}
