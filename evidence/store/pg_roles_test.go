package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// Users of the groups, as an administrator makes them.
const (
	control  = "a_control_plane"
	steps    = "a step worker" // names need not be words
	reader   = "an_auditor"
	stranger = "a_stranger"
)

var users sync.Once

// prepared returns the URL of a prepared store for each user, and of its owner.
func prepared(t *testing.T) (as map[string]string, owner string) {
	t.Helper()
	owner = pgtest.Database(t)
	require.NoError(t, store.Prepare(ctx, owner))
	server, database := pgtest.Server(t), databaseOf(t, owner)
	groups := map[string]string{control: store.GroupControl, steps: store.GroupSteps, reader: store.GroupReader, stranger: ""}
	users.Do(func() { // they belong to the server, not to the database
		for user, group := range groups {
			require.NoError(t, server.SQL(ctx, database, `CREATE ROLE "`+user+`" LOGIN`))
			if group != "" {
				require.NoError(t, server.SQL(ctx, database, `GRANT `+group+` TO "`+user+`"`))
			}
		}
	})
	as = map[string]string{}
	for user := range groups {
		as[user] = server.URL(user, database)
	}
	return as, owner
}

// TestT23PostgresUsers has a row for each statement that a user may try, past
// this package. What is refused is refused by PostgreSQL, for want of a right.
func TestT23PostgresUsers(t *testing.T) {
	as, owner := prepared(t)
	w := newWorld(t, openAt(t, owner))
	_, err := w.Take(ctx, slotOf(w.a, "quiet"))
	require.NoError(t, err)
	_, err = w.Continue(ctx, w.a, runOf("b"), w.head, handoverOf("b"), envelope("continued"))
	require.NoError(t, err)
	const (
		record      = `INSERT INTO records SELECT run_id, 3, link, payload_type, payload, signatures FROM records WHERE seq = 2`
		run         = `INSERT INTO runs (namespace, workflow, run) VALUES ('n', 'w', 'r')`
		lease       = `INSERT INTO leases SELECT 2, number, until, payload_type, payload, signatures FROM leases`
		renew       = `UPDATE leases SET number = 99, until = 999`
		slot        = `INSERT INTO slots (run_id, step, decision, key, worker, at) SELECT run_id, 'new', decision, key, worker, at FROM slots WHERE step = 'open'`
		slotNumber  = `INSERT INTO slots (id, run_id, step, decision, key, worker, at) OVERRIDING SYSTEM VALUE SELECT 0, run_id, 'x', decision, key, worker, at FROM slots WHERE step = 'open'`
		outcome     = `INSERT INTO outcomes SELECT run_id, 'open', payload_type, payload, signatures FROM outcomes`
		attestation = `INSERT INTO attestations SELECT run_id, 'quiet', attempt, counter, payload_type, payload, signatures FROM attestations WHERE step = 'open'`
		attest      = `UPDATE attestations SET counter = 99 WHERE step = 'open'`
		nonce       = `INSERT INTO nonces VALUES ('eve', 'n', 1, 0)`
		handover    = `INSERT INTO handovers SELECT decode(repeat('01', 64), 'hex'), 1`
		clock       = `UPDATE clock SET seen = seen + 1`
		pulse       = `UPDATE pulse SET beats = beats + 1`
		read        = `SELECT count(*) FROM runs, records, slots, outcomes, leases, attestations, nonces, handovers, clock, pulse, goose_db_version`
	)
	may := map[string]map[string]bool{ // statement, user
		record: {control: true}, run: {control: true}, nonce: {control: true}, handover: {control: true},
		lease: {control: true}, renew: {control: true},
		slot: {control: true, steps: true}, slotNumber: {},
		outcome: {steps: true}, attestation: {steps: true}, attest: {steps: true},
		clock: {control: true, steps: true}, pulse: {control: true, steps: true},
		read: {control: true, steps: true, reader: true},
		`INSERT INTO runs (id, namespace, workflow, run) OVERRIDING SYSTEM VALUE VALUES (0, 'n', 'w', 'r')`: {},
		`INSERT INTO clock VALUES (2, 0)`: {}, `UPDATE clock SET id = 2`: {}, `UPDATE leases SET run_id = 2`: {},
		`UPDATE attestations SET step = 'x'`: {}, `UPDATE attestations SET run_id = 2`: {},
		`UPDATE records SET payload = '\x00'`: {}, `UPDATE slots SET worker = 'x'`: {}, `UPDATE outcomes SET payload = '\x00'`: {},
		`UPDATE runs SET root = NULL`: {}, `UPDATE nonces SET run_id = 2`: {}, `UPDATE handovers SET run_id = 1`: {},
		`TRUNCATE outcomes`: {}, `DROP TABLE pulse`: {}, `ALTER TABLE records DISABLE TRIGGER USER`: {},
		`DROP TRIGGER no_change ON records`: {}, `ALTER TABLE slots OWNER TO CURRENT_USER`: {},
		`CREATE TABLE interlock.x ()`: {}, `DROP SCHEMA interlock CASCADE`: {}, `CREATE TRIGGER x BEFORE INSERT ON slots EXECUTE FUNCTION refuse()`: {},
		`SET session_replication_role = replica`: {}, `SET ROLE postgres`: {}, `GRANT interlock_control TO interlock_steps`: {},
		`SELECT setval('interlock.slots_id_seq', 1)`: {}, `LOCK TABLE records IN ACCESS EXCLUSIVE MODE`: {},
		`SELECT * FROM records FOR UPDATE`:                                        {},
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`: {},
	}
	for _, table := range []string{"runs", "records", "nonces", "slots", "outcomes", "leases", "attestations", "handovers", "clock", "pulse", "goose_db_version"} {
		may[`DELETE FROM `+table] = nil
	}
	for statement, users := range may {
		for user, url := range as {
			db := rawServer(t, url)
			mustExec(t, db, `SET search_path = interlock`)
			tx, err := db.Begin()
			require.NoError(t, err)
			_, err = tx.Exec(statement)
			if users[user] {
				require.NoError(t, err, "%s: %s", user, statement)
			} else {
				require.Error(t, err, "%s: %s", user, statement)
				require.Regexp(t, "permission denied|must be owner|must have admin option|does not exist", err.Error(), "%s: %s", user, statement)
			}
			require.NoError(t, tx.Rollback())
			require.NoError(t, db.Close())
		}
	}
	checkChain(t, w, w.a, 3)
}

// TestPostgresRoles: through this package each user can do the work of its role,
// and not that of another.
func TestPostgresRoles(t *testing.T) {
	as, _ := prepared(t)
	plane, worker := openAt(t, as[control]), openAt(t, as[steps])
	run := runOf("a")
	head, err := plane.Begin(ctx, run, &store.Nonce{Principal: "ann", Value: "n"}, envelopes("request", "grant")...)
	require.NoError(t, err)
	require.NoError(t, plane.Renew(ctx, run, evidence.Lease{Number: 1, Until: 100}, envelope("lease")))
	require.NoError(t, plane.Renew(ctx, run, evidence.Lease{Number: 2, Until: 200}, envelope("lease")))

	_, err = worker.Take(ctx, slotOf(run, "1"))
	require.NoError(t, err)
	_, err = worker.Take(ctx, slotOf(run, "1"))
	require.ErrorIs(t, err, store.ErrTaken)
	require.NoError(t, worker.Attest(ctx, attestationOf(run, "1", 1, 1)))
	require.NoError(t, worker.Attest(ctx, attestationOf(run, "1", 1, 2)))
	require.NoError(t, worker.Finish(ctx, run, "1", envelope("outcome")))
	require.NoError(t, worker.Ping(ctx))
	_, _, err = worker.Lease(ctx, run)
	require.NoError(t, err)
	_, err = worker.Epoch(ctx, run)
	require.NoError(t, err)
	_, err = worker.Seen(ctx)
	require.NoError(t, err)
	checkChain(t, worker, run, 2)

	_, err = plane.Begin(ctx, store.Orders, nil, envelope("stop"))
	require.NoError(t, err)
	_, err = worker.Take(ctx, slotOf(run, "2"))
	require.ErrorIs(t, err, store.ErrOrders)
	fence := slotOf(run, "2")
	fence.Orders = 1
	_, err = plane.Take(ctx, fence)
	require.NoError(t, err, "the recorder takes what never began")
	_, err = plane.Continue(ctx, run, runOf("b"), head, handoverOf("b"), envelope("continued"))
	require.NoError(t, err)
	require.NoError(t, plane.Ping(ctx))

	b := runOf("b")
	refused := map[string]error{"renew": worker.Renew(ctx, b, evidence.Lease{Number: 9, Until: 900}, envelope("x"))}
	at, err := plane.Head(ctx, b)
	require.NoError(t, err)
	_, refused["append"] = worker.Append(ctx, b, at, envelope("x"))
	_, refused["begin"] = worker.Begin(ctx, runOf("c"), nil, envelope("x"))
	_, refused["continue"] = worker.Continue(ctx, b, runOf("c"), at, handoverOf("c"), envelope("x"))
	_, refused["order"] = worker.Append(ctx, store.Orders, evidence.Position{Seq: 1}, envelope("x"))
	refused["finish"] = plane.Finish(ctx, b, "2", envelope("x"))
	refused["attest"] = plane.Attest(ctx, attestationOf(b, "2", 1, 1))
	for name, err := range refused {
		require.Error(t, err, name)
		require.True(t, errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict), "%s: %v", name, err)
	}
	checkChain(t, plane, b, 3)
	checkChain(t, plane, runOf("c"), 0)

	auditor, err := store.OpenReadOnly(ctx, as[reader])
	require.NoError(t, err)
	defer auditor.Close()
	checkChain(t, auditor, b, 3)
	_, err = store.Open(ctx, as[reader])
	require.ErrorIs(t, err, store.ErrUnavailable, "it takes no writes")
	for _, open := range []func() error{
		func() error { _, err := store.Open(ctx, as[stranger]); return err },
		func() error { _, err := store.OpenReadOnly(ctx, as[stranger]); return err },
	} {
		err := open()
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorContains(t, err, store.GroupReader)
	}
}

// TestPostgresPrepare has a row for each state in which somebody finds a
// database who may not change it.
func TestPostgresPrepare(t *testing.T) {
	as, owner := prepared(t)
	require.NoError(t, store.Prepare(ctx, owner), "a second time")
	require.NoError(t, openAt(t, as[control]).Close())
	require.ErrorIs(t, store.Prepare(ctx, as[control]), store.ErrUnavailable, "who may not grant")
	require.ErrorIs(t, store.Prepare(ctx, tempPath(t)), store.ErrVersion, "a file")
	for _, tt := range []struct{ name, make string }{
		{"older", `DELETE FROM interlock.goose_db_version WHERE version_id >= 1`},
		{"not there", `DROP SCHEMA interlock CASCADE`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mustExec(t, rawServer(t, owner), tt.make)
			for _, err := range []error{
				func() error { _, err := store.Open(ctx, as[control]); return err }(),
				store.Prepare(ctx, as[control]),
			} {
				require.ErrorIs(t, err, store.ErrVersion)
				require.ErrorContains(t, err, "interlockd store prepare")
				require.ErrorContains(t, err, control)
			}
		})
	}
	require.NoError(t, store.Prepare(ctx, owner))
	require.NoError(t, openAt(t, as[steps]).Close())
}
