package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// TestT03StoreEdits edits the file as an attacker would who has dropped the
// triggers. Reading says where.
func TestT03StoreEdits(t *testing.T) {
	const drop = `DROP TRIGGER records_no_update; DROP TRIGGER records_no_delete; DROP TRIGGER records_in_order;`
	tests := []struct {
		name   string
		edit   string
		record string // the record that is named
		head   bool   // whether Head finds it too
	}{
		{"payload", `UPDATE records SET payload = x'00' WHERE seq = 1`, "record 1", false},
		{"payload of the first", `UPDATE records SET payload = x'00' WHERE seq = 0`, "record 0", false},
		{"payload of the last", `UPDATE records SET payload = x'00' WHERE seq = 3`, "record 3", true},
		{"one bit", `UPDATE records SET payload = CAST('Z' || substr(payload, 2) AS BLOB) WHERE seq = 2`, "record 2", false},
		{"payload type", `UPDATE records SET payload_type = 'x' WHERE seq = 1`, "record 1", false},
		{"link", `UPDATE records SET link = zeroblob(64) WHERE seq = 1`, "record 1", false},
		{"link of the last", `UPDATE records SET link = zeroblob(64) WHERE seq = 3`, "record 3", true},
		{"gap", `DELETE FROM records WHERE seq = 1`, "record 2: stored evidence was changed: want record 1", false},
		{"gap before the last", `DELETE FROM records WHERE seq = 2`, "record 3", true},
		{"no beginning", `DELETE FROM records WHERE seq = 0`, "record 1: stored evidence was changed: want record 0", false},
		{"two exchanged", `UPDATE records SET seq = 9 WHERE seq = 1; UPDATE records SET seq = 1 WHERE seq = 2;
			UPDATE records SET seq = 2 WHERE seq = 9`, "record 1", true},
		{"signatures unreadable", `UPDATE records SET signatures = '[' WHERE seq = 1`, "record 1", false},
		{"link cut short", `PRAGMA ignore_check_constraints = ON; UPDATE records SET link = x'00' WHERE seq = 1`, "record 1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tempPath(t)
			s, run := openAt(t, path), runOf("a")
			head, err := s.Begin(ctx, run, nil, envelopes("0", "1", "2", "3")...)
			require.NoError(t, err)
			mustExec(t, raw(t, path), drop, tt.edit)

			_, err = s.Records(ctx, run, 0)
			require.ErrorIs(t, err, store.ErrCorrupt)
			require.ErrorContains(t, err, run.String()+", "+tt.record)
			got, err := s.Head(ctx, run)
			if tt.head {
				require.ErrorIs(t, err, store.ErrCorrupt)
			} else {
				require.NoError(t, err)
				require.Equal(t, head, got)
			}
		})
	}
}

// TestT07StoreTailDropped: a store alone cannot know that it was longer once.
// Who knows the head can, and nothing can be appended after it.
func TestT07StoreTailDropped(t *testing.T) {
	path := tempPath(t)
	s, run := openAt(t, path), runOf("a")
	head, err := s.Begin(ctx, run, nil, envelopes("0", "1", "2")...)
	require.NoError(t, err)
	mustExec(t, raw(t, path), `DROP TRIGGER records_no_delete; DELETE FROM records WHERE seq = 2`)
	checkChain(t, s, run, 2)
	_, err = s.Append(ctx, run, head, envelope("3"))
	require.ErrorIs(t, err, store.ErrConflict)
}

// TestRecordsFromLinksBack reads from the middle of a chain whose middle was
// edited: the link before is not recomputed, but what follows must follow it.
func TestRecordsFromLinksBack(t *testing.T) {
	path := tempPath(t)
	s, run := openAt(t, path), runOf("a")
	_, err := s.Begin(ctx, run, nil, envelopes("0", "1", "2", "3")...)
	require.NoError(t, err)
	db := raw(t, path)
	mustExec(t, db, `DROP TRIGGER records_no_update; DROP TRIGGER records_no_delete;
		UPDATE records SET link = zeroblob(64) WHERE seq = 1`)
	_, err = s.Records(ctx, run, 2)
	require.ErrorIs(t, err, store.ErrCorrupt)
	_, err = s.Records(ctx, run, 3)
	require.NoError(t, err, "it follows from record 2, which is as it was")
	mustExec(t, db, `DELETE FROM records WHERE seq = 1`)
	_, err = s.Records(ctx, run, 2)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.ErrorContains(t, err, "record 1")
}

