package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// The errors of [Starter.Revoke], [Starter.Kill] and [Starter.Restore].
var (
	// ErrNoRevoker means that an order was to be signed by a starter that has
	// no revoker's key.
	ErrNoRevoker = errors.New("no revoker's key to sign with")
	// ErrOrderRefused means that the control plane did not put an order into
	// the chain of orders. See [RefusedError] for the cause.
	ErrOrderRefused = errors.New("the order was not taken")
	// ErrNoOrder means that no such order is in force.
	ErrNoOrder = errors.New("no such order is in force")
)

// tellFor is how long the running executions may take to be told. An order
// itself must be stored within ten minutes of its signature.
const tellFor = time.Hour

// Revoke signs with the revoker's key that one execution stops, and never
// begins if it has not; and waits until that is stored and the execution, if it
// runs, was told. The reason is one line.
//
// It does not wait until the execution has stopped: [Execution.Wait] does. It
// returns [ErrNoRevoker], [evidence.ErrField] if the reason is missing or not
// one line, and the errors of [Given.Told].
func (s *Starter) Revoke(ctx context.Context, id, reason string) (*contract.Ordered, error) {
	return s.Kill(ctx, evidence.Scope{Kind: evidence.ScopeExecution, Value: id}, reason)
}

// Kill signs with the revoker's key that everything in the scope stops, and
// that nothing in it begins until the order is undone by [Starter.Restore]. The
// rest is as with [Starter.Revoke].
func (s *Starter) Kill(ctx context.Context, scope evidence.Scope, reason string) (*contract.Ordered, error) {
	return s.order(ctx, &evidence.Order{Does: evidence.Stop, Scope: scope, Reason: reason})
}

// Restore signs with the revoker's key that an order in force is undone. What
// it has stopped stays stopped. It returns [ErrNoOrder] if no order with this
// record digest is in force, and otherwise what [Starter.Revoke] does.
func (s *Starter) Restore(ctx context.Context, order evidence.Digest, reason string) (*contract.Ordered, error) {
	if s.c.Revoker == nil {
		return nil, ErrNoRevoker
	}
	list, err := s.Orders(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range list.Orders {
		if o.Order == order {
			return s.order(ctx, &evidence.Order{Does: evidence.Restore, Scope: o.Scope, Undoes: order, Reason: reason})
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoOrder, order.Short())
}

func (s *Starter) order(ctx context.Context, o *evidence.Order) (*contract.Ordered, error) {
	signed, err := s.SignOrder(o)
	if err != nil {
		return nil, err
	}
	given, err := s.Give(ctx, signed)
	if err != nil {
		return nil, err
	}
	return given.Told(ctx)
}

// SignOrder fills in what is empty in o, and signs it: it is dated now, meant
// for the domain of the trust root, and by the name of the revoker's key; the
// nonce is random. What is filled in stays in o.
//
// An order must be given within ten minutes of its signature. Two orders are
// two, also if they say the same; the same bytes given twice are one.
func (s *Starter) SignOrder(o *evidence.Order) (evidence.Envelope, error) {
	if s.c.Revoker == nil {
		return evidence.Envelope{}, ErrNoRevoker
	}
	set(&o.At, func() evidence.Time { return evidence.TimeOf(s.c.Now()) })
	set(&o.Audience, s.c.Trust.Domain)
	set(&o.Revoker, func() string { return s.revoker })
	set(&o.Nonce, func() string { return random(16) })
	signed, err := s.c.Revoker.SignOrder(o)
	if err != nil {
		return evidence.Envelope{}, fmt.Errorf("couldn't sign the order: %w", err)
	}
	if _, err := s.c.Trust.Open(signed); err != nil {
		return evidence.Envelope{}, fmt.Errorf("couldn't sign the order so that it is believed: %w", err)
	}
	return signed, nil
}

// A Given is an order on its way. It is safe for concurrent use.
type Given struct {
	order  evidence.Digest
	run    client.WorkflowRun
	reader *Reader
}

// Give gives an order that is signed already. Giving the same bytes again is
// harmless. It does not wait for anything: [Given.Stored] and [Given.Told] do.
func (s *Starter) Give(ctx context.Context, signed evidence.Envelope) (*Given, error) {
	digest := signed.Digest()
	id := contract.OrderID(digest)
	run, err := s.c.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                s.c.Queue,
		WorkflowExecutionTimeout: tellFor,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		// One that was refused must not stand in the way of the same order
		// when it can be taken.
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
	}, contract.OrderWorkflow, signed)
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &exists) {
		run, err = s.c.Client.GetWorkflow(ctx, id, exists.RunId), nil
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't give the order: %w", err)
	}
	return &Given{order: digest, run: run, reader: s.Reader}, nil
}

// Order returns the record digest of the order.
func (g *Given) Order() evidence.Digest { return g.order }

// Stored waits until the order is in the chain of orders, for as long as ctx
// lasts: from then on no step begins that it stops. Its errors are those of
// [Given.Told].
func (g *Given) Stored(ctx context.Context) (*contract.Ordered, error) {
	for {
		var out contract.Ordered
		asked := g.reader.askRun(ctx, g.run.GetID(), g.run.GetRunID(), contract.QueryOrdered, &out)
		if asked == nil && out.Order == g.order {
			return &out, nil
		}
		// It is asked again while it runs; one that has ended says the rest.
		attempt, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		err := g.run.Get(attempt, &out)
		again := timedOut(err)
		if again {
			<-attempt.Done()
		}
		cancel()
		if !again || ctx.Err() != nil {
			return g.ended(ctx, &out, err)
		}
	}
}

// Told waits until the order is in the chain of orders and every running
// execution was told, for as long as ctx lasts. They hear of it without that,
// too, a moment later.
//
// It returns [ErrOrderRefused], with the cause, if the control plane did not
// take the order. After any other error it may still be taken, within ten
// minutes of its signature. What is returned is the control plane's word, as
// Temporal passes it on: that an execution was stopped is proven by its proof.
func (g *Given) Told(ctx context.Context) (*contract.Ordered, error) {
	var out contract.Ordered
	err := get(ctx, g.run, &out)
	return g.ended(ctx, &out, err)
}

// ended explains how the workflow of an order ended.
func (g *Given) ended(ctx context.Context, out *contract.Ordered, err error) (*contract.Ordered, error) {
	var app *temporal.ApplicationError
	var cause contract.Cause
	switch {
	case err == nil && out.Order == g.order:
		return out, nil
	case err == nil:
		return nil, &RefusedError{ErrOrderRefused, contract.Cause{Check: "order.other", Reason: "another order was taken in its place"}}
	case ctx.Err() != nil && !ended(err):
		return nil, fmt.Errorf("%w: stopped waiting for order %s: %w", ErrUnanswered, g.order.Short(), context.Cause(ctx))
	case errors.As(err, &app) && app.Type() == contract.ErrTypeRefused && app.HasDetails() && app.Details(&cause) == nil:
		return nil, &RefusedError{ErrOrderRefused, cause}
	case errors.As(err, &app) && app.Type() == contract.ErrTypeUntold:
		return nil, fmt.Errorf("order %s: %s", g.order.Short(), app.Message())
	case !ended(err):
		return nil, fmt.Errorf("couldn't wait for order %s: %w", g.order.Short(), err)
	}
	return nil, fmt.Errorf("order %s: %w", g.order.Short(), err)
}
