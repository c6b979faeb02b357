package store

import "errors"

// Orders is the run whose chain holds the orders that concern many
// executions. No workflow has an empty namespace.
var Orders = Run{Workflow: "interlock.orders", Run: "orders"}

// ErrOrders means that orders have come since the taker of a slot looked.
var ErrOrders = errors.New("orders have come since")