// TestAppendOnly sends what the triggers must refuse, over a connection on
// which recursive_triggers is off, as another program would have it.
func TestAppendOnly(t *testing.T) {
	path := tempPath(t)
	w := newWorld(t, openAt(t, path))
	_, err := w.Continue(ctx, w.a, runOf("b"), w.head, handoverOf("b"), envelope("continued"))
	require.NoError(t, err)
	refused := []string{
		`UPDATE records SET payload = x'00'`,
		`UPDATE records SET signatures = '[]' WHERE seq = 1`,
		`DELETE FROM records WHERE seq = 1`,
		`INSERT OR REPLACE INTO records SELECT run_id, seq, link, 'x', payload, signatures FROM records`,
		`INSERT OR REPLACE INTO records (rowid, run_id, seq, link, payload_type, payload, signatures)
			SELECT 1, run_id, 2, link, 'x', payload, signatures FROM records WHERE seq = 1`,
		`INSERT INTO records SELECT run_id, seq + 5, link, payload_type, payload, signatures FROM records`,
		`UPDATE OR REPLACE records SET seq = 0`,
		`UPDATE nonces SET run_id = 1`,
		`DELETE FROM nonces`,
		`INSERT OR REPLACE INTO nonces SELECT principal, value, run_id, 99 FROM nonces`,
		`INSERT OR REPLACE INTO nonces (rowid, principal, value, run_id, expires) SELECT rowid, 'x', value, run_id, 99 FROM nonces`,
		`UPDATE slots SET worker = 'x'`,
		`DELETE FROM slots WHERE step = 'open'`,
		`INSERT OR REPLACE INTO slots SELECT run_id, step, decision, key, 'x', at FROM slots`,
		`INSERT OR REPLACE INTO slots (rowid, run_id, step, decision, key, worker, at)
			SELECT rowid, run_id, 'x', decision, key, worker, at FROM slots`,
		`UPDATE outcomes SET payload = x'00'`,
		`DELETE FROM outcomes`,
		`INSERT OR REPLACE INTO outcomes SELECT run_id, step, payload_type, x'00', signatures FROM outcomes`,
		`INSERT OR REPLACE INTO outcomes (rowid, run_id, step, payload_type, payload, signatures)
			SELECT rowid, run_id, 'open', payload_type, x'00', signatures FROM outcomes`,
		`UPDATE leases SET number = 5`,
		`UPDATE leases SET number = 4`,
		`UPDATE leases SET number = 6, until = 499`,
		`UPDATE leases SET number = 6, run_id = 99`,
		`DELETE FROM leases`,
		`INSERT OR REPLACE INTO leases SELECT run_id, 1, until, payload_type, payload, signatures FROM leases`,
		`UPDATE attestations SET counter = 5`,
		`UPDATE attestations SET counter = 4`,
		`UPDATE attestations SET attempt = 1, counter = 6`,
		`UPDATE attestations SET counter = 6, step = 'x'`,
		`UPDATE attestations SET counter = 6, run_id = 99`,
		`UPDATE OR REPLACE attestations SET counter = 6, step = 'open' WHERE step = 'done'`,
		`DELETE FROM attestations`,
		`INSERT OR REPLACE INTO attestations SELECT run_id, step, 1, counter, payload_type, payload, signatures FROM attestations`,
		`UPDATE clock SET seen = seen - 1`,
		`UPDATE clock SET id = 2`,
		`DELETE FROM clock`,
		`INSERT OR REPLACE INTO clock (id, seen) VALUES (1, 0)`,
		`INSERT INTO clock (id, seen) VALUES (2, 0)`,
		`UPDATE runs SET run = 'x'`,
		`DELETE FROM runs`,
		`UPDATE runs SET root = NULL`,
		`INSERT OR REPLACE INTO runs SELECT id, namespace, workflow, 'x', NULL FROM runs`,
		`INSERT INTO runs (namespace, workflow, run, root) SELECT namespace, workflow, 'x', id FROM runs WHERE run = 'b'`,
		`INSERT INTO runs (namespace, workflow, run, root) SELECT 'x', workflow, 'x', id FROM runs WHERE run = 'a'`,
		`INSERT INTO runs (namespace, workflow, run, root) SELECT namespace, 'x', 'x', id FROM runs WHERE run = 'a'`,
		`INSERT INTO runs (namespace, workflow, run, root) VALUES ('x', 'x', 'x', 99)`,
		`UPDATE handovers SET run_id = 1`,
		`DELETE FROM handovers`,
		`INSERT OR REPLACE INTO handovers SELECT digest, 1 FROM handovers`,
		`INSERT OR REPLACE INTO handovers SELECT zeroblob(64), run_id FROM handovers`,
		`INSERT OR REPLACE INTO runs (namespace, workflow, run) SELECT namespace, workflow, run FROM runs`,
	}
	db := raw(t, path)
	for _, statement := range refused {
		_, err := db.Exec(statement)
		if err == nil || !strings.Contains(err.Error(), "append-only") && !strings.Contains(err.Error(), "only move forward") &&
			!strings.Contains(err.Error(), "chain of a root") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	w.check(3)
	mustExec(t, db, `UPDATE leases SET number = 6`, // forward is fine
		`UPDATE attestations SET attempt = 3, counter = 0`)
}

func TestVersions(t *testing.T) {
	tests := []struct {
		name       string
		make       string // SQL on a migrated file
		want, only error  // of Open, of OpenReadOnly
	}{
		{"known", ``, nil, nil},
		{"newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`,
			store.ErrVersion, store.ErrVersion},
		{"something else", `DROP TABLE goose_db_version`, store.ErrVersion, store.ErrVersion},
		{"older", `DELETE FROM goose_db_version WHERE version_id >= 1`, store.ErrUnavailable, store.ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tempPath(t)
			require.NoError(t, openAt(t, path).Close())
			mustExec(t, raw(t, path), tt.make)
			s, err := store.Open(ctx, path)
			require.ErrorIs(t, err, tt.want)
			if err == nil {
				require.NoError(t, s.Close())
			}
			s, err = store.OpenReadOnly(ctx, path)
			require.ErrorIs(t, err, tt.only)
			if err == nil {
				require.NoError(t, s.Close())
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("not a database ", 100)), 0o600))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	tests := []struct {
		name       string
		path       string
		want, only error
	}{
		{"a text file", text, store.ErrUnavailable, store.ErrUnavailable},
		{"a folder", dir, store.ErrUnavailable, store.ErrUnavailable},
		{"no folder", filepath.Join(dir, "none", "evidence.db"), store.ErrUnavailable, store.ErrUnavailable},
		{"an empty file", empty, nil, store.ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := store.OpenReadOnly(ctx, tt.path)
			require.ErrorIs(t, err, tt.only)
			s, err := store.Open(ctx, tt.path)
			require.ErrorIs(t, err, tt.want)
			if err == nil {
				require.NoError(t, s.Close())
			}
		})
	}
}

