package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// TestPostgresVersions is TestVersions for a database.
func TestPostgresVersions(t *testing.T) {
	tests := []struct {
		name       string
		make       string // SQL on a migrated database
		want, only error  // of Open, of OpenReadOnly
	}{
		{"known", `SELECT 1`, nil, nil},
		{"newer", `INSERT INTO interlock.goose_db_version (version_id, is_applied) VALUES (99, true)`, store.ErrVersion, store.ErrVersion},
		{"something else", `DROP TABLE interlock.goose_db_version`, store.ErrVersion, store.ErrVersion},
		{"no version", `DELETE FROM interlock.goose_db_version WHERE version_id >= 1`, store.ErrVersion, store.ErrVersion},
		{"empty", `DROP SCHEMA interlock CASCADE`, nil, store.ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := tempDatabase(t)
			mustExec(t, rawServer(t, url), tt.make)
			s, err := store.OpenReadOnly(ctx, url)
			require.ErrorIs(t, err, tt.only)
			if err == nil {
				require.NoError(t, s.Close())
			}
			s, err = store.Open(ctx, url)
			require.ErrorIs(t, err, tt.want)
			if err == nil {
				newWorld(t, s).check(2)
				require.NoError(t, s.Close())
			}
		})
	}
}

func TestPostgresOpenReadOnly(t *testing.T) {
	url := tempDatabase(t)
	w := newWorld(t, openAt(t, url))
	r, err := store.OpenReadOnly(ctx, url)
	require.NoError(t, err)
	defer r.Close()
	reading := w
	reading.backend = r
	reading.check(2)
	for name, err := range writes(r) {
		require.ErrorIs(t, err, store.ErrUnavailable, name)
	}
	_, err = w.Append(ctx, w.a, w.head, envelope("x"))
	require.NoError(t, err)
	reading.check(3)
}

// TestPostgresEncoding: another encoding would not keep every text.
func TestPostgresEncoding(t *testing.T) {
	server := pgtest.Server(t)
	require.NoError(t, server.SQL(ctx, "postgres", `CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`))
	t.Cleanup(func() { require.NoError(t, server.DropDatabase(ctx, "latin")) })
	_, err := store.Open(ctx, server.URL(pgserver.Superuser, "latin"))
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "LATIN1")
}

// TestPostgresURLs has a row for each way to write a URL that cannot be used.
// Whatever is wrong, no message has the password in it, or a part of it.
func TestPostgresURLs(t *testing.T) {
	socket := "host=" + t.TempDir() // nobody listens there
	tests := []struct {
		name, url string
		want      string
	}{
		{"no server", "postgres://u:hunter2@/db?" + socket, "postgres:///db"},
		{"no server, by the other name", "postgresql://u:hunter2@/db?" + socket, "postgresql:///db"},
		{"no server, the password at the end", "postgres://u@/db?" + socket + "&password=hunter2", "postgres:///db"},
		{"no such port", "postgres://u:hunter2@localhost:99999/db", "postgres://localhost:99999/db"},
		{"no port", "postgres://u:hunter2@localhost:x/db", "cannot be read"},
		{"a slash in the password", "postgres://u:hunter2/x@localhost/db", "cannot be read"},
		{"a number and a slash in the password", "postgres://u:2/hunter2@localhost/db", "cannot be read"},
		{"a number and a # in the password", "postgres://u:2#hunter2@localhost/db", "cannot be read"},
		{"a number and a ? in the password", "postgres://u:2?hunter2@localhost/db", "cannot be read"},
		{"an @ in the password", "postgres://u:hunter2@hunter2@localhost:1/db", "cannot be read"},
		{"a % in the password", "postgres://u:hunter2%zz@localhost/db", "cannot be read"},
		{"a setting that is wrong", "postgres://u:hunter2@localhost:1/db?sslmode=maybe", "settings are wrong"},
		{"a setting that is wrong, without a password", "postgres://u@localhost:1/db?sslmode=maybe", "sslmode"},
		{"another machine", "postgres://u:hunter2@store.example/db", "sslmode=verify-full"},
		{"another machine, as the second one", "postgres://u:hunter2@localhost,store.example/db", "sslmode=verify-full"},
	}
	t.Setenv("PGSSLMODE", "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, open := range map[string]func() error{
				"open":    func() error { _, err := store.Open(ctx, tt.url); return err },
				"read":    func() error { _, err := store.OpenReadOnly(ctx, tt.url); return err },
				"prepare": func() error { return store.Prepare(ctx, tt.url) },
			} {
				err := open()
				require.ErrorIs(t, err, store.ErrUnavailable, name)
				require.ErrorContains(t, err, tt.want, name)
				require.NotContains(t, err.Error(), "hunter2", name)
			}
		})
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		require.False(t, strings.HasPrefix(e.Name(), "postgres:"), "a URL was taken for a path")
	}
}

// TestPostgresPasswordFile: the password is where PostgreSQL's own programs look
// for it.
func TestPostgresPasswordFile(t *testing.T) {
	target := tempDatabase(t)
	server := pgtest.Server(t)
	require.NoError(t, server.SQL(ctx, databaseOf(t, target), `DROP ROLE IF EXISTS `+pgserver.Asked+`; CREATE ROLE `+pgserver.Asked+` LOGIN SUPERUSER PASSWORD 'hunter2'`))
	asked := server.URL(pgserver.Asked, databaseOf(t, target))
	t.Setenv("PGPASSFILE", "none")
	t.Setenv("PGPASSWORD", "wrong")
	_, err := store.Open(ctx, asked)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotContains(t, err.Error(), "wrong:")

	file := filepath.Join(t.TempDir(), "pgpass")
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:"+pgserver.Asked+":hunter2\n"), 0o600))
	t.Setenv("PGPASSWORD", "")
	t.Setenv("PGPASSFILE", file)
	newWorld(t, openAt(t, asked)).check(2)
}
