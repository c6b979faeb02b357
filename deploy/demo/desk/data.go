package desk

import (
	"context"
	"database/sql"
	_ "embed" // the orders
	"encoding/json"
	"fmt"
)

// data.json is invented: any likeness to a real customer is an accident.
//
//go:embed data.json
var seedJSON []byte

// The documents of the desk. Prices and payments are decimal numbers, as shops
// write them; whatever is computed is computed from the *_minor fields.
type (
	user struct {
		UserID         string                     `json:"user_id"`
		Name           json.RawMessage            `json:"name"`
		Address        json.RawMessage            `json:"address"`
		Email          string                     `json:"email"`
		PaymentMethods map[string]json.RawMessage `json:"payment_methods"`
		Orders         []string                   `json:"orders"`
	}

	order struct {
		OrderID        string          `json:"order_id"`
		UserID         string          `json:"user_id"`
		Address        json.RawMessage `json:"address"`
		Items          []item          `json:"items"`
		Status         string          `json:"status"`
		Fulfillments   []fulfillment   `json:"fulfillments"`
		PaymentHistory []payment       `json:"payment_history"`
		TotalMinor     int64           `json:"total_minor"`    // cents
		RefundedMinor  int64           `json:"refunded_minor"` // cents, never above TotalMinor
		CancelReason   string          `json:"cancel_reason,omitempty"`
	}

	item struct {
		Name      string            `json:"name"`
		ProductID string            `json:"product_id"`
		ItemID    string            `json:"item_id"`
		Price     float64           `json:"price"`
		Options   map[string]string `json:"options"`
	}

	fulfillment struct {
		TrackingID []string `json:"tracking_id"`
		ItemIDs    []string `json:"item_ids"`
		Carrier    string   `json:"carrier,omitempty"`
	}

	payment struct {
		TransactionType string  `json:"transaction_type"` // payment or refund
		Amount          float64 `json:"amount"`
		PaymentMethodID string  `json:"payment_method_id"`
	}

	catalogue struct {
		Products map[string]json.RawMessage `json:"products"`
		Users    map[string]user            `json:"users"`
		Orders   map[string]order           `json:"orders"`
	}
)

// The states an order can be in.
const (
	pending   = "pending"
	processed = "processed" // with the carrier
	delivered = "delivered"
	cancelled = "cancelled"
)

// seed fills an empty desk with the embedded orders.
func seed(ctx context.Context, tx *sql.Tx) error {
	var c catalogue
	if err := json.Unmarshal(seedJSON, &c); err != nil {
		return fmt.Errorf("reading the embedded orders: %w", err)
	}
	for id, p := range c.Products {
		if err := putDoc(ctx, tx, p, `INSERT INTO products (id, doc) VALUES (?, ?)`, id); err != nil {
			return fmt.Errorf("product %s: %w", id, err)
		}
	}
	for id, u := range c.Users {
		if err := putDoc(ctx, tx, u, `INSERT INTO users (id, email, doc) VALUES (?, ?, ?)`, id, u.Email); err != nil {
			return fmt.Errorf("user %s: %w", id, err)
		}
	}
	for id, o := range c.Orders {
		if err := putDoc(ctx, tx, o, `INSERT INTO orders (id, user_id, doc) VALUES (?, ?, ?)`, id, o.UserID); err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
	}
	return nil
}

// putDoc runs query with args and, last, doc as JSON.
func putDoc(ctx context.Context, tx *sql.Tx, doc any, query string, args ...any) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, query, append(args, string(raw))...)
	return err
}