func TestOpenReadOnly(t *testing.T) {
	path := tempPath(t)
	_, err := store.OpenReadOnly(ctx, path)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NoFileExists(t, path)

	w := newWorld(t, openAt(t, path))
	r, err := store.OpenReadOnly(ctx, path)
	require.NoError(t, err)
	defer r.Close()
	reading := w
	reading.backend = r
	reading.check(2)
	for name, err := range writes(r) {
		require.ErrorIs(t, err, store.ErrUnavailable, name)
	}
	_, err = w.Append(ctx, w.a, w.head, envelope("x"))
	require.NoError(t, err)
	reading.check(3)

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestFileModes: evidence is for its owner, side files included. The name has
// characters that mean something in a URI.
func TestFileModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evi dence?mode=memory&x=%41#1.db")
	newWorld(t, openAt(t, path)).check(2)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, f := range files {
		require.True(t, strings.HasPrefix(f.Name(), filepath.Base(path)), f.Name())
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
}

// TestT07StoreReplaced takes the file away under an open store, which would
// otherwise go on writing to a file without a name.
func TestT07StoreReplaced(t *testing.T) {
	path := tempPath(t)
	w := newWorld(t, openAt(t, path))
	require.NoError(t, os.Rename(path, path+".old"))
	for name, err := range writes(w) {
		require.ErrorIs(t, err, store.ErrUnavailable, name)
	}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.ErrorContains(t, w.Ping(ctx), "replaced")
	require.NoError(t, os.Rename(path+".old", path))
	require.NoError(t, w.Ping(ctx), "it is back")
	w.check(2)
}

// TestT20ClockRemoved: a time that is gone is not a time that was never seen.
func TestT20ClockRemoved(t *testing.T) {
	path := tempPath(t)
	s := openAt(t, path)
	mustExec(t, raw(t, path), `DROP TRIGGER clock_no_delete; DELETE FROM clock`)
	_, err := s.Seen(ctx)
	require.ErrorIs(t, err, store.ErrCorrupt)
}

// TestT20ClockOfAnotherProcess: one process's clock is right, this one's is far
// behind.
func TestT20ClockOfAnotherProcess(t *testing.T) {
	path := tempPath(t)
	before := evidence.TimeOf(time.Now())
	cmd := child("open", path)
	cmd.Stdout = os.Stderr
	require.NoError(t, cmd.Run())
	s := openAt(t, path, store.WithClock(func() evidence.Time { return 1 }))
	require.NoError(t, s.Ping(ctx))
	seen, err := s.Seen(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, seen, before)
}

// TestLocked has another program hold the write lock, and not let go.
func TestLocked(t *testing.T) {
	path := tempPath(t)
	w := newWorld(t, openAt(t, path))
	db := raw(t, path)
	mustExec(t, db, `BEGIN IMMEDIATE`)

	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := w.Append(short, w.a, w.head, envelope("given up"))
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 2*time.Second, "a caller need not wait for the lock")
	w.check(2)
	if !testing.Short() {
		_, err = w.Append(ctx, w.a, w.head, envelope("refused"))
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorContains(t, err, "locked")
	}

	mustExec(t, db, `ROLLBACK`)
	_, err = w.Append(ctx, w.a, w.head, envelope("2"))
	require.NoError(t, err)
	records, err := w.Records(ctx, w.a, 2)
	require.NoError(t, err)
	require.Equal(t, []evidence.Envelope{envelope("2")}, []evidence.Envelope{records[0].Envelope})
}
