package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

// Open opens the store at path for reading and writing. It creates the file,
// readable by its owner only, in a folder that must exist, and brings its
// schema up to date.
//
// It returns [ErrVersion] for a file of a newer schema, or of another kind,
// and [ErrUnavailable] if the store cannot be written now.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, unavailable("find "+path, err)
	}
	if err := create(path); err != nil {
		return nil, advise(path, unavailable("create it", err))
	}
	if err := migrate(ctx, path); err != nil {
		return nil, advise(path, err)
	}
	s, err := start(ctx, path)
	if err != nil {
		return nil, advise(path, err)
	}
	if err := s.Ping(ctx); err != nil {
		_ = s.Close()
		return nil, advise(path, err)
	}
	return s, nil
}

// OpenReadOnly opens the store at path for reading. It never creates or writes
// the file; SQLite's side files (-wal, -shm), which the processes that have a
// store open share, it may create if nobody has it open. Methods that write
// return [ErrUnavailable].
//
// It returns [ErrVersion] for a file whose schema is not exactly the one that
// this program knows, and [ErrUnavailable] if it cannot be read.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, unavailable("find "+path, err)
	}
	db, err := modeOnly.open(path, readers)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(ctx, db, path); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &Store{readDB: db, read: newPrepared(db)}, nil
}

// start returns a store over the migrated file at path.
func start(ctx context.Context, path string) (*Store, error) {
	file, err := identityOf(path)
	if err != nil {
		return nil, unavailable("find it", err)
	}
	writeDB, err := modeWrite.open(path, 1)
	if err != nil {
		return nil, err
	}
	readDB, err := modeRead.open(path, readers+1)
	if err != nil {
		return nil, errors.Join(err, writeDB.Close())
	}
	anchor, err := anchorOn(ctx, readDB)
	if err != nil {
		return nil, errors.Join(unavailable("read it", err), writeDB.Close(), readDB.Close())
	}
	return &Store{
		writer: newWriter(writeDB, file), writeDB: writeDB,
		read: newPrepared(readDB), readDB: readDB, anchor: anchor,
	}, nil
}

// anchorOn returns a connection that has read, so that it has the side files
// open.
func anchorOn(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var version int64
	if err := conn.QueryRowContext(ctx, sqlVersion).Scan(&version); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// advise says what to do if path could not be opened for writing.
func advise(path string, err error) error {
	if !errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("couldn't open %s for writing (this process must be able to write the file and its folder, "+
		"on a disk with room; to read only, open it read-only): %w", path, err)
}

// checkVersion reports whether db has exactly the newest known schema.
func checkVersion(ctx context.Context, db *sql.DB, path string) error {
	have, err := versionOf(ctx, db, path)
	if err != nil {
		return err
	}
	if want := newest(); have != want {
		return fmt.Errorf("%w: %s has schema %d, this program knows %d", ErrVersion, path, have, want)
	}
	return nil
}

// migrate brings the file at path to the newest schema. Another process may be
// doing the same: who comes second fails on what the first has made, and finds
// it done when it looks again.
func migrate(ctx context.Context, path string) error {
	db, err := modeWrite.open(path, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	const attempts = 5
	for range attempts {
		var have int64
		if have, err = versionOf(ctx, db, path); err != nil {
			return err
		}
		if have > newest() {
			return fmt.Errorf("%w: %s has schema %d, this program knows only up to %d: use a newer program",
				ErrVersion, path, have, newest())
		}
		if have == newest() {
			return nil
		}
		if err = up(ctx, db); err == nil {
			return nil
		}
	}
	return unavailable("migrate", err)
}

// versionOf returns the schema version of db, 0 for an empty file.
func versionOf(ctx context.Context, db *sql.DB, path string) (version int64, err error) {
	var tables, versions int
	if err := db.QueryRowContext(ctx, sqlTables).Scan(&tables, &versions); err != nil {
		return 0, unavailable("read its schema version", err)
	}
	if versions == 0 && tables > 0 {
		return 0, fmt.Errorf("%w: %s is a database of something else", ErrVersion, path)
	}
	if versions == 0 {
		return 0, nil
	}
	err = db.QueryRowContext(ctx, sqlVersion).Scan(&version)
	return version, unavailable("read its schema version", err)
}

// newest returns the schema version that the embedded migrations lead to.
func newest() int64 {
	files, _ := fs.Glob(migrations, "migrations/*.sql") // the pattern is good
	version := int64(0)
	for _, f := range files {
		if n, err := goose.NumericComponent(f); err == nil {
			version = max(version, n)
		}
	}
	return version
}

func up(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
