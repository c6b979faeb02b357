package store

import (
	"context"
	"database/sql"
	"fmt"
)

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

// noOrdersSince refuses a taker who has read fewer orders than there are.
func (t *tx) noOrdersSince(read uint64) error {
	var length int64 // stays 0 while the chain has not begun
	err := t.scan(context.Background(), func(r *sql.Rows) error {
		return unavailable("read", r.Scan(&length))
	}, sqlLength, Orders.Workflow, Orders.Run, Orders.Namespace)
	if err == nil && uint64(length) > read {
		err = fmt.Errorf("%w: there are %d, and %d were read", ErrOrders, length, read)
	}
	return err
}
