package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// maxRejections is how many rejections a chain may have. What comes after them
// is still refused and counted, but not recorded: whoever may write to the
// namespace must not be able to fill the evidence.
const maxRejections = 64

// hear takes in what others have sent to the execution, and says of each
// message what became of it. Nothing that is not signed by an approver or a
// revoker who is trusted now counts; an error means that the store did not
// answer.
func (c *Control) hear(ctx context.Context, x *execution, messages []contract.Message) ([]contract.Heard, error) {
	var heard []contract.Heard
	for _, m := range messages {
		h, err := c.hearOne(ctx, x, m)
		if err != nil {
			return nil, err
		}
		if h.Refused() {
			c.c.Log.Warn("message refused", zap.String("execution", x.run.Workflow), zap.String("message", m.Digest.Short()),
				zap.String("check", h.Cause.Check), zap.String("reason", h.Cause.Reason))
			if err := c.reject(x, m, h.Cause); err != nil {
				return nil, err
			}
		}
		heard = append(heard, h)
	}
	return heard, nil
}

func (c *Control) hearOne(ctx context.Context, x *execution, m contract.Message) (contract.Heard, error) {
	rec, cause := c.openMessage(m)
	if cause != nil {
		return contract.Heard{Cause: *cause}, nil
	}
	switch p := rec.Predicate.(type) {
	case *evidence.Approval:
		return c.hearApproval(x, rec, p), nil
	case *evidence.Order:
		return c.hearOrder(ctx, x, rec, p)
	}
	return notHeard("message.kind", fmt.Sprintf("a %s is not what an execution listens to", rec.Kind())), nil
}

func notHeard(check, reason string) contract.Heard {
	return contract.Heard{Cause: contract.Cause{Check: check, Reason: clip(reason)}}
}

// openMessage returns what a message says, if its signer is trusted now.
func (c *Control) openMessage(m contract.Message) (*evidence.Record, *contract.Cause) {
	if len(m.Data) == 0 {
		return nil, &contract.Cause{Check: "message.size", Reason: fmt.Sprintf("it is empty, or longer than %d bytes", contract.MaxMessage)}
	}
	var e evidence.Envelope
	dec := json.NewDecoder(bytes.NewReader(m.Data))
	dec.DisallowUnknownFields()
	if err := errors.Join(dec.Decode(&e), atEnd(dec)); err != nil {
		return nil, &contract.Cause{Check: "message.malformed", Reason: "it is not an envelope"}
	}
	now := evidence.TimeOf(c.c.Now())
	rec, err := openBehind(defence.MessageSignature, c.c.Trust, e, now)
	if err != nil {
		return nil, &contract.Cause{Check: "message.untrusted", Reason: "it is not signed by somebody who is trusted now: " + sentence(err)}
	}
	if rec.Predicate.When() > now.Add(c.c.Skew) {
		return nil, &contract.Cause{Check: "message.future", Reason: fmt.Sprintf("it is dated %v, in the future", rec.Predicate.When())}
	}
	return rec, nil
}

// hearApproval adds the word of a person, if it is about a step that waits for
// exactly that.
func (c *Control) hearApproval(x *execution, rec *evidence.Record, a *evidence.Approval) contract.Heard {
	if !x.has(rec.Digest) {
		// What counts is when it came: the time that it states is its signer's.
		if d, _ := x.lineage.Waiting(a.Step); d != nil && c.now(&x.lineage) >= d.Until {
			return notHeard("approval.late", fmt.Sprintf("step %.60q waited until %v", a.Step, d.Until))
		}
		if err := x.add(rec); err != nil {
			return notHeard("approval.misplaced", err.Error())
		}
	}
	h := contract.Heard{Counted: true, Step: a.Step}
	if w := c.stillWaits(x, a.Step); w != nil {
		h.Missing = w.Missing
	}
	return h
}

// hearOrder makes sure that an order is in the chain of orders, from where it
// is obeyed.
func (c *Control) hearOrder(ctx context.Context, x *execution, rec *evidence.Record, o *evidence.Order) (contract.Heard, error) {
	if _, err := c.orders.read(ctx); err != nil {
		return contract.Heard{}, err
	}
	if !c.orders.has(rec.Digest) { // nearly all that come like this were given before
		if _, err := c.publish(ctx, rec); err != nil {
			if cause := refusedOrder(err); cause != nil {
				return contract.Heard{Cause: *cause}, nil
			}
			return contract.Heard{}, err
		}
	}
	if !c.concerned(&x.lineage)(o) {
		return notHeard(contract.CheckOther, "it is not about this execution"), nil
	}
	return contract.Heard{Counted: true}, nil
}

// reject records that a message changed nothing, once for each.
func (c *Control) reject(x *execution, m contract.Message, why contract.Cause) error {
	before, count := x.lineage.Rejected(m.Digest)
	if before || count >= maxRejections || m.Digest.IsZero() || x.lineage.Halted() != nil || x.lineage.HandedOver() != nil {
		return nil
	}
	return c.sign(x, c.c.Authorities, &evidence.Rejection{
		Position: x.chain.Next(), At: c.now(&x.lineage), Grant: x.lineage.GrantDigest(), Binding: x.lineage.Binding(),
		Message: m.Digest, Cause: checkName(why.Check), Reason: clip(why.Reason),
	})
}

