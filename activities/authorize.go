package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// MaxAttempts is how often the workflow tries an activity of the control
// plane before it gives up and stops the execution.
const MaxAttempts = 5

// A refusal is why a request is not admitted.
type refusal struct {
	cause  string
	reason string
	rules  []evidence.RuleResult
	outage error // why nobody can tell: the store did not answer
}

// Authorize decides whether a request may become an execution. It answers with
// a grant, or with a signed denial; the workflow must treat an error as a
// denial without evidence. The nonce is consumed in the same transaction that
// stores the grant, after the signature was checked.
//
// If the store does not answer, it says so, and for how long to ask again; then
// Deny is to be asked.
func (c *Control) Authorize(ctx context.Context, request evidence.Envelope) (*contract.Admission, error) {
	return c.authorize(ctx, request, false)
}

// Deny is Authorize for the last time. If the store still does not answer it
// denies, and that denial is the one record that is not in the store: nothing
// can have run.
func (c *Control) Deny(ctx context.Context, request evidence.Envelope) (*contract.Admission, error) {
	return c.authorize(ctx, request, true)
}

func (c *Control) authorize(ctx context.Context, request evidence.Envelope, last bool) (*contract.Admission, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	crash.Point("authorize.begin")
	run := runOf(ctx)
	x, err := c.open(ctx, run)
	if err != nil {
		return c.unstored(ctx, run, request, last, err)
	}
	defer x.letGo()
	if x.lineage.Count() > 0 { // an earlier attempt got as far as the store
		defer x.release()
		return c.admission(x.execution), nil
	}
	orders, err := c.orders.read(ctx)
	if err != nil {
		x.abandon()
		return c.unstored(ctx, run, request, last, err)
	}
	nonce, refused := c.judge(ctx, x.execution, request, orders)
	if refused != nil && refused.outage != nil {
		x.abandon()
		return c.unstored(ctx, run, request, last, refused.outage)
	}
	if err := c.answer(x.execution, request, refused); err != nil {
		x.abandon()
		return nil, err
	}
	crash.Point("authorize.decided")
	err = c.commit(ctx, x.execution, onceOnly(nonce))
	if err == nil {
		crash.Point("authorize.stored")
		defer x.release()
		return c.admission(x.execution), nil
	}
	x.abandon()
	if errors.Is(err, store.ErrNonceUsed) {
		return c.replayed(ctx, run, request, last)
	}
	return c.unstored(ctx, run, request, last, err)
}

// judge returns why the request is refused, or nil. If the request is
// authentic it has been added to x, and its nonce is to be consumed.
func (c *Control) judge(ctx context.Context, x *execution, request evidence.Envelope, orders standing) (*store.Nonce, *refusal) {
	rec, err := openNow(c.c.Trust, request, evidence.TimeOf(c.c.Now()))
	if err != nil {
		return nil, &refusal{cause: untrusted(err), reason: "the request is not signed by a principal that is trusted now"}
	}
	req, ok := rec.Predicate.(*evidence.Request)
	if !ok {
		return nil, &refusal{cause: "request.kind", reason: fmt.Sprintf("a %s was presented as a request", rec.Kind())}
	}
	if req.ID != x.run.Workflow {
		return nil, &refusal{cause: "request.workflow", reason: "the request is for a workflow of another id"}
	}
	if req.Audience != c.c.Trust.Domain() {
		return nil, &refusal{cause: "request.audience", reason: "the request is meant for another trust domain"}
	}
	if err := x.add(rec); err != nil {
		return nil, &refusal{cause: "request.malformed", reason: "the request contradicts itself"}
	}
	nonce := &store.Nonce{Principal: req.Principal, Value: req.Nonce, Expires: req.Expires}
	return nonce, c.admit(ctx, x, req, orders)
}

// untrusted maps an error of [evidence.Trust.Open] to a cause.
func untrusted(err error) string {
	switch {
	case errors.Is(err, evidence.ErrSignature):
		return "request.signature"
	case errors.Is(err, evidence.ErrUntrusted):
		return "request.untrusted"
	}
	return "request.malformed"
}

