package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/workflows/contract"
)

// Decide records what the workflow has received since it last asked, and
// decides the steps that may begin next. Decisions are on disk before it
// returns, and there is one for each step: asked again, it returns the same
// bytes.
//
// It believes nothing that it is handed: outcomes and signals are verified
// and held to the rules of [evidence.Lineage] first. Any check that fails
// comes back as a halt; an error means that the store did not answer.
func (c *Control) Decide(ctx context.Context, in contract.DecideInput) (*contract.DecideOutput, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	for range 3 {
		out, err := c.decide(ctx, in)
		if !errors.Is(err, store.ErrConflict) {
			return out, err
		}
		// Another attempt at this same decision was faster, or another control
		// plane went on with the execution: read what is stored, and go on
		// from that.
	}
	return nil, c.storeError(store.ErrConflict)
}

func (c *Control) decide(ctx context.Context, in contract.DecideInput) (*contract.DecideOutput, error) {
	crash.Point("decide.begin")
	run := c.chainOf(ctx)
	x, err := c.open(ctx, run)
	if errors.Is(err, errHead) || errors.Is(err, store.ErrCorrupt) {
		return haltOutput("store.head", err), nil
	}
	if err != nil {
		return nil, c.storeError(err)
	}
	defer x.letGo()
	fresh := x.fresh
	out, err := c.extend(ctx, x.execution, in)
	if err == nil {
		crash.Point("decide.signed")
		err = c.commit(ctx, x.execution, nil)
	}
	switch {
	case errors.Is(err, errHead) && fresh:
		x.abandon()
		return haltOutput("store.head", err), nil
	case errors.Is(err, errHead): // the copy may be an old one: read again
		x.abandon()
		return nil, store.ErrConflict
	case errors.Is(err, store.ErrConflict):
		x.abandon()
		return nil, err
	case err != nil:
		x.abandon()
		return nil, c.storeError(err)
	}
	crash.Point("decide.stored")
	if !out.Handover.IsZero() {
		crash.Point("handover.stored")
	}
	out.Entries = x.since(in.Head, in.Fresh)
	x.release()
	return out, nil
}

// extend adds what is fresh and the decisions to x.
func (c *Control) extend(ctx context.Context, x *execution, in contract.DecideInput) (*contract.DecideOutput, error) {
	if err := x.agrees(in.Head); err != nil {
		return nil, err
	}
	if x.lineage.Grant() == nil {
		return nil, fmt.Errorf("%w: there is no grant", errHead)
	}
	if b := x.lineage.Binding(); b != c.bindingOf(x.run, b.Epoch) {
		return nil, fmt.Errorf("%w: run %s has the execution now", errHead, b.Run)
	}
	if h := x.lineage.HandedOver(); h != nil { // an earlier attempt got as far as the store
		out := &contract.DecideOutput{Handover: h.Digest}
		for range in.Messages { // without an answer they would be sent again and again
			out.Heard = append(out.Heard, contract.Again())
		}
		return out, nil
	}
	if halt := c.receive(x, in.Fresh); halt != nil {
		return &contract.DecideOutput{Stop: *halt, Halt: true}, nil
	}
	heard, err := c.hear(ctx, x, in.Messages)
	if err != nil {
		return nil, err
	}
	orders, err := c.orders.read(ctx)
	if err != nil {
		return nil, err
	}
	out, err := c.goOn(ctx, x, in, orders)
	if out != nil {
		out.Heard = heard
	}
	return out, err
}

// goOn decides, unless a check or an order stops the execution.
func (c *Control) goOn(ctx context.Context, x *execution, in contract.DecideInput, orders standing) (*contract.DecideOutput, error) {
	halt := c.obey(x, orders)
	if halt == nil {
		var outage error
		if halt, outage = c.trip(ctx, x, in.Head); outage != nil {
			return nil, outage
		}
	}
	if g := x.lineage.Grant(); halt == nil && len(in.Steps) > 0 && c.now(&x.lineage) >= g.Expires {
		halt = &contract.Cause{Check: "grant.expired", Reason: fmt.Sprintf("the grant expired at %v", g.Expires)}
	}
	if halt != nil {
		return &contract.DecideOutput{Stop: *halt, Halt: true}, nil
	}
	if stopped := x.lineage.Stopped(); stopped != "" {
		return &contract.DecideOutput{Stop: contract.Cause{Check: "stopped", Reason: stopped}}, nil
	}
	if in.HandOver {
		return c.handOver(x)
	}
	if len(in.Steps) == 0 {
		return &contract.DecideOutput{}, nil
	}
	return c.steps(ctx, x, in.Steps, orders)
}

