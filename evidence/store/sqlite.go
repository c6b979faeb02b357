package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	driversqlite "modernc.org/sqlite" // also registers "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long a connection waits for another one's lock, in
// milliseconds; then the answer is [ErrUnavailable].
const busyTimeout = 5000

// readers is how many reads run at the same time.
const readers = 4

// errBadConn makes database/sql close a connection.
var errBadConn = driver.ErrBadConn

// sqlite is how SQLite reads the statements.
var sqlite = dialect{opaque: func(s opaque) any { return string(s) }}

// What only SQLite is asked.
const (
	sqlTables  = `SELECT count(*), coalesce(sum(name = 'goose_db_version'), 0) FROM sqlite_schema WHERE type = 'table'`
	sqlVersion = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`
)

// isBusy reports whether err means that another connection holds a lock.
func isBusy(err error) bool {
	var e *driversqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// A mode says what a connection may do.
type mode int

const (
	modeWrite mode = iota // for the writer
	modeRead              // reads of a store that is also written
	modeOnly              // reads of a store that must not be written
)

// pragmas are set on each connection, in this order.
func (m mode) pragmas() []string {
	common := []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout),
		"foreign_keys(ON)",
		"recursive_triggers(ON)", // so that REPLACE fires DELETE triggers
		"trusted_schema(OFF)",
	}
	if m == modeWrite {
		return append(common,
			"journal_mode(WAL)", // readers do not wait for the writer
			"synchronous(FULL)", // a commit is on disk when it returns
		)
	}
	return append(common, "query_only(ON)")
}

// open returns a pool of at most n connections to the file at path, which must
// exist: SQLite is never let to create it.
func (m mode) open(path string, n int) (*sql.DB, error) {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	query := url.Values{"mode": {"rw"}, "_pragma": m.pragmas()}
	if m == modeOnly {
		query.Set("mode", "ro")
	}
	if m == modeWrite {
		query.Set("_txlock", "immediate")
		query.Set("_defensive", "1")
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, unavailable("open "+path, err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// create makes an empty file that only its owner can read, if there is none,
// and puts its name on disk. SQLite gives its side files the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	_ = dir.Sync() // not every system can; without it a crash loses an empty file
	return nil
}
