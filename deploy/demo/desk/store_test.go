package desk

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTransactionsReserveTheirWrite: a transaction that has only read so far
// already keeps other processes from writing. Otherwise what it read (the
// answer of a key, what is left of an order) could be old when it writes.
func TestTransactionsReserveTheirWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "desk.db")
	s := openShop(t, path)
	other, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(0)")
	require.NoError(t, err)
	defer other.Close()
	write := func() error {
		_, err := other.Exec(`UPDATE orders SET doc = doc`)
		return err
	}
	require.NoError(t, inTx(t.Context(), s.d.db, func(tx *sql.Tx) error {
		var n int
		require.NoError(t, tx.QueryRow(`SELECT count(*) FROM ledger`).Scan(&n))
		require.ErrorContains(t, write(), "locked")
		return nil
	}))
	require.NoError(t, write())
}

// TestKeysAreUnique: that a key has one effect and one answer does not depend
// on the desk's code alone.
func TestKeysAreUnique(t *testing.T) {
	s := newShop(t)
	require.Equal(t, 200, s.post(refundPath, "k1", refundBody).status)
	for _, query := range []string{
		`INSERT INTO answers SELECT * FROM answers`,
		`DROP TRIGGER ledger_no_replace;
		INSERT INTO ledger SELECT 2, at, idempotency_key, kind, order_id, user_id, 0, detail FROM ledger`,
	} {
		_, err := s.d.db.Exec(query)
		require.ErrorContains(t, err, "UNIQUE", query)
	}
}

// TestNotADatabase: what is not the desk's file is refused, and left alone.
func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	notes := []byte(strings.Repeat("someone's notes, not a database\n", 100))
	require.NoError(t, os.WriteFile(path, notes, 0o600))
	_, err := Open(t.Context(), Config{Path: path, Token: testToken})
	require.ErrorContains(t, err, path)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, notes, got)
}
