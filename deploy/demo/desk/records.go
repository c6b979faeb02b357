package desk

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// An Entry is one effect in the ledger: something that really happened.
type Entry struct {
	ID             int64     `json:"id"` // grows with every entry
	At             time.Time `json:"at"` // UTC, milliseconds, the desk's clock
	IdempotencyKey string    `json:"idempotency_key"`
	Kind           string    `json:"kind"` // refund, cancel, ship or notify
	OrderID        string    `json:"order_id"`
	UserID         string    `json:"user_id"`
	AmountMinor    int64     `json:"amount_minor"` // cents paid back; 0 for ship and notify
	Detail         string    `json:"detail"`       // the reason, the carrier and tracking id, or the message
}

// An Access is one HTTP request the desk received, answered or not.
type Access struct {
	ID     int64     `json:"id"` // grows with every request
	At     time.Time `json:"at"` // of arrival: UTC, milliseconds, the desk's clock
	Method string    `json:"method"`
	// Path is decoded, without the query, and without the '#' of an order id.
	Path string `json:"path"`
	// Status is what was answered; [StatusClientGone] if the caller left first
	// and nothing was done; 0 if the request is still being served, or the desk
	// died while serving it.
	Status         int    `json:"status"`
	IdempotencyKey string `json:"idempotency_key"`
	Caller         string `json:"caller"` // remote address and user agent, as they claimed
}

// StatusClientGone is the status of a request whose caller went away before it
// was answered. Nothing was done for it.
const StatusClientGone = 499

// Ledger returns every effect, oldest first.
func (d *Desk) Ledger(ctx context.Context) ([]Entry, error) { return d.ledgerSince(ctx, 0) }

// Access returns every request received so far, oldest first.
func (d *Desk) Access(ctx context.Context) ([]Access, error) { return d.accessSince(ctx, 0) }

func (d *Desk) ledgerSince(ctx context.Context, id int64) ([]Entry, error) {
	entries, err := list(ctx, d.db, func(r *sql.Rows, e *Entry) error {
		return r.Scan(&e.ID, stamp{&e.At}, &e.IdempotencyKey, &e.Kind, &e.OrderID, &e.UserID, &e.AmountMinor, &e.Detail)
	}, `SELECT id, at, idempotency_key, kind, order_id, user_id, amount_minor, detail
		FROM ledger WHERE id > ? ORDER BY id`, id)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return entries, nil
}

func (d *Desk) accessSince(ctx context.Context, id int64) ([]Access, error) {
	rows, err := list(ctx, d.db, func(r *sql.Rows, a *Access) error {
		return r.Scan(&a.ID, stamp{&a.At}, &a.Method, &a.Path, &a.Status, &a.IdempotencyKey, &a.Caller)
	}, `SELECT a.id, a.at, a.method, a.path, coalesce(s.status, 0), a.idempotency_key, a.caller
		FROM access_log a LEFT JOIN access_status s ON s.access_id = a.id
		WHERE a.id > ? ORDER BY a.id`, id)
	if err != nil {
		return nil, fmt.Errorf("reading the access log: %w", err)
	}
	return rows, nil
}

// list returns all rows of query. It never returns nil rows without an error,
// so that an empty list is [] in JSON.
func list[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has the reason
	all := []T{}
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// now is the time as the desk writes it down.
func now() string { return time.Now().UTC().Format(stampLayout) }

// A stamp scans what now wrote.
type stamp struct{ t *time.Time }

// Scan implements [sql.Scanner].
func (s stamp) Scan(v any) (err error) {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("time is a %T, not text", v)
	}
	*s.t, err = time.Parse(stampLayout, text)
	return err
}
