package evidencetest

import (
	"crypto"
	"encoding/json"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

const noHash = crypto.Hash(0)

var (
	policy = evidence.PolicyRef{
		Name:    "refunds",
		Version: 7,
		Digest:  evidence.FileDigest([]byte("the bundle of the tests")),
	}
	catalogue = evidence.FileDigest([]byte("the catalogue of the tests"))
	allowed   = []evidence.RuleResult{{ID: "small-refunds", Effect: evidence.Allow}}
	denied    = []evidence.RuleResult{{ID: "no-weekends", Effect: evidence.Deny, Message: "not on a Saturday"}}
	terms     = evidence.Terms{LeaseMS: 30_000, IntervalMS: 1_000, WindowMS: 60_000}
	healthy   = []evidence.Probe{{Name: "policy", Status: evidence.ProbeOK, Want: "7", Got: "7"}}
	process   = evidence.Process{
		Executable: evidence.FileDigest([]byte("a program")), Build: "v0.1.0 4f2c", Host: "desk-1", Roles: "control", Started: Start,
	}
	drifted = []evidence.Probe{{Name: "policy", Status: evidence.ProbeBad, Want: "7", Got: "8"}}
)

// NewRequest returns the request of [Desk.Request], not signed.
func NewRequest() *evidence.Request {
	return &evidence.Request{
		ID:        "refund-0042",
		Audience:  Domain,
		Principal: Alice,
		Purpose:   "refund order o-1, see ticket 42",
		Policy:    policy.Name,
		Context:   map[string]string{"ticket": "42", "channel": "mail"},
		Issued:    Start,
		Expires:   Start.Add(time.Hour),
		Nonce:     "000102030405060708090a0b0c0d0e0f",
		Steps: []evidence.Step{
			{ID: Lookup, Action: "orders.read", Args: json.RawMessage(`{"order":"o-1"}`)},
			{ID: Refund, Action: "orders.refund", Needs: []string{Lookup}, Args: json.RawMessage(`{"order":"o-1","cents":1250}`)},
			{ID: Notify, Action: "mail.send", Needs: []string{Refund}, Args: json.RawMessage(`{"to":"o-1"}`)},
		},
	}
}

// Request appends the request.
func (d *Desk) Request(edits ...func(*evidence.Request)) {
	d.t.Helper()
	r := edited(NewRequest(), edits)
	plan, err := evidence.PlanDigest(r.Steps)
	if err != nil {
		d.t.Fatal(err)
	}
	d.request = r
	d.presented = d.sign(Alice, evidence.Subject{Execution: r.ID, Digest: plan}, r)
}

// Grant appends the grant.
func (d *Desk) Grant(edits ...func(*evidence.Grant)) {
	d.t.Helper()
	at := d.tick()
	d.lease = leaseFrom(1, at)
	g := edited(&evidence.Grant{
		Position: d.chain.Next(), At: at, Request: d.presented, Principal: d.request.Principal, Binding: d.Binding(),
		Policy: policy, Catalogue: catalogue, Rules: allowed, Probes: healthy,
		Terms: terms, Lease: d.lease, Expires: d.request.Expires,
	}, edits)
	d.grant = d.sign(Authority, d.subject(), g)
}

// Refuse appends a denial of the request. Without a request in the chain it
// denies [NewRequest] as somebody who is not [Alice] might have sent it.
func (d *Desk) Refuse(edits ...func(*evidence.Decision)) {
	d.t.Helper()
	if d.request == nil {
		d.request, d.presented = NewRequest(), evidence.FileDigest([]byte("a forged request"))
	}
	d.sign(Authority, d.subject(), edited(&evidence.Decision{
		Position: d.chain.Next(), At: d.tick(), Phase: evidence.PhaseAdmit, Request: d.presented, Binding: d.Binding(),
		Effect: evidence.Deny, Cause: "policy.deny", Reason: "the request may not run",
		Rules: denied, Policy: policy, Catalogue: catalogue,
	}, edits))
}

// Allow appends a decision that lets a step run.
func (d *Desk) Allow(step string, edits ...func(*evidence.Decision)) {
	d.t.Helper()
	p := d.decision(step)
	p.Effect, p.Cause, p.Rules, p.Lease = evidence.Allow, "policy.allow", allowed, d.lease
	p.Sends = p.Args
	d.decided[step] = d.sign(Authority, d.subject(), edited(p, edits))
}

// Deny appends a decision that does not.
func (d *Desk) Deny(step string, edits ...func(*evidence.Decision)) {
	d.t.Helper()
	p := d.decision(step)
	p.Effect, p.Cause, p.Rules = evidence.Deny, "policy.deny", denied
	d.decided[step] = d.sign(Authority, d.subject(), edited(p, edits))
}

func (d *Desk) decision(step string) *evidence.Decision {
	plan := d.step(step)
	return &evidence.Decision{
		Position: d.chain.Next(), At: d.tick(), Phase: evidence.PhaseStep,
		Request: d.presented, Grant: d.grant, Binding: d.Binding(), Principal: d.request.Principal,
		Step: step, Action: plan.Action, Args: evidence.ValueDigest(plan.Args),
		Reason: "decided by a rule", Policy: policy, Catalogue: catalogue,
		Key: evidence.IdempotencyKey(d.presented, step),
	}
}

// step returns a step of the plan, or an empty one.
func (d *Desk) step(id string) evidence.Step {
	for _, s := range d.request.Steps {
		if s.ID == id {
			return s
		}
	}
	return evidence.Step{}
}
