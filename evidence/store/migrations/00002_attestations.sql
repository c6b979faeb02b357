-- The newest statement of each step's guard about itself, beside the slot that
-- it took. Like leases these move, and only forward.

-- +goose Up

-- Without a rowid there is no hidden key that a REPLACE could aim at.
CREATE TABLE attestations (
    run_id       INTEGER NOT NULL,
    step         TEXT NOT NULL,
    attempt      INTEGER NOT NULL CHECK (attempt >= 0),
    counter      INTEGER NOT NULL CHECK (counter >= 0),
    payload_type TEXT NOT NULL,
    payload      BLOB NOT NULL,
    signatures   TEXT NOT NULL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY (run_id, step) REFERENCES slots (run_id, step)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER attestations_forward BEFORE UPDATE ON attestations
WHEN NEW.run_id IS NOT OLD.run_id OR NEW.step IS NOT OLD.step
    OR (NEW.attempt, NEW.counter) <= (OLD.attempt, OLD.counter)
BEGIN SELECT RAISE(ABORT, 'attestations only move forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attestations_no_delete BEFORE DELETE ON attestations
BEGIN SELECT RAISE(ABORT, 'attestations only move forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attestations_no_replace BEFORE INSERT ON attestations
WHEN EXISTS (SELECT 1 FROM attestations WHERE run_id = NEW.run_id AND step = NEW.step)
BEGIN SELECT RAISE(ABORT, 'attestations only move forward'); END;
-- +goose StatementEnd
