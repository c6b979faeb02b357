package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// TestMain lets the test binary be its own child process: see child_test.go.
func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	os.Exit(pgtest.Run(m))
}

func tempPath(t testing.TB) string { return filepath.Join(t.TempDir(), "evidence.db") }

// A tempStore names a store that is not there yet, or is empty.
type tempStore func(testing.TB) string

// onEach runs a test with temporary stores of each kind.
func onEach(t *testing.T, test func(*testing.T, tempStore)) {
	t.Run("SQLite", func(t *testing.T) { test(t, tempPath) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, tempDatabase) })
}

// openAt opens the store at path until the test ends.
func openAt(t testing.TB, path string, opts ...store.Option) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), path, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw opens the file as a program that knows nothing of this package would.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

func mustExec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.Exec(s)
		require.NoError(t, err, s)
	}
}

func runOf(id string) store.Run {
	return store.Run{Namespace: "default", Workflow: "refund-7", Run: id}
}

// envelope returns an envelope of realistic size whose payload starts with
// text. Nobody signed it: the store does not look.
func envelope(text string) evidence.Envelope {
	payload := append([]byte(text), make([]byte, 1200)...)
	return evidence.Envelope{
		PayloadType: evidence.PayloadType,
		Payload:     payload,
		Signatures:  []evidence.Signature{{KeyID: "authority", Sig: make([]byte, 64)}},
	}
}

func envelopes(texts ...string) []evidence.Envelope {
	var envs []evidence.Envelope
	for _, text := range texts {
		envs = append(envs, envelope(text))
	}
	return envs
}

func attestationOf(run store.Run, step string, attempt int32, counter uint64) store.Attestation {
	return store.Attestation{
		Run: run, Step: step, Attempt: attempt, Counter: counter,
		Signed: envelope(fmt.Sprintf("%s is well, %d.%d", step, attempt, counter)),
	}
}

func handoverOf(text string) evidence.Digest { return evidence.ValueDigest([]byte(text)) }

func slotOf(run store.Run, step string) store.Slot {
	return store.Slot{
		Run: run, Step: step, Decision: envelope("request").Digest(), // the first record
		Key: "key-" + step, Worker: "worker-1", At: 1_700_000_000_000,
	}
}
