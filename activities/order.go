package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// Publish puts a signed order into the chain of orders: from then on nothing
// begins that it stops, and what runs is stopped by those who watch over it.
// Asked again with the same order it returns the same answer.
func (c *Control) Publish(ctx context.Context, signed evidence.Envelope) (*contract.Ordered, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	rec, err := c.openOrder(ctx, signed)
	if err != nil {
		return nil, err
	}
	at, err := c.publish(ctx, rec)
	if cause := refusedOrder(err); cause != nil {
		return nil, notOrdered(cause.Check, cause.Reason)
	}
	if err != nil {
		return nil, storeError(err)
	}
	o := rec.Predicate.(*evidence.Order)
	c.c.Log.Info("order given", zap.String("does", string(o.Does)), zap.Stringer("scope", o.Scope), zap.String("revoker", o.Revoker), zap.Uint64("order", at.Seq))
	return &contract.Ordered{Order: rec.Digest, Seq: at.Seq, Link: at.Link}, nil
}

// openOrder returns an order by a revoker who is trusted now, and who meant it
// for this workflow.
func (c *Control) openOrder(ctx context.Context, signed evidence.Envelope) (*evidence.Record, error) {
	rec, err := openNow(c.c.Trust, signed, evidence.TimeOf(c.c.Now()))
	if err != nil {
		return nil, notOrdered("order.untrusted", "it is not signed by a revoker who is trusted now: "+sentence(err))
	}
	if _, ok := rec.Predicate.(*evidence.Order); !ok {
		return nil, notOrdered("order.kind", fmt.Sprintf("a %s was presented as an order", rec.Kind()))
	}
	if id := activity.GetInfo(ctx).WorkflowExecution.ID; id != contract.OrderID(rec.Digest) {
		return nil, notOrdered("order.workflow", "it is not for the workflow id that it was presented under")
	}
	return rec, nil
}

func notOrdered(check, reason string) error {
	return temporal.NewNonRetryableApplicationError("the order is refused: "+reason, contract.ErrTypeRefused, nil, contract.Cause{Check: check, Reason: reason})
}

// Spread tells the running executions of an order, so that those hear of it at
// once whose control plane is not looking. It believes nothing and signs
// nothing: whoever calls it can only have executions look at an order that
// they verify themselves. It returns how many were told.
func (c *Control) Spread(ctx context.Context, signed evidence.Envelope) (int, error) {
	rec, err := c.c.Trust.Open(signed)
	if err != nil {
		return 0, notOrdered("order.untrusted", sentence(err))
	}
	o, ok := rec.Predicate.(*evidence.Order)
	if !ok || o.Does != evidence.Stop {
		return 0, nil // nobody waits for a restoration
	}
	t := &telling{client: activity.GetClient(ctx), signed: signed}
	if o.Scope.Kind == evidence.ScopeExecution {
		err = t.tell(ctx, o.Scope.Value)
	} else {
		err = t.all(ctx)
	}
	if err == nil && t.deaf != nil { // asked again, it would be as deaf, and the others be told again
		err = temporal.NewNonRetryableApplicationError(fmt.Sprintf("%d executions were told, and not all: %v", t.told, t.deaf), contract.ErrTypeUntold, nil)
	}
	return t.told, err
}

// A telling sends one order to executions.
type telling struct {
	client client.Client
	signed evidence.Envelope
	told   int
	deaf   error // why an execution could not be told, though Temporal answers
}

// all tells every execution that Temporal says is running.
func (t *telling) all(ctx context.Context) error {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", contract.Workflow)
	var page []byte
	for {
		answer, err := t.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: activity.GetInfo(ctx).Namespace, Query: query, PageSize: 200, NextPageToken: page,
		})
		if err != nil {
			return fmt.Errorf("couldn't list the running executions: %w", err)
		}
		for _, x := range answer.GetExecutions() {
			if err := t.tell(ctx, x.GetExecution().GetWorkflowId()); err != nil {
				return err
			}
		}
		if page = answer.GetNextPageToken(); len(page) == 0 {
			return nil
		}
	}
}

// tell sends the order to one execution. One that has ended meanwhile need not
// hear it. One that takes no more signals must not keep it from the others:
// anybody who may write to the namespace can fill one up.
func (t *telling) tell(ctx context.Context, id string) error {
	activity.RecordHeartbeat(ctx, t.told)
	once, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := t.client.SignalWorkflow(once, id, "", contract.MessageName, t.signed)
	var gone *serviceerror.NotFound
	var full *serviceerror.InvalidArgument
	switch {
	case err == nil:
		t.told++
	case errors.As(err, &gone):
	case errors.As(err, &full):
		t.deaf = fmt.Errorf("couldn't tell execution %.200s: %w", id, err)
	default:
		return fmt.Errorf("couldn't tell execution %.200s: %w", id, err)
	}
	return nil
}

// ListOrders returns the orders in force, the newest 200 of them.
func (c *Control) ListOrders(ctx context.Context) (*contract.OrderList, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	orders, err := c.orders.read(ctx)
	if err != nil {
		return nil, storeError(err)
	}
	stops := orders.stops
	list := &contract.OrderList{Count: orders.head.Seq, Orders: []evidence.Envelope{}}
	for _, r := range stops[max(0, len(stops)-200):] {
		list.Orders = append(list.Orders, r.Envelope)
	}
	return list, nil
}
