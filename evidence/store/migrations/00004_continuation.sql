-- A workflow that continues as new has a new run, and the same chain. All that
-- a chain owns hangs on its first run, its root; later runs name that one
-- directly, so that no query walks from run to run.

-- +goose Up

ALTER TABLE runs ADD COLUMN root INTEGER REFERENCES runs (id); -- NULL: it is one
CREATE INDEX runs_of_root ON runs (root) WHERE root IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER runs_name_a_root BEFORE INSERT ON runs
WHEN NEW.root IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs
    WHERE id = NEW.root AND root IS NULL AND workflow = NEW.workflow AND namespace = NEW.namespace)
BEGIN SELECT RAISE(ABORT, 'a run continues the chain of a root of its workflow'); END;
-- +goose StatementEnd

-- Who continued, by the digest of the statement that let it. Without a rowid
-- there is no hidden key that a REPLACE could aim at.
CREATE TABLE handovers (
    digest BLOB NOT NULL CHECK (length(digest) = 64),
    run_id INTEGER NOT NULL UNIQUE REFERENCES runs (id), -- the run itself, not its root
    PRIMARY KEY (digest)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER handovers_no_update BEFORE UPDATE ON handovers
BEGIN SELECT RAISE(ABORT, 'handovers are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER handovers_no_delete BEFORE DELETE ON handovers
BEGIN SELECT RAISE(ABORT, 'handovers are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER handovers_no_replace BEFORE INSERT ON handovers
WHEN EXISTS (SELECT 1 FROM handovers WHERE digest = NEW.digest OR run_id = NEW.run_id)
BEGIN SELECT RAISE(ABORT, 'handovers are append-only'); END;
-- +goose StatementEnd
