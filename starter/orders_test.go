package starter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

const ordersQueue = "starter-test-orders"

// revoker returns a starter with the revoker's key, whose control plane
// answers with these orders, and to an order with this.
func revoker(t *testing.T, list []evidence.Envelope, ordered func(evidence.Envelope) *contract.Ordered) *starter.Starter {
	t.Helper()
	w := worker.New(temporal(t), ordersQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(workflow.Context) (*contract.OrderList, error) {
		return &contract.OrderList{Count: 9, Orders: list}, nil
	}, workflow.RegisterOptions{Name: contract.OrdersWorkflow})
	w.RegisterWorkflowWithOptions(func(_ workflow.Context, e evidence.Envelope) (*contract.Ordered, error) { return ordered(e), nil },
		workflow.RegisterOptions{Name: contract.OrderWorkflow})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return newStarter(t, func(c *starter.Config) { c.Queue, c.Revoker = ordersQueue, evidencetest.Signer(evidencetest.Revoker) })
}

// orderBy returns a signed order.
func orderBy(t *testing.T, name string, edits ...func(*evidence.Order)) evidence.Envelope {
	t.Helper()
	o := evidencetest.NewOrder(evidencetest.Start.Add(time.Second), evidence.Scope{Kind: evidence.ScopePolicy, Value: "refunds"}, edits...)
	return sign(t, name, o.Subject(), o)
}

// TestOrdersBelievesRevokersOnly: what else is listed is counted, and left
// out.
func TestOrdersBelievesRevokersOnly(t *testing.T) {
	good := orderBy(t, evidencetest.Revoker)
	misplaced := evidencetest.NewOrder(evidencetest.Start, evidence.Scope{Kind: evidence.ScopeAll})
	s := revoker(t, []evidence.Envelope{
		good,
		good, // again
		orderBy(t, evidencetest.Stranger, func(o *evidence.Order) { o.Reason = "by a stranger" }),
		orderBy(t, evidencetest.Carol, func(o *evidence.Order) { o.Reason = "by an approver" }),
		orderBy(t, evidencetest.Revoker, func(o *evidence.Order) { o.Audience = "elsewhere" }),
		orderBy(t, evidencetest.Revoker, func(o *evidence.Order) { o.Does, o.Undoes = evidence.Restore, good.Digest() }),
		sign(t, evidencetest.Revoker, evidence.Subject{Execution: "order: policy refunds", Digest: evidence.FileDigest(nil)}, misplaced),
		evidencetest.Proof(t, "completed").Records[0],
		{},
	}, nil)
	list, err := s.Orders(t.Context())
	require.NoError(t, err)
	require.Equal(t, 8, list.Disbelieved)
	require.Equal(t, uint64(9), list.Count)
	require.Len(t, list.Orders, 1)
	require.Equal(t, good.Digest(), list.Orders[0].Order)
	require.Equal(t, "the ticket was a hoax", list.Orders[0].Reason)
}

// TestAnotherOrderIsNoAnswer: that an order was taken is not believed if it is
// another that was.
func TestAnotherOrderIsNoAnswer(t *testing.T) {
	for name, answer := range map[string]*contract.Ordered{"nothing": {}, "another": {Order: evidence.FileDigest(nil), Seq: 3}} {
		t.Run(name, func(t *testing.T) {
			s := revoker(t, nil, func(evidence.Envelope) *contract.Ordered { return answer })
			_, err := s.Revoke(t.Context(), "x", "because")
			require.ErrorIs(t, err, starter.ErrOrderRefused)
		})
	}
	s := revoker(t, nil, func(e evidence.Envelope) *contract.Ordered { return &contract.Ordered{Order: e.Digest(), Told: 2} })
	done, err := s.Revoke(t.Context(), "x", "because")
	require.NoError(t, err)
	require.Equal(t, 2, done.Told)
}

// TestPeopleNeedTheirRoles: a key of another role is refused at once.
func TestPeopleNeedTheirRoles(t *testing.T) {
	for _, name := range []string{evidencetest.Alice, evidencetest.Authority, evidencetest.Revoker, evidencetest.Stranger} {
		_, err := starter.New(starter.Config{
			Client: temporal(t), Trust: evidencetest.Trust(), Queue: queue, Approver: evidencetest.Signer(name),
			Now: func() time.Time { return evidencetest.Start.Time() },
		})
		require.ErrorIs(t, err, evidence.ErrUntrusted, name)
	}
	for _, name := range []string{evidencetest.Alice, evidencetest.Authority, evidencetest.Carol, evidencetest.Operator, evidencetest.Stranger} {
		_, err := starter.New(starter.Config{
			Client: temporal(t), Trust: evidencetest.Trust(), Queue: queue, Revoker: evidencetest.Signer(name),
			Now: func() time.Time { return evidencetest.Start.Time() },
		})
		require.ErrorIs(t, err, evidence.ErrUntrusted, name)
	}
}
