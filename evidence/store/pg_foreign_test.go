package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// takeover makes a user a superuser if a superuser calls what looks like
// PostgreSQL's own format.
const takeover = ` LANGUAGE plpgsql AS $$ BEGIN
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN ALTER ROLE mallory SUPERUSER; END IF;
	RETURN pg_catalog.format($1, $2); END $$`

// TestT23PrepareRefusesAForeignSchema has a row for each schema that was there
// before the store. Whoever prepares one has more rights than who made it, so
// nothing in it may run.
func TestT23PrepareRefusesAForeignSchema(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	require.NoError(t, server.SQL(ctx, "postgres", `CREATE ROLE mallory LOGIN`))
	for _, tt := range []struct {
		name    string
		admin   string // what the administrator did
		mallory string
		means   error
		says    string
		after   bool // the store was prepared before
	}{
		{name: "of another user", mallory: `CREATE SCHEMA interlock;
			CREATE FUNCTION interlock.format(text, text) RETURNS text` + takeover + `;
			CREATE FUNCTION interlock.format(text, name) RETURNS text` + takeover + `; GRANT ALL ON SCHEMA interlock TO PUBLIC`,
			means: store.ErrUnavailable, says: "belongs to mallory"},
		{name: "empty, of another user", mallory: `CREATE SCHEMA interlock`, means: store.ErrUnavailable, says: "belongs to mallory"},
		{name: "with a function in it", admin: `CREATE SCHEMA interlock; GRANT ALL ON SCHEMA interlock TO PUBLIC`,
			mallory: `CREATE FUNCTION interlock.format(text, text) RETURNS text` + takeover, means: store.ErrUnavailable},
		{name: "with a type in it", admin: `CREATE SCHEMA interlock; CREATE TYPE interlock.bigint AS ENUM ()`, means: store.ErrVersion},
		{name: "with an operator in it", admin: `CREATE SCHEMA interlock; CREATE OPERATOR interlock.= (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)`,
			means: store.ErrVersion},
		{name: "a function later", admin: `GRANT CREATE, USAGE ON SCHEMA interlock TO mallory`,
			mallory: `CREATE FUNCTION interlock.format(text, name) RETURNS text` + takeover, means: store.ErrUnavailable, after: true},
		{name: "empty and its own", admin: `CREATE SCHEMA interlock; ALTER DEFAULT PRIVILEGES IN SCHEMA interlock GRANT ALL ON TABLES TO mallory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, err := server.CreateDatabase(ctx, "")
			require.NoError(t, err)
			owner := server.URL(pgserver.Superuser, name)
			require.NoError(t, server.SQL(ctx, name, `GRANT CREATE ON DATABASE `+name+` TO mallory`))
			if tt.after {
				require.NoError(t, store.Prepare(ctx, owner))
			}
			if tt.admin != "" {
				require.NoError(t, server.SQL(ctx, name, tt.admin))
			}
			if tt.mallory != "" {
				mustExec(t, rawServer(t, server.URL("mallory", name)), tt.mallory)
			}
			err = store.Prepare(ctx, owner)
			if tt.means == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tt.means)
				require.ErrorContains(t, err, "prepare", "it says what to do")
				require.ErrorContains(t, err, tt.says)
			}
			var super bool
			require.NoError(t, rawServer(t, owner).QueryRow(`SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'`).Scan(&super))
			require.False(t, super)
		})
	}
}

// TestT23PrepareTakesOldRights: nobody keeps rights in the store that somebody
// or something gave him at another time.
func TestT23PrepareTakesOldRights(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	require.NoError(t, server.SQL(ctx, "postgres", `CREATE ROLE st LOGIN; CREATE ROLE "an other" LOGIN;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO st; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO st;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO st; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO st`))
	owner := server.URL(pgserver.Superuser, "postgres")
	require.NoError(t, store.Prepare(ctx, owner))
	require.NoError(t, server.SQL(ctx, "postgres", `GRANT interlock_steps TO st`))
	newWorld(t, openAt(t, owner))
	refused := func() {
		t.Helper()
		for user, url := range map[string]string{"st": server.URL("st", "postgres"), "an other": server.URL("an other", "postgres")} {
			db := rawServer(t, url)
			for _, s := range []string{
				`INSERT INTO interlock.records SELECT run_id, 3, link, payload_type, payload, signatures FROM interlock.records WHERE seq = 2`,
				`UPDATE interlock.leases SET number = 99, until = 99999`, `UPDATE interlock.records SET payload = payload`,
				`DELETE FROM interlock.pulse`, `DELETE FROM interlock.goose_db_version`, `TRUNCATE interlock.goose_db_version`,
				`SELECT setval('interlock.slots_id_seq', 1)`, `SELECT interlock.refuse()`, `CREATE TABLE interlock.x ()`,
				`CREATE TRIGGER x BEFORE INSERT ON interlock.slots FOR EACH ROW EXECUTE FUNCTION interlock.refuse('x')`,
			} {
				_, err := db.Exec(s)
				require.ErrorContains(t, err, "permission denied", "%s: %s", user, s)
			}
		}
	}
	refused()
	require.NoError(t, server.SQL(ctx, "postgres", `GRANT USAGE, CREATE ON SCHEMA interlock TO "an other" WITH GRANT OPTION;
		GRANT ALL ON ALL TABLES IN SCHEMA interlock TO st, PUBLIC; GRANT UPDATE (payload) ON interlock.records TO "an other" WITH GRANT OPTION;
		GRANT ALL ON ALL SEQUENCES IN SCHEMA interlock TO st, "an other"; GRANT ALL ON ALL FUNCTIONS IN SCHEMA interlock TO PUBLIC;
		GRANT INSERT ON interlock.records TO interlock_steps WITH GRANT OPTION; SET ROLE interlock_steps; GRANT INSERT ON interlock.records TO "an other"`))
	require.NoError(t, store.Prepare(ctx, owner))
	refused()
	_, err := store.Open(ctx, server.URL("st", "postgres"))
	require.NoError(t, err, "what the group may do it still may")
}
