package evidencetest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// Done appends the outcome of a step that was done.
func (d *Desk) Done(step string, edits ...func(*evidence.Outcome)) {
	d.t.Helper()
	p := d.outcome(step, evidence.StatusDone)
	p.Result = json.RawMessage(`{"ok":true}`)
	d.sign(Worker, d.subject(), edited(p, edits))
}

// Ended appends the outcome of a step that was not.
func (d *Desk) Ended(step string, status evidence.Status, edits ...func(*evidence.Outcome)) {
	d.t.Helper()
	p := d.outcome(step, status)
	p.Cause = "step." + string(status)
	d.sign(Worker, d.subject(), edited(p, edits))
}

// Lost says that a step began. If it has no outcome, [Desk.Seal] calls it
// unresolved.
func (d *Desk) Lost(step string) { d.begun[step] = true }

func (d *Desk) outcome(step string, status evidence.Status) *evidence.Outcome {
	return &evidence.Outcome{
		Decision: d.decided[step], Binding: d.Binding(),
		Step: step, Action: d.step(step).Action, Worker: Worker,
		Attempt: 1, Started: d.tick(), At: d.tick(), Status: status,
	}
}

// Signal appends a good signal, with which the lease is renewed.
func (d *Desk) Signal(edits ...func(*evidence.Signal)) {
	d.t.Helper()
	p := d.signal(healthy)
	d.lease = leaseFrom(d.lease.Number+1, p.At)
	p.Lease = d.lease
	d.sign(Authority, d.subject(), edited(p, edits))
}

// BadSignal appends a signal in which a probe failed.
func (d *Desk) BadSignal(edits ...func(*evidence.Signal)) {
	d.t.Helper()
	d.sign(Authority, d.subject(), edited(d.signal(drifted), edits))
}

func (d *Desk) signal(probes []evidence.Probe) *evidence.Signal {
	from := d.now
	d.signals++
	return &evidence.Signal{
		At: d.tick(), From: from, Grant: d.grant, Binding: d.Binding(),
		Number: d.signals, Measured: 1, Probes: probes, Process: process,
	}
}

// Attestation appends what the worker of a step signs about itself. It has no
// place in a chain; see [evidence.KindAttestation].
func (d *Desk) Attestation(step string, edits ...func(*evidence.Attestation)) {
	d.t.Helper()
	d.sign(Worker, d.subject(), edited(&evidence.Attestation{
		At: d.tick(), Decision: d.decided[step], Binding: d.Binding(), Step: step, Worker: Worker,
		Attempt: 1, Counter: 1, Nonce: d.lease.Nonce, Process: process, Probes: healthy,
	}, edits))
}

// leaseFrom returns the lease with that number, given at that time.
func leaseFrom(number uint64, at evidence.Time) evidence.Lease {
	return evidence.Lease{Number: number, Until: at.Add(30 * time.Second), Nonce: fmt.Sprintf("%032x", number)}
}

// Handover appends that the run ends and another may go on.
func (d *Desk) Handover(edits ...func(*evidence.Handover)) {
	d.t.Helper()
	d.handed = d.sign(Authority, d.subject(), edited(&evidence.Handover{
		Position: d.chain.Next(), At: d.tick(), Grant: d.grant, Binding: d.Binding(), Epoch: d.Binding().Epoch + 1,
	}, edits))
}

// Takeover appends that another run goes on. What is appended later is bound
// to it.
func (d *Desk) Takeover(edits ...func(*evidence.Takeover)) {
	d.t.Helper()
	d.epoch++
	at := d.tick()
	d.lease = leaseFrom(d.lease.Number+1, at)
	d.sign(Authority, d.subject(), edited(&evidence.Takeover{
		Position: d.chain.Next(), At: at, Grant: d.grant, Handover: d.handed, Binding: d.Binding(),
		Probes: healthy, Lease: d.lease,
	}, edits))
}

// Halt appends a halt.
func (d *Desk) Halt(edits ...func(*evidence.Halt)) {
	d.t.Helper()
	d.sign(Authority, d.subject(), edited(&evidence.Halt{
		Position: d.chain.Next(), At: d.tick(), Grant: d.grant, Binding: d.Binding(),
		Check: "probe.policy", Reason: "the policy is not the one that was granted",
	}, edits))
}

// Seal appends the seal, with the verdict that the accepted records amount to.
func (d *Desk) Seal(edits ...func(*evidence.Seal)) {
	d.t.Helper()
	verdict, cause, steps := d.lineage.Judge(func(step string) bool { return d.begun[step] })
	d.sealed = d.sign(Recorder, d.subject(), edited(&evidence.Seal{
		Position: d.chain.Next(), At: d.tick(), Request: d.presented, Grant: d.grant, Binding: d.Binding(),
		Verdict: verdict, Cause: cause, Steps: steps,
	}, edits))
}

// Step appends that a step was allowed and done.
func (d *Desk) Step(step string) {
	d.t.Helper()
	d.Allow(step)
	d.Done(step)
}

// Resolve appends what an operator found out about a step: that it happened.
func (d *Desk) Resolve(step string, edits ...func(*evidence.Resolution)) {
	d.t.Helper()
	d.sign(Operator, d.subject(), edited(&evidence.Resolution{
		At: d.tick(), Request: d.presented, Grant: d.grant, Binding: d.Binding(), Seal: d.sealed,
		Step: step, Decision: d.decided[step], Operator: Operator,
		Found: evidence.Happened, Note: "the bank's statement of 2 February shows the refund",
	}, edits))
}
