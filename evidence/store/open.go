package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
)

// Open opens a store for reading and writing. A target that begins with
// postgres:// or postgresql:// is the URL of a PostgreSQL database; anything
// else is the path of an SQLite file. Options: [WithClock], [For].
//
// A file is created, readable by its owner only, in a folder that must exist. A
// database must exist. The schema is brought up to date, which in a database
// takes a user that may do so: see [Prepare].
//
// What the URL does not say is taken from the environment, as PostgreSQL's own
// programs do: PGPASSFILE, PGPASSWORD, PGSERVICE and so on. No error shows a
// password. Over a network the URL must say which sslmode it wants;
// verify-full is right.
//
// Open returns [ErrVersion] for a newer schema, for one that this user may not
// bring up to date, and for what is no evidence store, and [ErrUnavailable] if
// the store cannot be written now, or would not put writes on disk.
func Open(ctx context.Context, target string, opts ...Option) (*Store, error) {
	open := openFile
	if isURL(target) {
		open = openServer
	}
	s, err := open(ctx, target, optionsOf(opts))
	if err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil {
		_ = s.Close()
		return nil, advise(target, err)
	}
	return s, nil
}

func openFile(ctx context.Context, path string, o options) (*Store, error) {
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
	s, err := start(ctx, path, o)
	return s, advise(path, err)
}

// OpenReadOnly opens a store for reading, over the same targets as [Open]. It
// never creates or writes anything; SQLite's side files (-wal, -shm), which the
// processes that have a store open share, it may create if nobody has it open.
// Methods that write return [ErrUnavailable].
//
// It returns [ErrVersion] for a schema that is not exactly the one that this
// program knows, and [ErrUnavailable] if the store cannot be read.
func OpenReadOnly(ctx context.Context, target string) (*Store, error) {
	if isURL(target) {
		return readServer(ctx, target)
	}
	path, err := filepath.Abs(target)
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
	return &Store{readDB: db, read: newPrepared(db, sqlite)}, nil
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
		writer: newWriter(sessionsOn(writeDB, file), o.clock), writeDB: writeDB, groups: o.groups, addSlot: sqlAddSlot,
		read: newPrepared(readDB, sqlite), readDB: readDB, anchor: anchor,
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

// advise says what to do if target could not be opened for writing.
func advise(target string, err error) error {
	switch {
	case !errors.Is(err, ErrUnavailable):
		return err
	case isURL(target):
		return fmt.Errorf("couldn't open %s for writing: %w", shown(target), err)
	}
	return fmt.Errorf("couldn't open %s for writing (this process must be able to write the file and its folder, "+
		"on a disk with room; to read only, open it read-only): %w", target, err)
}
