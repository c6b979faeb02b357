package store

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSettings pins what no other test would miss: a machine that stays up
// never shows that a commit was not on disk.
func TestSettings(t *testing.T) {
	s := openTemp(t)
	var got string
	write := map[string]string{
		"synchronous": "2", "journal_mode": "wal", "busy_timeout": "5000",
		"foreign_keys": "1", "recursive_triggers": "1", "query_only": "0",
	}
	require.NoError(t, s.write(bg, func(tx *tx) error {
		for name, want := range write {
			err := tx.scan(bg, func(r *sql.Rows) error { return r.Scan(&got) }, "PRAGMA "+name)
			if err != nil {
				return err
			}
			assert.Equal(t, want, got, name) // not require, which would end the writer's goroutine
		}
		return nil
	}))
	for name, want := range map[string]string{"query_only": "1", "busy_timeout": "5000", "journal_mode": "wal"} {
		require.NoError(t, s.readDB.QueryRow("PRAGMA "+name).Scan(&got))
		require.Equal(t, want, got, name)
	}
}
