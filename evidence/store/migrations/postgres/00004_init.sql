-- The schema of the SQLite migrations up to the same number, in the words of
-- PostgreSQL. All is in the schema interlock, so that a search path that
-- somebody sets cannot put other tables in its place; the functions have a
-- search path of their own for the same reason.
--
-- Text of which nobody says that it is UTF-8 without a zero byte is bytea.

-- +goose Up

CREATE TABLE interlock.runs (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- in the order in which runs became known
    namespace text NOT NULL,
    workflow  text NOT NULL,
    run       text NOT NULL,
    root      bigint REFERENCES interlock.runs (id), -- NULL: it is one
    UNIQUE (workflow, run, namespace)
);
CREATE INDEX runs_of_root ON interlock.runs (root) WHERE root IS NOT NULL;

CREATE TABLE interlock.records (
    run_id       bigint NOT NULL REFERENCES interlock.runs (id),
    seq          bigint NOT NULL CHECK (seq >= 0),
    link         bytea NOT NULL CHECK (length(link) = 64),
    payload_type bytea NOT NULL,
    payload      bytea NOT NULL,
    signatures   text NOT NULL, -- JSON, as in the DSSE envelope
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE interlock.nonces (
    principal text NOT NULL,
    value     text NOT NULL,
    run_id    bigint NOT NULL REFERENCES interlock.runs (id),
    expires   bigint NOT NULL, -- milliseconds since 1970
    PRIMARY KEY (principal, value)
);

CREATE TABLE interlock.slots (
    id       bigint GENERATED ALWAYS AS IDENTITY, -- in the order in which slots were taken
    run_id   bigint NOT NULL REFERENCES interlock.runs (id),
    step     text NOT NULL,
    decision bytea NOT NULL CHECK (length(decision) = 64),
    key      text NOT NULL,
    worker   text NOT NULL,
    at       bigint NOT NULL, -- milliseconds since 1970
    PRIMARY KEY (run_id, step)
);

-- Outcomes have a table of their own, so that finishing a slot adds a row and
-- changes none.
CREATE TABLE interlock.outcomes (
    run_id       bigint NOT NULL,
    step         text NOT NULL,
    payload_type bytea NOT NULL,
    payload      bytea NOT NULL,
    signatures   text NOT NULL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY (run_id, step) REFERENCES interlock.slots (run_id, step)
);

CREATE TABLE interlock.leases (
    run_id       bigint PRIMARY KEY REFERENCES interlock.runs (id),
    number       bigint NOT NULL CHECK (number >= 0),
    until        bigint NOT NULL, -- milliseconds since 1970
    payload_type bytea NOT NULL,
    payload      bytea NOT NULL,
    signatures   text NOT NULL
);

-- The newest statement of each step's guard about itself, beside the slot that
-- it took. Like leases these move, and only forward.
CREATE TABLE interlock.attestations (
    run_id       bigint NOT NULL,
    step         text NOT NULL,
    attempt      bigint NOT NULL CHECK (attempt >= 0),
    counter      bigint NOT NULL CHECK (counter >= 0),
    payload_type bytea NOT NULL,
    payload      bytea NOT NULL,
    signatures   text NOT NULL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY (run_id, step) REFERENCES interlock.slots (run_id, step)
);

-- Who continued, by the digest of the statement that let it.
CREATE TABLE interlock.handovers (
    digest bytea PRIMARY KEY CHECK (length(digest) = 64),
    run_id bigint NOT NULL UNIQUE REFERENCES interlock.runs (id) -- the run itself, not its root
);

-- The largest time that any process ever saw while it wrote.
CREATE TABLE interlock.clock (
    id   bigint PRIMARY KEY CHECK (id = 1),
    seen bigint NOT NULL -- milliseconds since 1970
);
INSERT INTO interlock.clock (id, seen) VALUES (1, 0);

-- pulse holds no evidence: it is written to find out whether a write would
-- reach the disk.
CREATE TABLE interlock.pulse (
    id    bigint PRIMARY KEY CHECK (id = 1),
    beats bigint NOT NULL
);
INSERT INTO interlock.pulse (id, beats) VALUES (1, 0);

-- refuse says no to whatever fires it, in the words of its argument.
-- +goose StatementBegin
CREATE FUNCTION interlock.refuse() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd

-- records_in_order refuses a record that is there already and one that would
-- leave a gap.
-- +goose StatementBegin
CREATE FUNCTION interlock.records_in_order() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq) + 1, 0) FROM interlock.records WHERE run_id = NEW.run_id) THEN
        RAISE EXCEPTION 'records are append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION interlock.runs_name_a_root() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.root IS NOT NULL AND NOT EXISTS (SELECT 1 FROM interlock.runs
        WHERE id = NEW.root AND root IS NULL AND workflow = NEW.workflow AND namespace = NEW.namespace) THEN
        RAISE EXCEPTION 'a run continues the chain of a root of its workflow' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- clock_not_ahead refuses a time that has not come yet: it moves forward only, so