// receive verifies and adds the records that the workflow was given by others.
// The first that cannot be believed is a failed check; the good ones among the
// others are added all the same, because they say what happened.
func (c *Control) receive(x *execution, fresh []evidence.Envelope) (bad *contract.Cause) {
	for _, e := range fresh {
		if x.has(e.Digest()) {
			continue
		}
		if cause := c.receiveOne(x, e); cause != nil && bad == nil {
			bad = cause
		}
	}
	return bad
}

func (c *Control) receiveOne(x *execution, e evidence.Envelope) *contract.Cause {
	rec, err := receivable(c.c.Trust, e)
	if errors.Is(err, evidence.ErrCompromised) {
		return &contract.Cause{Check: checkCompromised, Reason: sentence(err)}
	}
	if err != nil {
		return &contract.Cause{Check: "record.forged", Reason: sentence(err)}
	}
	if k := rec.Kind(); k != evidence.KindOutcome && k != evidence.KindSignal {
		return &contract.Cause{Check: "record.forged", Reason: fmt.Sprintf("a %s was handed in as an outcome or signal", k)}
	}
	if err := x.add(rec); err != nil {
		return &contract.Cause{Check: "record.misplaced", Reason: sentence(err)}
	}
	return nil
}

// trip is the cheap integrity measurement before each decision, and the
// checks that records themselves fail. An error means that the store did not
// answer, and nothing else is wrong.
func (c *Control) trip(ctx context.Context, x *execution, head evidence.Position) (*contract.Cause, error) {
	if halt := compromised(c.c.Trust, x.envs...); halt != nil {
		return halt, nil
	}
	if check := x.lineage.Tripped(); check != "" {
		return &contract.Cause{Check: check, Reason: x.lineage.Stopped()}, nil
	}
	g := x.lineage.Grant()
	if g.Policy != c.c.Policy.Ref() {
		return &contract.Cause{Check: "policy.pinned", Reason: "the policy in force is not the one of the grant"}, nil
	}
	if g.Catalogue != c.c.Catalogue.Digest() {
		return &contract.Cause{Check: "catalogue.pinned", Reason: "the catalogue in force is not the one of the grant"}, nil
	}
	probes, outage := survey(ctx, c.c.Probes, c.pinned(x.run, &x.lineage, head), true)
	if outage != nil {
		return nil, outage
	}
	if p := failed(probes); p != nil {
		return &contract.Cause{Check: "probe." + p.Name, Reason: "an integrity probe is " + string(p.Status)}, nil
	}
	return nil, nil
}

// steps decides each step, in order, until one is denied.
func (c *Control) steps(ctx context.Context, x *execution, ids []string, orders standing) (*contract.DecideOutput, error) {
	out := &contract.DecideOutput{}
	lease, err := c.lease(ctx, x)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		d, rec := x.lineage.Decided(id)
		if d == nil {
			if wait := c.stillWaits(x, id); wait != nil {
				out.Waiting = append(out.Waiting, *wait)
				continue
			}
			if c.now(&x.lineage) >= lease.Until {
				out.Lapsed = true
				return out, nil
			}
			if err = c.decideStep(x, id, lease, orders); err != nil {
				c.c.Log.Error("decision not possible", zap.String("execution", x.run.Workflow), zap.String("step", id), zap.Error(err))
				return haltOutput("decision.impossible", err), nil
			}
			if d, rec = x.lineage.Decided(id); d == nil {
				out.Waiting = append(out.Waiting, *c.waits(x, id))
				continue
			}
		}
		if !d.Effect.Allows() {
			out.Stop = contract.Cause{Check: d.Cause, Reason: d.Reason}
			return out, nil
		}
		out.Allowed = append(out.Allowed, contract.Work{Step: id, Decision: rec.Digest})
	}
	return out, nil
}

