package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// checkVersion reports whether db has exactly the newest known schema.
func checkVersion(ctx context.Context, db *sql.DB, path string) error {
	have, err := versionOf(ctx, db, path)
	if err != nil {
		return err
	}
	if want := newest(sqliteFiles); have != want {
		return fmt.Errorf("%w: %s has schema %d, this program knows %d", ErrVersion, path, have, want)
	}
	return nil
}

// migrate brings the file at path to the newest schema. Another process may be
// doing the same: who comes second fails on what the first has made, or on its
// lock, and finds it done when it looks again. SQLite does not wait for a lock
// while it turns a new file to WAL, so waiting is done here too.
func migrate(ctx context.Context, path string) error {
	db, err := modeWrite.open(path, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	const pause = 25 * time.Millisecond
	failures := 0
	for began := time.Now(); ; {
		if err = migrateOnce(ctx, db, path); err == nil || errors.Is(err, ErrVersion) {
			return err
		}
		if failures++; !isBusy(err) && failures > 3 || time.Since(began) > busyTimeout*time.Millisecond {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return unavailable("migrate", context.Cause(ctx))
		}
	}
}

func migrateOnce(ctx context.Context, db *sql.DB, path string) error {
	have, err := versionOf(ctx, db, path)
	switch {
	case err != nil:
		return err
	case have > newest(sqliteFiles):
		return fmt.Errorf("%w: %s has schema %d, this program knows only up to %d: use a newer program",
			ErrVersion, path, have, newest(sqliteFiles))
	case have == newest(sqliteFiles):
		return nil
	}
	return unavailable("migrate", up(ctx, db))
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

// sqliteFiles are the migrations of SQLite.
var sqliteFiles = sub(migrations, "migrations")

// newest returns the schema version that migrations lead to.
func newest(files fs.FS) int64 {
	names, _ := fs.Glob(files, "*.sql") // the pattern is good
	version := int64(0)
	for _, f := range names {
		if n, err := goose.NumericComponent(f); err == nil {
			version = max(version, n)
		}
	}
	return version
}

func up(ctx context.Context, db *sql.DB) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, sqliteFiles,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
