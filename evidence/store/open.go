package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
)

// Open opens the store at path for reading and writing. It creates the file,
// readable by its owner only, in a folder that must exist, and brings its
// schema up to date. Options: [WithClock].
//
// It returns [ErrVersion] for a file of a newer schema, or of another kind,
// and [ErrUnavailable] if the store cannot be written now.
func Open(ctx context.Context, path string, opts ...Option) (*Store, error) {
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
	s, err := start(ctx, path, optionsOf(opts))
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
func start(ctx context.Context, path string, o options) (*Store, error) {
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
		writer: newWriter(writeDB, file, o.clock), writeDB: writeDB,
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
