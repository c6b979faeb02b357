package desk

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// An effect changes o, or refuses and leaves it alone. It returns what the
// ledger and the caller get to know.
type effect func(o *order) (done, error)

type done struct {
	amountMinor int64 // cents paid back
	detail      string
	trackingID  string
}

// A receipt is the answer to a change that was made.
type receipt struct {
	LedgerID      int64  `json:"ledger_id"`
	Kind          string `json:"kind"`
	OrderID       string `json:"order_id"`
	Status        string `json:"status"`       // of the order, now
	AmountMinor   int64  `json:"amount_minor"` // cents paid back by this change
	RefundedMinor int64  `json:"refunded_minor"`
	TrackingID    string `json:"tracking_id,omitempty"`
}

// commit applies c to its order in tx and writes the ledger. Its answer is the
// receipt or, with nothing changed, the refusal.
func (c change) commit(ctx context.Context, tx *sql.Tx) (answer, error) {
	o, what, err := c.decide(ctx, tx)
	if no, ok := errors.AsType[*refusal](err); ok {
		return problem(no.status, no.message), nil
	}
	if err != nil {
		return answer{}, err
	}
	if err := putDoc(ctx, tx, o, `UPDATE orders SET doc = ?2 WHERE id = ?1`, c.orderID); err != nil {
		return answer{}, fmt.Errorf("updating order %s: %w", c.orderID, err)
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO ledger
		(at, idempotency_key, kind, order_id, user_id, amount_minor, detail) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		now(), c.key, c.kind, c.orderID, c.as, what.amountMinor, what.detail)
	if err != nil {
		return answer{}, fmt.Errorf("writing the ledger: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, receipt{id, c.kind, c.orderID, o.Status, what.amountMinor, o.RefundedMinor, what.trackingID})
}

// decide loads c's order, checks that it is the customer's, and applies c to it
// in memory.
func (c change) decide(ctx context.Context, tx *sql.Tx) (o order, what done, err error) {
	var doc []byte
	err = tx.QueryRowContext(ctx, `SELECT doc FROM orders WHERE id = ?`, c.orderID).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return o, what, refuse(http.StatusNotFound, "no order %q", c.orderID)
	}
	if err != nil {
		return o, what, fmt.Errorf("reading order %s: %w", c.orderID, err)
	}
	if err := json.Unmarshal(doc, &o); err != nil {
		return o, what, fmt.Errorf("reading order %s: %w", c.orderID, err)
	}
	if o.UserID != c.as {
		return o, what, refuse(http.StatusForbidden, "order %s is not %s's", c.orderID, c.as)
	}
	what, err = c.apply(&o)
	return o, what, err
}

// must refuses unless o has the given status.
func (o *order) must(status, verb string) error {
	if o.Status != status {
		return refuse(http.StatusConflict, "order %s is %s: only a %s order can be %s", o.OrderID, o.Status, status, verb)
	}
	return nil
}

// payBack gives minor cents back the way the order was paid.
func (o *order) payBack(minor int64) {
	method := ""
	if len(o.PaymentHistory) > 0 {
		method = o.PaymentHistory[0].PaymentMethodID
	}
	o.RefundedMinor += minor
	o.PaymentHistory = append(o.PaymentHistory, payment{"refund", float64(minor) / 100, method})
}

// send hands all of o to a carrier, under a tracking id made from key: a
// rehearsal and the commit after it agree.
func (o *order) send(carrier, key string) (trackingID string) {
	sum := sha256.Sum256([]byte(o.OrderID + " " + key))
	trackingID = fmt.Sprintf("%012d", binary.BigEndian.Uint64(sum[:])%1_000_000_000_000)
	f := fulfillment{TrackingID: []string{trackingID}, Carrier: carrier}
	for _, i := range o.Items {
		f.ItemIDs = append(f.ItemIDs, i.ItemID)
	}
	o.Fulfillments = append(o.Fulfillments, f)
	o.Status = processed
	return trackingID
}
