package store

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
)

// TestMigratesFirstSchema opens a store that was written by the first schema:
// all is as it was, and it can do what the newest can.
func TestMigratesFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.db")
	require.NoError(t, create(path))
	db, err := modeWrite.open(path, 1)
	require.NoError(t, err)
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(bg, 1)
	require.NoError(t, err)
	run, request := Run{"n", "w", "r"}, evidence.Envelope{Payload: []byte("request")}
	links, head, err := linksAfter(evidence.Position{}, []evidence.Envelope{request})
	require.NoError(t, err)
	l := links[0]
	for _, row := range []struct {
		statement string
		args      []any
	}{
		{`INSERT INTO runs (namespace, workflow, run) VALUES (?, ?, ?)`, []any{run.Namespace, run.Workflow, run.Run}},
		{sqlAddRecord, []any{1, 0, l.link[:], l.payloadType, l.payload, l.signatures}},
		{sqlAddSlot, []any{1, "step", l.link[:], "key", "worker", 7}},
		{sqlAddLease, []any{1, 5, 500, "", []byte{}, "[]"}},
	} {
		_, err = db.Exec(row.statement, row.args...)
		require.NoError(t, err, row.statement)
	}
	require.NoError(t, db.Close())

	s, err := Open(bg, path)
	require.NoError(t, err)
	defer s.Close()
	got, err := s.Head(bg, run)
	require.NoError(t, err)
	require.Equal(t, head, got)
	require.NoError(t, s.Attest(bg, Attestation{Run: run, Step: "step", Attempt: 1}))
	next := Run{"n", "w", "next"}
	_, err = s.Continue(bg, run, next, head, evidence.Digest{1}, request)
	require.NoError(t, err)
	attested, err := s.Attestations(bg, next)
	require.NoError(t, err)
	require.Len(t, attested, 1)
	lease, _, err := s.Lease(bg, next)
	require.NoError(t, err)
	require.Equal(t, evidence.Lease{Number: 5, Until: 500}, lease)
}
