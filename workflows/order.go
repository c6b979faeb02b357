package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// GiveOrder makes a signed order evidence, and tells the running executions.
// It is over as soon as they were told; that they have stopped they say
// themselves.
//
// Anybody who may write to the namespace can start it with anything; what
// counts is the revoker's signature, which the activity checks. If the order is
// refused it ends with an error of the type [contract.ErrTypeRefused]. Given
// the same order again it returns the same answer.
func GiveOrder(ctx workflow.Context, order evidence.Envelope) (*contract.Ordered, error) {
	var out contract.Ordered
	err := workflow.SetQueryHandler(ctx, contract.QueryOrdered, func() (contract.Ordered, error) { return out, nil })
	if err != nil {
		return nil, err
	}
	if err := workflow.ExecuteLocalActivity(checking(ctx, "make the order evidence"), contract.Publish, order).Get(ctx, &out); err != nil {
		return nil, err
	}
	err = workflow.ExecuteActivity(spreading(ctx), contract.Spread, order).Get(ctx, &out.Told)
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// spreading returns the context for telling executions. It goes on until all
// were told: without that they still hear of the order, a little later.
func spreading(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:    time.Minute,
		Summary:             "tell the running executions",
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 5 * time.Second, MaximumAttempts: 20},
	})
}

// ListOrders reads the orders in force from the evidence store.
func ListOrders(ctx workflow.Context) (*contract.OrderList, error) {
	var out contract.OrderList
	err := workflow.ExecuteLocalActivity(checking(ctx, "read the orders"), contract.ListOrders).Get(ctx, &out)
	if err != nil {
		return nil, err
	}
	return &out, nil
}
