package store_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // as another program would connect
	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/store"
)

// rawServer opens the database as a program that knows nothing of this package
// would, over one connection.
func rawServer(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// TestPostgresAppendOnly sends what the triggers must refuse, as the owner of
// the tables and superuser, in an ordinary session and in one that plays the
// part of a replica, which fires no ordinary triggers.
func TestPostgresAppendOnly(t *testing.T) {
	url := tempDatabase(t)
	w := newWorld(t, openAt(t, url))
	_, err := w.Continue(ctx, w.a, runOf("b"), w.head, handoverOf("b"), envelope("continued"))
	require.NoError(t, err)
	refused := []string{
		`UPDATE records SET payload = '\x00'`,
		`UPDATE records SET signatures = '[]' WHERE seq = 1`,
		`DELETE FROM records WHERE seq = 1`,
		`TRUNCATE records`,
		`TRUNCATE runs CASCADE`,
		`INSERT INTO records SELECT run_id, seq + 5, link, payload_type, payload, signatures FROM records`,
		`INSERT INTO records SELECT * FROM records ON CONFLICT (run_id, seq) DO UPDATE SET payload = '\x00'`,
		`INSERT INTO records SELECT * FROM records`,
		`UPDATE nonces SET run_id = 1`,
		`DELETE FROM nonces`,
		`TRUNCATE nonces`,
		`INSERT INTO nonces SELECT principal, value, run_id, 99 FROM nonces ON CONFLICT (principal, value) DO UPDATE SET expires = 99`,
		`UPDATE slots SET worker = 'x'`,
		`DELETE FROM slots WHERE step = 'open'`,
		`TRUNCATE slots CASCADE`,
		`UPDATE outcomes SET payload = '\x00'`,
		`DELETE FROM outcomes`,
		`TRUNCATE outcomes`,
		`UPDATE leases SET number = 5`,
		`UPDATE leases SET number = 4`,
		`UPDATE leases SET number = 6, until = 499`,
		`UPDATE leases SET number = 6, run_id = 99`,
		`DELETE FROM leases`,
		`TRUNCATE leases`,
		`INSERT INTO leases SELECT * FROM leases ON CONFLICT (run_id) DO UPDATE SET number = 1`,
		`UPDATE attestations SET counter = 5 WHERE step = 'open'`,
		`UPDATE attestations SET counter = 4 WHERE step = 'open'`,
		`UPDATE attestations SET attempt = 1, counter = 6 WHERE step = 'open'`,
		`UPDATE attestations SET counter = 6, step = 'x'`,
		`UPDATE attestations SET counter = 6, run_id = 99`,
		`DELETE FROM attestations`,
		`TRUNCATE attestations`,
		`UPDATE clock SET seen = seen - 1`,
		`UPDATE clock SET id = 2`,
		`DELETE FROM clock`,
		`TRUNCATE clock`,
		`INSERT INTO clock (id, seen) VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET seen = 0`,
		`INSERT INTO clock (id, seen) VALUES (2, 0)`,
		`UPDATE runs SET run = 'x'`,
		`UPDATE runs SET root = NULL`,
		`DELETE FROM runs`,
		`INSERT INTO runs (namespace, workflow, run, root) SELECT namespace, workflow, 'x', id FROM runs WHERE run = 'b'`,
		`INSERT INTO runs (namespace, workflow, run, root) SELECT 'x', workflow, 'x', id FROM runs WHERE run = 'a'`,
		`INSERT INTO runs (namespace, workflow, run, root) SELECT namespace, 'x', 'x', id FROM runs WHERE run = 'a'`,
		`INSERT INTO runs (namespace, workflow, run, root) VALUES ('x', 'x', 'x', 99)`,
		`INSERT INTO runs (id, namespace, workflow, run) VALUES (99, 'x', 'x', 'x')`,
		`UPDATE handovers SET run_id = 1`,
		`DELETE FROM handovers`,
		`TRUNCATE handovers`,
		`MERGE INTO records USING runs ON records.run_id = runs.id WHEN MATCHED THEN DELETE`,
	}
	const words = "append-only, only move forward, chain of a root, duplicate key, clock_id_check, non-DEFAULT value"
	for _, session := range []string{"origin", "replica"} {
		db := rawServer(t, url)
		mustExec(t, db, `SET search_path = interlock`, `SET session_replication_role = `+session)
		for _, statement := range refused {
			_, err := db.Exec(statement)
			if err == nil || !containsOne(err.Error(), strings.Split(words, ", ")) {
				t.Errorf("%s: %s: %v", session, statement, err)
			}
		}
	}
	w.check(3)
	db := rawServer(t, url)
	mustExec(t, db, `SET search_path = interlock`, `UPDATE leases SET number = 6`, // forward is fine
		`UPDATE attestations SET attempt = 3, counter = 0 WHERE step = 'open'`)
}

func containsOne(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// TestPostgresOtherTablesInTheWay: whoever may make tables of his own puts them
// into his search path before ours. The triggers look at ours all the same.
func TestPostgresOtherTablesInTheWay(t *testing.T) {
	url := tempDatabase(t)
	newWorld(t, openAt(t, url))
	db := rawServer(t, url)
	mustExec(t, db, `CREATE TEMP TABLE records (run_id bigint, seq bigint)`,
		`INSERT INTO records SELECT run_id, 6 FROM interlock.records`,
		`CREATE TEMP TABLE runs AS SELECT 99::bigint AS id, NULL::bigint AS root, 'x' AS workflow, 'x' AS namespace`)
	_, err := db.Exec(`INSERT INTO interlock.records SELECT run_id, 7, link, payload_type, payload, signatures FROM interlock.records WHERE seq = 0`)
	require.ErrorContains(t, err, "append-only")
	_, err = db.Exec(`INSERT INTO interlock.runs (namespace, workflow, run, root) VALUES ('x', 'x', 'x', 99)`)
	require.ErrorContains(t, err, "chain of a root")
}

// TestT03PostgresEdits edits the tables as an attacker would who owns them.
// Reading says where.
func TestT03PostgresEdits(t *testing.T) {
	tests := []struct {
		name, edit, record string
	}{
		{"payload", `UPDATE records SET payload = '\x00' WHERE seq = 1`, "record 1"},
		{"payload of the last", `UPDATE records SET payload = '\x00' WHERE seq = 3`, "record 3"},
		{"payload type", `UPDATE records SET payload_type = 'x' WHERE seq = 1`, "record 1"},
		{"link", `UPDATE records SET link = decode(repeat('00', 64), 'hex') WHERE seq = 1`, "record 1"},
		{"gap", `DELETE FROM records WHERE seq = 1`, "record 2: stored evidence was changed: want record 1"},
		{"no beginning", `DELETE FROM records WHERE seq = 0`, "record 1: stored evidence was changed: want record 0"},
		{"signatures unreadable", `UPDATE records SET signatures = '[' WHERE seq = 1`, "record 1"},
		{"link cut short", `ALTER TABLE records DROP CONSTRAINT records_link_check; UPDATE records SET link = '\x00' WHERE seq = 1`, "record 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := tempDatabase(t)
			s, run := openAt(t, url), runOf("a")
			_, err := s.Begin(ctx, run, nil, envelopes("0", "1", "2", "3")...)
			require.NoError(t, err)
			mustExec(t, rawServer(t, url), `SET search_path = interlock`, `ALTER TABLE records DISABLE TRIGGER USER`)
			mustExec(t, rawServer(t, url), `SET search_path = interlock; `+tt.edit)
			_, err = s.Records(ctx, run, 0)
			require.ErrorIs(t, err, store.ErrCorrupt)
			require.ErrorContains(t, err, run.String()+", "+tt.record)
		})
	}
}