// admit asks everything that can refuse an authentic request, policy last.
func (c *Control) admit(ctx context.Context, x *execution, req *evidence.Request, orders standing) *refusal {
	now := evidence.TimeOf(c.c.Now())
	if order := orders.stopping(orders.head.Seq, c.concerned(&x.lineage)); order != nil {
		check, reason := causeOf(order)
		return &refusal{cause: check, reason: reason}
	}
	switch {
	case now >= req.Expires:
		return &refusal{cause: "request.expired", reason: fmt.Sprintf("the request expired at %v", req.Expires)}
	case req.Issued > now.Add(c.c.Skew):
		return &refusal{cause: "request.future", reason: fmt.Sprintf("the request is dated %v, in the future", req.Issued)}
	case req.Policy != c.c.Policy.Ref().Name:
		return &refusal{cause: "policy.unknown", reason: fmt.Sprintf("the policy %.60q is not the one in force here", req.Policy)}
	}
	for i := range req.Steps {
		key := evidence.IdempotencyKey(x.lineage.Subject().Digest, req.Steps[i].ID)
		if _, cause, err := c.knows(&req.Steps[i], key); err != nil {
			return &refusal{cause: cause, reason: sentence(fmt.Errorf("step %q: %w", req.Steps[i].ID, err))}
		}
	}
	probes, outage := survey(ctx, c.c.Probes, c.pinned(x.run, &x.lineage, evidence.Position{}), false)
	if outage != nil {
		return &refusal{outage: outage}
	}
	if p := failed(probes); p != nil {
		return &refusal{cause: "probe." + p.Name, reason: "an integrity probe is " + string(p.Status)}
	}
	ruling := c.c.Policy.Decide(evidence.Facts{Phase: evidence.PhaseAdmit, Now: now, Request: req})
	if !ruling.Effect.Allows() {
		return &refusal{cause: orUnknown(ruling.Cause), reason: ruling.Reason, rules: ruling.Rules}
	}
	return c.grant(x, req, ruling, probes, orders)
}

// knows reports whether a step uses a declared action with arguments that
// the catalogue allows, and returns the digest of what it will send.
func (c *Control) knows(s *evidence.Step, key string) (sends evidence.Digest, cause string, err error) {
	a, ok := c.c.Catalogue.Action(s.Action)
	if !ok {
		return sends, "action.unknown", fmt.Errorf("the catalogue has no action %q", s.Action)
	}
	if err := a.CheckArgs(s.Args); err != nil {
		return sends, "action.args", err
	}
	sends, err = c.sends(s, key)
	return sends, "action.args", err
}

// grant adds the grant to x, or says why there cannot be one.
func (c *Control) grant(x *execution, req *evidence.Request, ruling evidence.Ruling, probes []evidence.Probe, orders standing) *refusal {
	at := c.now(&x.lineage)
	g := &evidence.Grant{
		Position: x.chain.Next(), At: at, Request: x.lineage.Subject().Digest,
		Principal: req.Principal, Binding: c.bindingOf(x.run, firstEpoch),
		Policy: c.c.Policy.Ref(), Catalogue: c.c.Catalogue.Digest(),
		Rules: ruling.Rules, Probes: probes, Terms: c.c.Terms,
		Lease: newLease(1, leaseEnd(at, req.Expires, c.c.Terms)), Expires: req.Expires,
		Orders: orders.head,
	}
	if err := c.sign(x, c.c.Authorities, g); err != nil {
		c.c.Log.Error("grant not possible", zap.String("execution", req.ID), zap.Error(err))
		return &refusal{cause: "grant.impossible", reason: "the control plane could not make a valid grant"}
	}
	return nil
}

// leaseEnd is when a lease that is given now ends: never after the grant. The
// terms are the grant's, whatever the configuration says by now.
func leaseEnd(now, expires evidence.Time, t evidence.Terms) evidence.Time {
	return min(now.Add(time.Duration(t.LeaseMS)*time.Millisecond), expires)
}

// answer adds the denial, if there is one.
func (c *Control) answer(x *execution, request evidence.Envelope, r *refusal) error {
	if r == nil {
		return nil
	}
	subject := evidence.Subject{Execution: x.run.Workflow, Digest: request.Digest()}
	d := &evidence.Decision{
		Position: x.chain.Next(), At: evidence.TimeOf(c.c.Now()), Phase: evidence.PhaseAdmit,
		Request: subject.Digest, Binding: c.bindingOf(x.run, firstEpoch),
		Effect: evidence.Deny, Cause: r.cause, Reason: r.reason, Rules: rulesOf(r.rules),
		Policy: c.c.Policy.Ref(), Catalogue: c.c.Catalogue.Digest(),
	}
	return c.signAbout(x, c.c.Authorities, subject, d)
}

// replayed denies a request whose nonce another run has consumed.
func (c *Control) replayed(ctx context.Context, run store.Run, request evidence.Envelope, last bool) (*contract.Admission, error) {
	a, err := c.deny(ctx, run, request, &refusal{cause: "request.replayed", reason: "the request was used before"}, true)
	if err != nil {
		return c.unstored(ctx, run, request, last, err)
	}
	return a, nil
}

