package store

import (
	"context"
	"database/sql"
	"fmt"
)

// The table of the versions, and the question for the newest one, whatever the
// search path.
const (
	pgVersions = `interlock.goose_db_version`
	pgVersion  = `SELECT coalesce(max(version_id), 0) FROM ` + pgVersions + ` WHERE is_applied`
)

// Who owns a schema can replace everything in it, and what is in it can be
// called by its name alone.
const (
	// pgOwner says who owns the schema, whether that is this user, and how much
	// is in it beside the table of the versions, which is made first: each thing in a
	// schema depends on it.
	pgOwner = `SELECT pg_get_userbyid(nspowner), pg_get_userbyid(nspowner) = current_user,
			(SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = pg_namespace.oid
				AND classid <> 'pg_default_acl'::regclass
				AND NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = objid AND classid = 'pg_class'::regclass
					AND relname IN ('goose_db_version', 'goose_db_version_id_seq')))
		FROM pg_namespace WHERE nspname = 'interlock'`

	// pgAliens are what the owner of the schema does not own in it.
	pgAliens = `SELECT coalesce(string_agg(name, ', ' ORDER BY name), '') FROM (
			SELECT relname::text, relowner, relnamespace FROM pg_class
			UNION ALL SELECT proname::text, proowner, pronamespace FROM pg_proc
			UNION ALL SELECT typname::text, typowner, typnamespace FROM pg_type
			UNION ALL SELECT oprname::text, oprowner, oprnamespace FROM pg_operator
		) AS things (name, owner, namespace) JOIN pg_namespace ON pg_namespace.oid = namespace
		WHERE nspname = 'interlock' AND owner <> nspowner`

	// pgTriggers are the triggers and rules of the schema that are not those of
	// its migrations, or not always on, and those that are missing. A trigger may
	// be put on a table by who was once allowed to, and can swallow what is
	// written.
	pgTriggers = `WITH wanted (name, calls) AS (
			SELECT tbl || '.' || trigger, 'refuse'
				FROM unnest(ARRAY['runs', 'records', 'nonces', 'slots', 'outcomes', 'handovers', 'leases', 'attestations', 'clock']) AS tbl,
					unnest(ARRAY['no_change', 'no_truncate']) AS trigger
			UNION ALL VALUES ('records.in_order', 'records_in_order'), ('runs.name_a_root', 'runs_name_a_root'),
				('leases.forward', 'refuse'), ('attestations.forward', 'refuse'), ('clock.forward', 'refuse'), ('clock.not_ahead', 'clock_not_ahead')
		), there (name, calls) AS (
			SELECT relname || '.' || tgname, CASE WHEN pronamespace = relnamespace AND tgenabled = 'A' THEN proname::text END
				FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
				WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'interlock') AND NOT tgisinternal
			UNION ALL
			SELECT relname || '.' || rulename, NULL FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
				WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'interlock')
		)
		SELECT coalesce(string_agg(coalesce(there.name, wanted.name), ', ' ORDER BY coalesce(there.name, wanted.name)), '')
		FROM wanted FULL JOIN there ON there.name = wanted.name
		WHERE there.name IS NULL OR wanted.name IS NULL OR there.calls IS DISTINCT FROM wanted.calls`
)

// ours refuses a schema that another user owns, or has put something into, and
// one that has to be empty and is not.
func (s *server) ours(ctx context.Context, db *sql.DB, empty bool) error {
	var owner, aliens string
	var own bool
	var things int
	if err := db.QueryRowContext(ctx, pgOwner).Scan(&owner, &own, &things); err != nil {
		return unavailable("find out who owns the schema interlock", err)
	}
	if err := db.QueryRowContext(ctx, pgAliens).Scan(&aliens); err != nil {
		return unavailable("find out who owns what is in the schema interlock", err)
	}
	switch {
	case !own:
		return fmt.Errorf("%w: the schema interlock of %s belongs to %s, who could change everything in it, and not to %s: "+
			"let %s prepare the store if it may own it; if no evidence is in it, DROP SCHEMA interlock CASCADE and prepare again",
			ErrUnavailable, s.name, owner, s.config.User, owner)
	case aliens != "":
		return fmt.Errorf("%w: in the schema interlock of %s another user than %s owns %.200s: "+
			"find out who made it, drop it and prepare again", ErrUnavailable, s.name, owner, aliens)
	case empty && things > 0:
		return fmt.Errorf("%w: the schema interlock of %s does not say of which version it is, and %d things are in it already: "+
			"find out who made them; if none of them is evidence, DROP SCHEMA interlock CASCADE and prepare again", ErrVersion, s.name, things)
	}
	return nil
}

// unchanged refuses a schema with other triggers than its own.
func (s *server) unchanged(ctx context.Context, db *sql.DB) error {
	var wrong string
	if err := db.QueryRowContext(ctx, pgTriggers).Scan(&wrong); err != nil {
		return unavailable("look at the triggers of "+s.name, err)
	}
	if wrong != "" {
		return fmt.Errorf("%w: these triggers or rules of %s are missing, switched off, or not its own: %.200s; "+
			"find out who did that and what was written meanwhile", ErrUnavailable, s.name, wrong)
	}
	return nil
}

// checked is unchanged over a connection of its own.
func (s *server) checked(ctx context.Context) error {
	db := sql.OpenDB(s.plain())
	defer db.Close()
	return s.unchanged(ctx, db)
}
