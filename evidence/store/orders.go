package store

import "fmt"

// The chains that concern many executions. They are runs like any other, to
// [Store.Begin], [Store.Append], [Store.Records] and [Store.Head], in the empty
// namespace, in which no workflow can be; [Store.List] and [Store.Runs] do not
// show them.
var (
	// Orders holds signed orders, such as to stop. See [Slot].
	Orders = Run{Workflow: "interlock.orders", Run: "orders"}
	// Trust holds what becomes of the trust root.
	Trust = Run{Workflow: "interlock.trust", Run: "trust"}
)

// noneSince refuses a taker who has read fewer orders than there are.
func noneSince(read, orders uint64) error {
	if orders > read {
		return fmt.Errorf("%w: there are %d, and %d were read", ErrOrders, orders, read)
	}
	return nil
}
