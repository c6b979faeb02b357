package worker_test

import (
	"context"
	"log"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdk "go.temporal.io/sdk/worker"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/worker"
)

type RefundArgs struct {
	Order  string `json:"order"`
	Amount int    `json:"amount"`
}

// RefundOrder is an ordinary Temporal activity. The catalogue names it:
// orders.refund: {activity: RefundOrder, effect: irreversible, …}.
func RefundOrder(ctx context.Context, args RefundArgs) (string, error) {
	call, _ := executor.CallFrom(ctx) // its idempotency key goes to the bank
	return "refunded " + args.Order + " with key " + call.Key, ctx.Err()
}

// A team adds the guard to its own Temporal worker, and its activities are
// governed from then on.
func ExampleNewGuard() {
	var c client.Client           // the team's own
	var config worker.GuardConfig // trust root, key, catalogue, store
	guard, err := worker.NewGuard(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	w := sdk.New(c, "interlock-steps", sdk.Options{Interceptors: []interceptor.WorkerInterceptor{guard}})
	w.RegisterActivity(RefundOrder)
	err = w.Run(sdk.InterruptCh())
	log.Print(err, guard.Close())
}
