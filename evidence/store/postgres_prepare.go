package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// The group roles of a PostgreSQL store. A process gets the rights of its role
// by being a member: GRANT interlock_steps TO "the user of a step worker".
const (
	// GroupControl may append records and runs, consume nonces and handovers,
	// renew leases, and take slots.
	GroupControl = "interlock_control"
	// GroupSteps may take slots and add what belongs to one: the outcome and
	// attestations.
	GroupSteps = "interlock_steps"
	// GroupReader may read everything and write nothing.
	GroupReader = "interlock_reader"
)

// Nobody of the groups may change or delete anything, but for what moves
// forward: leases, attestations, the time and the pulse. Rights are given by
// column, so that the numbers that order runs and slots are the database's own.
const (
	pgGroups = `DO $$
DECLARE name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['interlock_control', 'interlock_steps', 'interlock_reader'] LOOP
		IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
			BEGIN
				EXECUTE format('CREATE ROLE %I NOLOGIN', name);
			EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- for another database, just now
			END;
		END IF;
	END LOOP;
END $$`

	// pgOthers takes every right in the schema from those who are neither its
	// owner nor a group: what default privileges gave, or somebody, some day.
	// CASCADE takes what they passed on.
	pgOthers = `
	FOR it IN
		SELECT what, grantee FROM (
			SELECT 'SCHEMA interlock' AS what, nspowner AS owner, nspacl AS acl FROM pg_namespace WHERE nspname = 'interlock'
			UNION ALL
			SELECT format(CASE relkind WHEN 'S' THEN 'SEQUENCE interlock.%I' ELSE 'TABLE interlock.%I' END, relname), relowner, relacl
				FROM pg_class WHERE relnamespace = 'interlock'::regnamespace
			UNION ALL
			SELECT format('TABLE interlock.%I', relname), relowner, attacl
				FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = 'interlock'::regnamespace
			UNION ALL
			SELECT 'ROUTINE ' || pg_proc.oid::regprocedure::text, proowner, coalesce(proacl, acldefault('f', proowner))
				FROM pg_proc WHERE pronamespace = 'interlock'::regnamespace
			UNION ALL
			SELECT CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END,
				defaclrole, defaclacl
				FROM pg_default_acl WHERE defaclnamespace = 'interlock'::regnamespace AND pg_get_userbyid(defaclrole) = current_user
		) AS things, aclexplode(acl)
		WHERE grantee <> owner AND grantee NOT IN (SELECT oid FROM pg_roles WHERE rolname IN ('interlock_control', 'interlock_steps', 'interlock_reader'))
			OR grantee <> owner AND what NOT LIKE '% %'
		GROUP BY what, grantee
	LOOP
		EXECUTE CASE WHEN it.what LIKE '% %' THEN '' ELSE 'ALTER DEFAULT PRIVILEGES IN SCHEMA interlock ' END
			|| format('REVOKE ALL ON %s FROM %s CASCADE', it.what,
				CASE it.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(it.grantee)) END);
	END LOOP;`

	pgRevoke = `DO $$ DECLARE it record; BEGIN ` + pgOthers + ` END $$`

	pgGrants = `DO $$
DECLARE
	it record;
	name text;
	everyone text[] := ARRAY(SELECT rolname FROM pg_roles WHERE rolname IN ('interlock_control', 'interlock_steps', 'interlock_reader'));
BEGIN` + pgOthers + `
	FOREACH name IN ARRAY everyone LOOP
		EXECUTE format('REVOKE ALL ON SCHEMA interlock FROM %I CASCADE', name);
		EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA interlock FROM %I CASCADE', name);
		EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA interlock FROM %I CASCADE', name);
		EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA interlock FROM %I CASCADE', name);
		EXECUTE format('GRANT USAGE ON SCHEMA interlock TO %I', name);
		EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA interlock TO %I', name);
	END LOOP;
	FOREACH name IN ARRAY everyone LOOP
		CONTINUE WHEN name = 'interlock_reader';
		EXECUTE format('GRANT INSERT (run_id, step, decision, key, worker, at) ON interlock.slots TO %I', name);
		EXECUTE format('GRANT UPDATE (seen) ON interlock.clock TO %I', name);
		EXECUTE format('GRANT UPDATE (beats) ON interlock.pulse TO %I', name);
	END LOOP;
	IF 'interlock_steps' = ANY (everyone) THEN
		GRANT INSERT ON interlock.outcomes, interlock.attestations TO interlock_steps;
		GRANT UPDATE (attempt, counter, payload_type, payload, signatures) ON interlock.attestations TO interlock_steps;
	END IF;
	IF 'interlock_control' = ANY (everyone) THEN
		GRANT INSERT (namespace, workflow, run, root) ON interlock.runs TO interlock_control;
		GRANT INSERT ON interlock.records, interlock.nonces, interlock.handovers, interlock.leases TO interlock_control;
		GRANT UPDATE (number, until, payload_type, payload, signatures) ON interlock.leases TO interlock_control;
	END IF;
END $$`

	// pgTables counts tables without looking into the schema, which takes rights.
	pgTables = `SELECT count(*), count(*) FILTER (WHERE relname = 'goose_db_version')
		FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
		WHERE nspname = 'interlock' AND relkind IN ('r', 'p')`

	// migrateLock keeps those apart who bring a schema up to date.
	migrateLock  = writeLock + 1
	migrateLimit = 30 * time.Second
)