// concerned reports whether an order stops an execution: by what its records
// say, or because it is about a key that this control plane would sign with.
func (c *Control) concerned(l *evidence.Lineage) func(*evidence.Order) bool {
	return func(o *evidence.Order) bool {
		if o.Does == evidence.Stop && o.Scope.Kind == evidence.ScopeKey && c.signsWith(o.Scope.Value) {
			return true
		}
		return l.Concerns(o)
	}
}

// signsWith reports whether this control plane would sign with the key now.
func (c *Control) signsWith(id string) bool {
	now := evidence.TimeOf(c.c.Now())
	authority, errA := c.c.Authorities.Pick(c.c.Trust, evidence.RoleAuthority, "", now)
	recorder, errR := c.c.Recorders.Pick(c.c.Trust, evidence.RoleRecorder, "", now)
	return errA == nil && authority.KeyID() == id || errR == nil && recorder.KeyID() == id
}

// obey stops an execution that an order in force is about. The order becomes a
// record of its chain, so that a proof shows who stopped it.
func (c *Control) obey(x *execution, orders standing) *contract.Cause {
	order := orders.stopping(knownOf(&x.lineage), c.concerned(&x.lineage))
	if order == nil || !defence.Stands(defence.OrdersObeyed) {
		return nil
	}
	check, reason := causeOf(order)
	if x.lineage.Ordered() == nil && x.lineage.Halted() == nil && x.lineage.HandedOver() == nil && x.lineage.Concerns(order.Predicate.(*evidence.Order)) {
		if _, marked := c.c.Trust.Compromised(order.Envelope); marked {
			return &contract.Cause{Check: check, Reason: reason} // it stops, and no verifier would believe it
		}
		if err := x.add(order); err != nil {
			c.c.Log.Error("order not recorded", zap.String("execution", x.run.Workflow), zap.Error(err))
		}
	}
	return &contract.Cause{Check: check, Reason: reason}
}

// knownOf returns how many orders were known when an execution was granted.
func knownOf(l *evidence.Lineage) uint64 {
	if g := l.Grant(); g != nil {
		return g.Orders.Seq
	}
	return 0 // every one counts
}

// errNotPublished means that an order may not stand in the chain of orders.
var errNotPublished = errors.New("the order is refused")

// refusedOrder returns why an order was refused; nil for another error.
func refusedOrder(err error) *contract.Cause {
	if !errors.Is(err, errNotPublished) {
		return nil
	}
	return &contract.Cause{Check: "order.refused", Reason: sentence(err)}
}

// publish makes sure that an order, which was opened, is in the chain of
// orders, and returns its place there.
func (c *Control) publish(ctx context.Context, rec *evidence.Record) (store.Record, error) {
	o := rec.Predicate.(*evidence.Order)
	for range 5 {
		at, err := c.publishOnce(ctx, rec, o)
		if !errors.Is(err, store.ErrConflict) {
			return at, err
		}
	}
	return store.Record{}, store.ErrConflict
}

func (c *Control) publishOnce(ctx context.Context, rec *evidence.Record, o *evidence.Order) (store.Record, error) {
	var at store.Record
	err := answering(ctx, func() error {
		all, err := c.c.Store.Records(ctx, store.Orders, 0)
		if err != nil {
			return err
		}
		var orders evidence.Orders
		for _, r := range all {
			if r.Envelope.Digest() == rec.Digest {
				at = r
				return nil
			}
			if known, err := believedOrder(c.c.Trust, r.Envelope); err == nil {
				_ = orders.Add(known) // what does not fit counts for nothing there either
			}
		}
		if err := c.mayPublish(&orders, rec, o); err != nil {
			return err
		}
		head := evidence.Position{}
		if n := len(all); n > 0 {
			head = evidence.Position{Seq: uint64(n), Prev: all[n-1].Link}
		}
		next, err := c.c.Store.Append(ctx, store.Orders, head, rec.Envelope)
		at = store.Record{Seq: head.Seq, Link: next.Prev, Envelope: rec.Envelope}
		return err
	})
	return at, err
}

// orderLife is how old an order may be when it is given. Whoever keeps a
// signed one for later must sign it anew.
const orderLife = 10 * 60 * 1000 // milliseconds

func (c *Control) mayPublish(orders *evidence.Orders, rec *evidence.Record, o *evidence.Order) error {
	switch now := evidence.TimeOf(c.c.Now()); {
	case o.Audience != c.c.Trust.Domain():
		return fmt.Errorf("%w: it is meant for another trust domain, %.60q", errNotPublished, o.Audience)
	case o.At > now.Add(c.c.Skew) || now-o.At > orderLife:
		return fmt.Errorf("%w: it is dated %v, and now it is %v: sign it anew", errNotPublished, o.At, now)
	}
	if err := orders.Add(rec); err != nil {
		return fmt.Errorf("%w: %w", errNotPublished, err)
	}
	return nil
}
