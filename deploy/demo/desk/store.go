package desk

import (
	"context"
	"database/sql"
	_ "embed" // the schema and the orders
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

//go:embed schema.sql
var schema string

// openStore opens the SQLite file at path, with its tables and orders in place.
func openStore(ctx context.Context, path string) (*sql.DB, error) {
	dsn, err := dataSource(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	// One connection: writers queue in order instead of meeting SQLITE_BUSY.
	// Code that holds a transaction must therefore use only that transaction.
	db.SetMaxOpenConns(1)
	if err := prepare(ctx, db); err != nil {
		_ = db.Close() // the reason to give is why it could not be used
		return nil, err
	}
	return db, nil
}

// dataSource escapes path: a '?' or '#' in a directory's name is not an option.
func dataSource(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	options := url.Values{
		"_txlock": {"immediate"}, // a transaction that reads first must not lose its turn to write
		"_pragma": {
			"busy_timeout(10000)", // ms; another process may have the file open
			"journal_mode(WAL)",
			"synchronous(FULL)", // the ledger survives power loss
			"foreign_keys(1)",
		},
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: options.Encode()}
	return u.String(), nil
}

func prepare(ctx context.Context, db *sql.DB) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return fmt.Errorf("creating the tables: %w", err)
		}
		var orders int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM orders`).Scan(&orders); err != nil {
			return fmt.Errorf("counting the orders: %w", err)
		}
		if orders > 0 {
			return nil
		}
		return seed(ctx, tx)
	})
}

// inTx runs f in one transaction, and commits it if f returns nil. If ctx ends
// before the commit, nothing of it happens.
func inTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}