// unstored is the answer to a store that fails: try again, and deny in the
// end. Only the workflow knows when that is, if it is to be patient.
func (c *Control) unstored(ctx context.Context, run store.Run, request evidence.Envelope, last bool, err error) (*contract.Admission, error) {
	patient := c.c.Outage > 0 && away(err)
	if !last && (patient || activity.GetInfo(ctx).Attempt < MaxAttempts) {
		return nil, c.storeError(err)
	}
	c.c.Log.Error("denied: the store does not answer", zap.String("execution", run.Workflow), zap.Error(err))
	return c.deny(ctx, run, request, &refusal{cause: "store.unavailable", reason: "the evidence store did not answer, so nothing may happen"}, false)
}

// deny makes a chain that is nothing but the request, where it is authentic,
// and its denial.
func (c *Control) deny(ctx context.Context, run store.Run, request evidence.Envelope, r *refusal, keep bool) (*contract.Admission, error) {
	x := newExecution(run)
	if rec, err := openUnmarked(c.c.Trust, request); err == nil && rec.Kind() == evidence.KindRequest && rec.Subject.Execution == run.Workflow {
		if err := x.add(rec); err != nil {
			return nil, err
		}
	}
	if err := c.answer(x, request, r); err != nil {
		return nil, err
	}
	if keep {
		if err := c.commit(ctx, x, nil); err != nil {
			return nil, c.storeError(err)
		}
	}
	return c.admission(x), nil
}

// sign signs p as the next record about x and adds it.
func (c *Control) sign(x *execution, keys *evidence.Ring, p evidence.Predicate) error {
	return c.signAbout(x, keys, x.lineage.Subject(), p)
}

// signAbout signs nothing that a verifier would not believe: the key must be
// valid at the time the record states, and nothing known against it.
func (c *Control) signAbout(x *execution, keys *evidence.Ring, about evidence.Subject, p evidence.Predicate) error {
	key, err := keys.Pick(c.c.Trust, evidence.RoleFor(p.Kind()), "", p.When())
	if err != nil {
		return err
	}
	e, err := key.Sign(about, p)
	if err != nil {
		return err
	}
	return x.add(&evidence.Record{Envelope: e, Digest: e.Digest(), Subject: about, Predicate: p})
}

// admission is what the workflow learns of the beginning of x.
func (c *Control) admission(x *execution) *contract.Admission {
	return c.admissionAfter(x, evidence.Position{})
}

// admissionAfter is that of a workflow that knows the chain up to head.
func (c *Control) admissionAfter(x *execution, head evidence.Position) *contract.Admission {
	a := &contract.Admission{Entries: x.since(head, nil)}
	g := x.lineage.Grant()
	if g == nil {
		if d := x.lineage.Refusal(); d != nil {
			a.Cause = contract.Cause{Check: d.Cause, Reason: d.Reason}
		}
		return a
	}
	req := x.lineage.Request()
	a.Ticket = &contract.Ticket{
		Principal: g.Principal, Policy: g.Policy.Name, Queue: x.lineage.Binding().Queue, Terms: g.Terms,
		Expires: g.Expires, SearchAttributes: c.c.SearchAttributes,
		Grant: x.lineage.GrantDigest(), Binding: x.lineage.Binding(), Signals: x.lineage.Signals(),
		MaxEvents: c.c.MaxEvents, HardLimit: eventsLimit * c.c.MaxEvents, OutageMS: c.c.Outage.Milliseconds(),
		MaxBytes: c.c.MaxBytes, HardBytes: bytesLimit * c.c.MaxBytes,
	}
	for _, s := range req.Steps {
		p := c.planned(s)
		if o := x.lineage.Ended(s.ID); o != nil {
			p.Status = o.Status
		}
		a.Ticket.Steps = append(a.Ticket.Steps, p)
	}
	return a
}

func (c *Control) planned(s evidence.Step) contract.PlannedStep {
	p := contract.PlannedStep{ID: s.ID, Action: s.Action, Needs: s.Needs, Args: s.Args}
	// An action that has left the catalogue since the grant keeps zero times;
	// Decide halts before they are used, because the digest differs.
	if a, ok := c.c.Catalogue.Action(s.Action); ok {
		p.TimeoutMS, p.HeartbeatMS, p.BackoffMS = a.Timeout.Milliseconds(), a.Heartbeat.Milliseconds(), a.Backoff.Milliseconds()
		p.Attempts, p.Activity = int32(a.Attempts), a.Activity
	}
	return p
}

// mayRepeat reports whether an action can be done again without another
// effect.
func mayRepeat(a *catalogue.Action) bool { return a.Idempotent || a.Effect == catalogue.Read }

func orUnknown(cause string) string {
	if cause == "" {
		return "policy.silent"
	}
	return cause
}

func rulesOf(rules []evidence.RuleResult) []evidence.RuleResult {
	if rules == nil {
		return []evidence.RuleResult{}
	}
	return rules
}