// decideStep asks policy about one step, and signs and adds the answer.
func (c *Control) decideStep(x *execution, id string, lease evidence.Lease, orders standing) error {
	req, g := x.lineage.Request(), x.lineage.Grant()
	i := slices.IndexFunc(req.Steps, func(s evidence.Step) bool { return s.ID == id })
	if i < 0 {
		return fmt.Errorf("the plan has no step %.60q", id)
	}
	s := &req.Steps[i]
	now := c.now(&x.lineage)
	r := c.c.Policy.Decide(evidence.Facts{
		Phase: evidence.PhaseStep, Now: now, Request: req, Step: s, Lineage: x.lineage.Past(),
		Said: x.lineage.Said(id), Requester: x.lineage.Requester(),
	})
	r = c.bounded(x, id, now, r)
	d := &evidence.Decision{
		Position: x.chain.Next(), At: now, Phase: evidence.PhaseStep,
		Request: g.Request, Grant: x.lineage.GrantDigest(), Binding: x.lineage.Binding(), Principal: g.Principal,
		Step: s.ID, Action: s.Action, Args: evidence.ValueDigest(s.Args),
		Effect: evidence.Deny, Cause: orUnknown(r.Cause), Reason: r.Reason, Rules: rulesOf(r.Rules),
		Policy: g.Policy, Catalogue: g.Catalogue, Key: evidence.IdempotencyKey(g.Request, s.ID), Orders: orders.head,
	}
	switch sends, cause, err := c.knows(s, d.Key); {
	case err != nil:
		d.Cause, d.Reason = cause, sentence(err)
	case r.Effect != evidence.Deny && drifted(x, id, sends):
		d.Cause, d.Reason = "approval.drifted", "what would be sent is no longer what the step waited to send"
	case r.Effect.Allows():
		// Another control plane's clock may be ahead of this one's: a decision
		// never promises more than one lease from its own time on.
		lease.Until = min(lease.Until, leaseEnd(now, g.Expires, g.Terms))
		d.Effect, d.Lease, d.Sends = evidence.Allow, lease, sends
	case r.Effect.Waits():
		d.Effect, d.Sends = r.Effect, sends
		d.Until, d.Again = c.waitEnds(x, id, now, r)
	}
	return c.sign(x, c.c.Authorities, d)
}

// drifted reports whether a step would send something else than it waited to
// send, which is what people approved.
func drifted(x *execution, id string, sends evidence.Digest) bool {
	d, _ := x.lineage.Waiting(id)
	return d != nil && d.Sends != sends
}

// lease returns the newest lease of x. The store is asked only when the known
// one is more than half over: short executions never need to.
func (c *Control) lease(ctx context.Context, x *execution) (evidence.Lease, error) {
	known := x.lineage.Lease()
	if x.renewed.Number > known.Number {
		known = x.renewed
	}
	half := time.Duration(x.lineage.Grant().Terms.LeaseMS) * time.Millisecond / 2
	if c.now(&x.lineage).Add(half) < known.Until {
		return known, nil
	}
	return c.newestLease(ctx, x, known)
}

// newestLease asks the store for a lease that is newer than the known one.
// What it cannot believe does not count.
func (c *Control) newestLease(ctx context.Context, x *execution, known evidence.Lease) (evidence.Lease, error) {
	var signed evidence.Envelope
	run := x.run
	err := answering(ctx, func() (err error) {
		_, signed, err = c.c.Store.Lease(ctx, run)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		return known, nil
	}
	if err != nil {
		return evidence.Lease{}, err
	}
	stored, err := openLease(c.c.Trust, signed, evidence.TimeOf(c.c.Now()), x.lineage.GrantDigest(), x.lineage.Binding())
	if err == nil && stored.Lease.Number > known.Number {
		x.renewed, known = stored.Lease, stored.Lease
	}
	return known, nil
}

func haltOutput(check string, err error) *contract.DecideOutput {
	return &contract.DecideOutput{Stop: contract.Cause{Check: check, Reason: sentence(err)}, Halt: true}
}

// sentence bounds an error text that goes into evidence. Errors of package
// evidence hold no secrets.
func sentence(err error) string {
	return clip(err.Error())
}

// clip bounds a text that goes into evidence.
func clip(s string) string {
	if len(s) > 300 {
		s = s[:300]
	}
	return strings.ToValidUTF8(s, "")
}
