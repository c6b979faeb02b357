CREATE TABLE IF NOT EXISTS products (id TEXT PRIMARY KEY, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users    (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders   (id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users(id), doc TEXT NOT NULL);

-- What really happened. One effect, one row, one idempotency key.
CREATE TABLE IF NOT EXISTS ledger (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	at              TEXT    NOT NULL,
	idempotency_key TEXT    NOT NULL UNIQUE,
	kind            TEXT    NOT NULL,
	order_id        TEXT    NOT NULL,
	user_id         TEXT    NOT NULL,
	amount_minor    INTEGER NOT NULL,
	detail          TEXT    NOT NULL
);

-- The answer that belongs to a key, written with the effect or not at all.
CREATE TABLE IF NOT EXISTS answers (
	idempotency_key TEXT PRIMARY KEY,
	request         BLOB    NOT NULL, -- digest of method, path and body
	status          INTEGER NOT NULL,
	body            BLOB    NOT NULL
);

-- A request has its row before it is served; how it ended is a second row,
-- because the first can never be changed.
CREATE TABLE IF NOT EXISTS access_log (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	at              TEXT NOT NULL,
	method          TEXT NOT NULL,
	path            TEXT NOT NULL,
	idempotency_key TEXT NOT NULL,
	caller          TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS access_status (
	access_id INTEGER PRIMARY KEY REFERENCES access_log(id),
	status    INTEGER NOT NULL
);

CREATE TRIGGER IF NOT EXISTS ledger_no_update BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_no_delete BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_log_no_update BEFORE UPDATE ON access_log
BEGIN SELECT RAISE(ABORT, 'access_log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_log_no_delete BEFORE DELETE ON access_log
BEGIN SELECT RAISE(ABORT, 'access_log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_status_no_update BEFORE UPDATE ON access_status
BEGIN SELECT RAISE(ABORT, 'access_status is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_status_no_delete BEFORE DELETE ON access_status
BEGIN SELECT RAISE(ABORT, 'access_status is append-only'); END;

-- INSERT OR REPLACE deletes the row in its way without firing a delete trigger
-- (unless recursive_triggers is on), so replacing is refused on its own.
CREATE TRIGGER IF NOT EXISTS ledger_no_replace BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE id = NEW.id OR idempotency_key = NEW.idempotency_key)
BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_log_no_replace BEFORE INSERT ON access_log
WHEN EXISTS (SELECT 1 FROM access_log WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'access_log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_status_no_replace BEFORE INSERT ON access_status
WHEN EXISTS (SELECT 1 FROM access_status WHERE access_id = NEW.access_id)
BEGIN SELECT RAISE(ABORT, 'access_status is append-only'); END;
