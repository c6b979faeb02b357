-- Nothing here is ever updated or deleted. For every table three triggers say
-- so: one each for UPDATE and DELETE, and one BEFORE INSERT that aborts when
-- the key exists. The last is needed because INSERT OR REPLACE deletes the old
-- row without firing its DELETE trigger, unless the connection happens to have
-- recursive_triggers on.

-- +goose Up

CREATE TABLE runs (
    id        INTEGER PRIMARY KEY, -- in the order in which runs became known
    namespace TEXT NOT NULL,
    workflow  TEXT NOT NULL,
    run       TEXT NOT NULL,
    UNIQUE (workflow, run, namespace)
) STRICT;

CREATE TABLE records (
    run_id       INTEGER NOT NULL REFERENCES runs (id),
    seq          INTEGER NOT NULL CHECK (seq >= 0),
    link         BLOB NOT NULL CHECK (length(link) = 64),
    payload_type TEXT NOT NULL,
    payload      BLOB NOT NULL,
    signatures   TEXT NOT NULL, -- JSON, as in the DSSE envelope
    PRIMARY KEY (run_id, seq)
) STRICT;

CREATE TABLE nonces (
    principal TEXT NOT NULL,
    value     TEXT NOT NULL,
    run_id    INTEGER NOT NULL REFERENCES runs (id),
    expires   INTEGER NOT NULL, -- milliseconds since 1970
    PRIMARY KEY (principal, value)
) STRICT;

CREATE TABLE slots (
    run_id   INTEGER NOT NULL REFERENCES runs (id),
    step     TEXT NOT NULL,
    decision BLOB NOT NULL CHECK (length(decision) = 64),
    key      TEXT NOT NULL,
    worker   TEXT NOT NULL,
    at       INTEGER NOT NULL, -- milliseconds since 1970
    PRIMARY KEY (run_id, step)
) STRICT;

-- Outcomes have a table of their own, so that finishing a slot adds a row and
-- changes none.
CREATE TABLE outcomes (
    run_id       INTEGER NOT NULL,
    step         TEXT NOT NULL,
    payload_type TEXT NOT NULL,
    payload      BLOB NOT NULL,
    signatures   TEXT NOT NULL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY (run_id, step) REFERENCES slots (run_id, step)
) STRICT;

CREATE TABLE leases (
    run_id       INTEGER PRIMARY KEY REFERENCES runs (id),
    number       INTEGER NOT NULL CHECK (number >= 0),
    until        INTEGER NOT NULL, -- milliseconds since 1970
    payload_type TEXT NOT NULL,
    payload      BLOB NOT NULL,
    signatures   TEXT NOT NULL
) STRICT;

-- pulse holds no evidence: it is written to find out whether a write would
-- reach the disk.
CREATE TABLE pulse (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    beats INTEGER NOT NULL
) STRICT;
INSERT INTO pulse (id, beats) VALUES (1, 0);

-- +goose StatementBegin
CREATE TRIGGER runs_no_update BEFORE UPDATE ON runs
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER runs_no_delete BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER runs_no_replace BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE id = NEW.id
    OR (workflow = NEW.workflow AND run = NEW.run AND namespace = NEW.namespace))
BEGIN SELECT RAISE(ABORT, 'runs are append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER records_no_update BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER records_no_delete BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
-- +goose StatementEnd
-- records_in_order refuses a record that is there already and one that would
-- leave a gap.
-- +goose StatementBegin
CREATE TRIGGER records_in_order BEFORE INSERT ON records
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM records WHERE run_id = NEW.run_id)
BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
-- +goose StatementEnd
-- records_no_rowid: a REPLACE can also aim at the hidden rowid.
-- +goose StatementBegin
CREATE TRIGGER records_no_rowid BEFORE INSERT ON records
WHEN EXISTS (SELECT 1 FROM records WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER nonces_no_update BEFORE UPDATE ON nonces
BEGIN SELECT RAISE(ABORT, 'nonces are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER nonces_no_delete BEFORE DELETE ON nonces
BEGIN SELECT RAISE(ABORT, 'nonces are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER nonces_no_replace BEFORE INSERT ON nonces
WHEN EXISTS (SELECT 1 FROM nonces WHERE rowid = NEW.rowid
    OR (principal = NEW.principal AND value = NEW.value))
BEGIN SELECT RAISE(ABORT, 'nonces are append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER slots_no_update BEFORE UPDATE ON slots
BEGIN SELECT RAISE(ABORT, 'slots are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER slots_no_delete BEFORE DELETE ON slots
BEGIN SELECT RAISE(ABORT, 'slots are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER slots_no_replace BEFORE INSERT ON slots
WHEN EXISTS (SELECT 1 FROM slots WHERE rowid = NEW.rowid
    OR (run_id = NEW.run_id AND step = NEW.step))
BEGIN SELECT RAISE(ABORT, 'slots are append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER outcomes_no_update BEFORE UPDATE ON outcomes
BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outcomes_no_delete BEFORE DELETE ON outcomes
BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outcomes_no_replace BEFORE INSERT ON outcomes
WHEN EXISTS (SELECT 1 FROM outcomes WHERE rowid = NEW.rowid
    OR (run_id = NEW.run_id AND step = NEW.step))
BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER leases_forward BEFORE UPDATE ON leases
WHEN NEW.run_id IS NOT OLD.run_id OR NEW.number <= OLD.number OR NEW.until < OLD.until
BEGIN SELECT RAISE(ABORT, 'leases only move forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leases_no_delete BEFORE DELETE ON leases
BEGIN SELECT RAISE(ABORT, 'leases only move forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leases_no_replace BEFORE INSERT ON leases
WHEN EXISTS (SELECT 1 FROM leases WHERE run_id = NEW.run_id)
BEGIN SELECT RAISE(ABORT, 'leases only move forward'); END;
-- +goose StatementEnd
