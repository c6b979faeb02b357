-- The largest time that any process ever saw while it wrote. It says nothing
-- about a record; whoever judges by time takes the larger of it and his clock.

-- +goose Up

CREATE TABLE clock (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seen INTEGER NOT NULL -- milliseconds since 1970
) STRICT;
INSERT INTO clock (id, seen) VALUES (1, 0);

-- +goose StatementBegin
CREATE TRIGGER clock_forward BEFORE UPDATE ON clock
WHEN NEW.id IS NOT OLD.id OR NEW.seen < OLD.seen
BEGIN SELECT RAISE(ABORT, 'the clock can only move forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER clock_no_delete BEFORE DELETE ON clock
BEGIN SELECT RAISE(ABORT, 'the clock can only move forward'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER clock_no_replace BEFORE INSERT ON clock
WHEN EXISTS (SELECT 1 FROM clock)
BEGIN SELECT RAISE(ABORT, 'the clock can only move forward'); END;
-- +goose StatementEnd