// postgresFiles are the migrations of PostgreSQL.
var postgresFiles = sub(migrations, "migrations/postgres")

func sub(files embed.FS, dir string) fs.FS {
	folder, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the names are constants
	}
	return folder
}

// Prepare makes the PostgreSQL database at target an evidence store of the
// newest schema, creates the group roles that are missing, and gives them their
// rights ([GroupControl], [GroupSteps], [GroupReader]): what an administrator
// does once, and again for a newer version. A second call changes nothing.
//
// Its user must own the store, or be allowed to create it, and to create roles
// if one is missing; afterwards nobody needs such a user. Prepare returns
// [ErrVersion] and [ErrUnavailable] as [Open] does.
func Prepare(ctx context.Context, target string) error {
	if !isURL(target) {
		return fmt.Errorf("%w: only a PostgreSQL database has to be prepared", ErrVersion)
	}
	s, err := serverAt(target)
	if err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.exclusive(ctx, func(db *sql.DB) error {
		if err := s.ours(ctx, db, false); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, pgGroups); codeOf(err) == notAllowed {
			return fmt.Errorf("%w: %s may not create the group roles; whoever may must run: CREATE ROLE %s NOLOGIN; CREATE ROLE %s NOLOGIN; CREATE ROLE %s NOLOGIN",
				ErrUnavailable, s.config.User, GroupControl, GroupSteps, GroupReader)
		} else if err != nil {
			return unavailable("create the group roles", err)
		}
		if _, err := db.ExecContext(ctx, pgGrants); err != nil {
			return unavailable("give the group roles their rights", err)
		}
		return s.unchanged(ctx, db)
	})
}

// The SQLSTATEs of a lack of rights: to use what is there, and to see it.
const (
	notAllowed = "42501"
	notVisible = "42P01"
)

// migrate brings the database to the newest schema, if it is not there yet.
func (s *server) migrate(ctx context.Context) error {
	have, err := s.version(ctx)
	if err != nil || have == newest(postgresFiles) {
		return err
	}
	if have > newest(postgresFiles) {
		return fmt.Errorf("%w: %s has schema %d, this program knows only up to %d: use a newer program",
			ErrVersion, s.name, have, newest(postgresFiles))
	}
	err = s.exclusive(ctx, func(db *sql.DB) error { return s.up(ctx, db) })
	if codeOf(err) == notAllowed {
		return fmt.Errorf("%w: %s has schema %d, this program needs %d, and %s may not change it: "+
			"let whoever owns it run interlockd store prepare", ErrVersion, s.name, have, newest(postgresFiles), s.config.User)
	}
	if errors.Is(err, ErrVersion) {
		return err
	}
	return unavailable("migrate", err)
}

// version returns the schema version of the database, 0 if there is no schema.
// It does not wait for a server that is not there.
func (s *server) version(ctx context.Context) (version int64, err error) {
	db := sql.OpenDB(s.plain())
	defer db.Close()
	var tables, versions int
	if err := db.QueryRowContext(ctx, pgTables).Scan(&tables, &versions); err != nil {
		return 0, unavailable("connect to "+s.name, err)
	}
	switch {
	case versions == 0 && tables > 0:
		return 0, fmt.Errorf("%w: the schema interlock of %s belongs to something else", ErrVersion, s.name)
	case versions == 0:
		return 0, nil
	}
	err = db.QueryRowContext(ctx, pgVersion).Scan(&version)
	if codeOf(err) == notAllowed || codeOf(err) == notVisible {
		return 0, fmt.Errorf("%w: %s has no rights in %s: GRANT %s, %s or %s to it (see interlockd store prepare)",
			ErrUnavailable, s.config.User, s.name, GroupControl, GroupSteps, GroupReader)
	}
	return version, unavailable("read the schema version", err)
}

// exclusive calls do with connections that have no time limit, while nobody
// else brings the schema up to date.
func (s *server) exclusive(ctx context.Context, do func(*sql.DB) error) error {
	ctx, cancel := context.WithTimeout(ctx, migrateLimit)
	defer cancel()
	db := sql.OpenDB(s.plain())
	defer db.Close()
	lock, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer lock.Close() // with db.Close the session ends, and so does its lock
	if _, err := lock.ExecContext(ctx, fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, migrateLock)); err != nil {
		return err
	}
	return do(db)
}

// up runs the migrations, and gives groups that are there their rights in what
// is new.
func (s *server) up(ctx context.Context, db *sql.DB) error {
	have, err := s.version(ctx)
	if err != nil || have == newest(postgresFiles) {
		return err // somebody else was quicker
	}
	if _, err := db.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS interlock`); err != nil {
		return err
	}
	if err := s.ours(ctx, db, have == 0); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, pgRevoke); err != nil { // before there is anything to have rights in
		return err
	}
	if err := s.ours(ctx, db, have == 0); err != nil { // nor has anybody made something meanwhile
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, postgresFiles,
		goose.WithTableName(pgVersions), goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, pgGrants)
	if err != nil {
		return errors.Join(errors.New("couldn't give the group roles their rights"), err)
	}
	return s.unchanged(ctx, db)
}
