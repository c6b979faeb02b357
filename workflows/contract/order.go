package contract

import "github.com/interlock-run/interlock/evidence"

const (
	// OrderWorkflow is the wire name of the workflow that makes an order
	// evidence, and has it reach the executions that it stops. It takes one
	// [evidence.Envelope], the signed order, and returns an [Ordered]. Its
	// workflow id must be the order's [OrderID].
	OrderWorkflow = "GiveOrder"
	// Publish is the name of its activity that puts the order into the store.
	Publish = "Publish"
	// Spread is the name of its activity that tells running executions.
	Spread = "Spread"
	// QueryOrdered answers, while the workflow runs and afterwards, with the
	// [Ordered] so far.
	QueryOrdered = "ordered"

	// OrdersWorkflow is the wire name of the workflow that reads the orders
	// from the store. It takes nothing and returns an [OrderList].
	OrdersWorkflow = "ListOrders"
	// ListOrders is the name of its activity.
	ListOrders = "ListOrders"
)

// OrderID returns the workflow id under which an order is given. There is one
// for each order.
func OrderID(order evidence.Digest) string { return "interlock-order:" + order.String()[:32] }

// An Ordered is an order that is in the store: from then on no step begins that
// it stops, whatever becomes of the rest.
type Ordered struct {
	Order evidence.Digest `json:"order"` // its record digest
	Seq   uint64          `json:"seq"`   // its place in the chain of orders
	Link  evidence.Digest `json:"link"`
	Told  int             `json:"told"` // running executions that were told; they hear of it without that, too
}

// An OrderList is what the chain of orders holds.
type OrderList struct {
	Count  uint64              `json:"count"`  // how many orders there are
	Orders []evidence.Envelope `json:"orders"` // those in force, the oldest first; only signatures can be believed
}