-- that one process with a wrong clock, or a bad intention, would stop all others
-- for good.
-- +goose StatementBegin
CREATE FUNCTION interlock.clock_not_ahead() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seen > extract(epoch FROM clock_timestamp()) * 1000 + 60000 THEN
        RAISE EXCEPTION 'the clock of this process is more than a minute ahead of the one of the database server'
            USING ERRCODE = 'restrict_violation', DETAIL = format('%s ms since 1970, the server has %s',
                NEW.seen, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- Triggers fire always: also in a session that plays the part of a replica.
-- +goose StatementBegin
DO $$
DECLARE
    name text;
    forward text[] := ARRAY['leases', 'attestations', 'clock'];
BEGIN
    FOREACH name IN ARRAY ARRAY['runs', 'records', 'nonces', 'slots', 'outcomes', 'handovers'] LOOP
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON interlock.%I
            FOR EACH ROW EXECUTE FUNCTION interlock.refuse(%L)', name, 'are append-only');
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON interlock.%I
            EXECUTE FUNCTION interlock.refuse(%L)', name, 'are append-only');
    END LOOP;
    FOREACH name IN ARRAY forward LOOP
        EXECUTE format('CREATE TRIGGER no_change BEFORE DELETE ON interlock.%I
            FOR EACH ROW EXECUTE FUNCTION interlock.refuse(%L)', name, 'only move forward');
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON interlock.%I
            EXECUTE FUNCTION interlock.refuse(%L)', name, 'only move forward');
    END LOOP;
END $$;
-- +goose StatementEnd

CREATE TRIGGER in_order BEFORE INSERT ON interlock.records
    FOR EACH ROW EXECUTE FUNCTION interlock.records_in_order();
CREATE TRIGGER name_a_root BEFORE INSERT ON interlock.runs
    FOR EACH ROW EXECUTE FUNCTION interlock.runs_name_a_root();
CREATE TRIGGER forward BEFORE UPDATE ON interlock.leases FOR EACH ROW
    WHEN (NEW.run_id <> OLD.run_id OR NEW.number <= OLD.number OR NEW.until < OLD.until)
    EXECUTE FUNCTION interlock.refuse('only move forward');
CREATE TRIGGER forward BEFORE UPDATE ON interlock.attestations FOR EACH ROW
    WHEN (NEW.run_id <> OLD.run_id OR NEW.step <> OLD.step OR (NEW.attempt, NEW.counter) <= (OLD.attempt, OLD.counter))
    EXECUTE FUNCTION interlock.refuse('only move forward');
CREATE TRIGGER forward BEFORE UPDATE ON interlock.clock FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.seen < OLD.seen)
    EXECUTE FUNCTION interlock.refuse('only move forward');

CREATE TRIGGER not_ahead BEFORE UPDATE ON interlock.clock
    FOR EACH ROW EXECUTE FUNCTION interlock.clock_not_ahead();

-- +goose StatementBegin
DO $$
DECLARE
    it record;
BEGIN
    FOR it IN SELECT tgname, tgrelid::regclass::text AS tbl FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'interlock'::regnamespace) LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', it.tbl, it.tgname);
    END LOOP;
END $$;
-- +goose StatementEnd
