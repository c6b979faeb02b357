package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// An OrderList is the orders in force.
type OrderList struct {
	// Orders are those that the trust root believes, the oldest first, the
	// newest 200 of them.
	Orders []evidence.Ordered `json:"orders"`
	// Disbelieved is how many more were said to be in force, and are left out
	// because a revoker of this trust domain did not sign them so.
	Disbelieved int `json:"disbelieved"`
	// Count is how many orders were ever given, by the control plane's word.
	Count uint64 `json:"count"`
}

// Orders returns the orders that are in force. Each is signed by a revoker; that
// none was undone, and that none is missing, is the control plane's word, as
// Temporal passes it on. Without a control plane worker it returns
// [ErrUnanswered].
func (s *Starter) Orders(ctx context.Context) (*OrderList, error) {
	asked, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	run, err := s.c.Client.ExecuteWorkflow(asked, client.StartWorkflowOptions{
		ID: "interlock-orders:" + random(8), TaskQueue: s.c.Queue,
		WorkflowExecutionTimeout: time.Minute, EnableEagerStart: true,
	}, contract.OrdersWorkflow)
	if err != nil {
		return nil, fmt.Errorf("couldn't ask for the orders: %w", err)
	}
	var said contract.OrderList
	switch err := get(asked, run, &said); {
	case err == nil:
		return s.inForce(&said), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case !ended(err) && asked.Err() != nil:
		return nil, fmt.Errorf("%w: which orders are in force", ErrUnanswered)
	default:
		return nil, fmt.Errorf("couldn't read the orders: %w", err)
	}
}

// inForce keeps the orders that can be believed.
func (s *Starter) inForce(said *contract.OrderList) *OrderList {
	list := &OrderList{Orders: []evidence.Ordered{}, Count: said.Count}
	var all evidence.Orders
	for _, signed := range said.Orders {
		rec, err := s.c.Trust.Open(signed)
		if err == nil {
			err = s.stops(&all, rec)
		}
		if err != nil {
			list.Disbelieved++
			continue
		}
		o := rec.Predicate.(*evidence.Order)
		list.Orders = append(list.Orders, evidence.Ordered{Order: rec.Digest, Scope: o.Scope, Revoker: o.Revoker, Reason: o.Reason, At: o.At})
	}
	return list
}

// errNoStop means that a record is not an order of this domain that stops.
var errNoStop = errors.New("not an order that stops")

func (s *Starter) stops(all *evidence.Orders, rec *evidence.Record) error {
	if o, ok := rec.Predicate.(*evidence.Order); !ok || o.Does != evidence.Stop || o.Audience != s.c.Trust.Domain() {
		return errNoStop
	}
	return all.Add(rec)
}
