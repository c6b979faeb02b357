package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// databaseOf is the name of the database in a URL of pgtest.
func databaseOf(t testing.TB, target string) string {
	u, err := url.Parse(target)
	require.NoError(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

// hangUp ends every session of a database but the one that asks.
const hangUp = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

// TestPostgresSessionsEnded: an administrator ends every session while nobody
// uses it. Nobody notices.
func TestPostgresSessionsEnded(t *testing.T) {
	url := tempDatabase(t)
	w := newWorld(t, openAt(t, url))
	admin := rawServer(t, url)
	for range 3 {
		mustExec(t, admin, hangUp)
		w.check(2)
		mustExec(t, admin, hangUp)
		require.NoError(t, w.Ping(ctx))
	}
}

// TestPostgresKilled kills every process of a server in the middle of writing
// and starts it again, several times. Each append that was acknowledged is
// there; one that was refused is there whole or not at all; the store goes on by
// itself.
func TestPostgresKilled(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	s := openAt(t, server.URL(pgserver.Superuser, "postgres"))
	const chains = 8
	var acknowledged, refused atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for i := range chains {
		wg.Go(func() {
			run := runOf(fmt.Sprint(i))
			var head evidence.Position
			for !done.Load() {
				next, err := s.Append(ctx, run, head, envelope("first"), envelope("second"))
				switch {
				case err == nil:
					acknowledged.Add(1)
					head = next
				case errors.Is(err, store.ErrUnavailable):
					refused.Add(1)
					if at, err := s.Head(ctx, run); err == nil {
						if at != head && at.Seq != head.Seq+2 {
							t.Errorf("chain %d was at %d, and is at %d", i, head.Seq, at.Seq)
							return
						}
						head = at // the answer got lost
					}
				case errors.Is(err, store.ErrConflict) && refused.Load() > 0: // its head could not be read then
					at, err := s.Head(ctx, run)
					if err == nil && at.Seq != head.Seq+2 {
						t.Errorf("chain %d was at %d, and is at %d", i, head.Seq, at.Seq)
						return
					}
					if err == nil {
						head = at
					}
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range int64(3) {
		for acknowledged.Load() < (round+1)*100 && !t.Failed() {
			_ = s.Ping(ctx) // it may fail
		}
		require.NoError(t, server.Kill())
		require.NoError(t, server.Start(ctx))
		before := acknowledged.Load()
		for acknowledged.Load() < before+50 && !t.Failed() {
			_ = s.Ping(ctx)
		}
	}
	done.Store(true)
	wg.Wait()
	for i := range chains {
		run := runOf(fmt.Sprint(i))
		head, err := s.Head(ctx, run)
		require.NoError(t, err)
		require.Zero(t, head.Seq%2, "half of an append")
		checkChain(t, s, run, int(head.Seq))
	}
}

// TestPostgresAway: a server that is not there refuses, and does not hang; a
// caller who does not want to wait for it leaves.
func TestPostgresAway(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	target := server.URL(pgserver.Superuser, "postgres")
	w := newWorld(t, openAt(t, target))
	require.NoError(t, server.Kill())
	require.ErrorIs(t, w.Ping(ctx), store.ErrUnavailable)
	_, err := w.Head(ctx, w.a)
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = store.Open(ctx, target)
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = store.OpenReadOnly(ctx, target)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NoError(t, server.Start(ctx))
	w.check(2)
	require.NoError(t, w.Ping(ctx))
}

// TestPostgresRestartedWhileIdle: who asks for nothing while a server is killed
// and started again notices nothing.
func TestPostgresRestartedWhileIdle(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	w := newWorld(t, openAt(t, server.URL(pgserver.Superuser, "postgres")))
	for range 2 {
		require.NoError(t, server.Kill())
		require.NoError(t, server.Start(ctx))
		require.NoError(t, w.Ping(ctx))
		w.check(2)
	}
}

// TestT07PostgresReplaced puts another database in the place of the one that is
// open: an older copy, in which what was taken since is free.
func TestT07PostgresReplaced(t *testing.T) {
	target := tempDatabase(t)
	name, server := databaseOf(t, target), pgtest.Server(t)
	w := newWorld(t, openAt(t, target))
	instead := func(statements ...string) {
		for _, s := range append([]string{`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + name + `'`}, statements...) {
			require.NoError(t, server.SQL(ctx, "postgres", s))
		}
	}
	instead(`ALTER DATABASE `+name+` RENAME TO `+name+`_old`, `CREATE DATABASE `+name+` TEMPLATE `+name+`_old`)
	for name, err := range writes(w) {
		require.ErrorIs(t, err, store.ErrUnavailable, name)
	}
	require.ErrorContains(t, w.Ping(ctx), "another database")
	_, err := w.Slots(ctx, w.a)
	require.ErrorIs(t, err, store.ErrUnavailable)
	instead(`DROP DATABASE `+name+` WITH (FORCE)`, `ALTER DATABASE `+name+`_old RENAME TO `+name)
	require.NoError(t, w.Ping(ctx), "it is back")
	w.check(2)
}

// TestPostgresMustFlush has a row for each setting of a server that
// acknowledges what is not on disk: it is refused when the store is opened, and
// also when the setting changes afterwards.
func TestPostgresMustFlush(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	target := server.URL(pgserver.Superuser, "postgres")
	w := newWorld(t, openAt(t, target))
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		for _, value := range []string{"off", "local"} {
			if value == "local" && setting != "synchronous_commit" {
				continue
			}
			t.Run(setting+" "+value, func(t *testing.T) {
				change := func(statement string) {
					db := rawServer(t, target)
					mustExec(t, db, statement, `SELECT pg_reload_conf()`)
					waitUntil(t, func() bool {
						var now string
						require.NoError(t, rawServer(t, target).QueryRow("SHOW "+setting).Scan(&now))
						return (now == "on") == strings.Contains(statement, "RESET")
					})
				}
				change(`ALTER SYSTEM SET ` + setting + ` = ` + value)
				_, err := store.Open(ctx, target)
				require.ErrorIs(t, err, store.ErrUnavailable)
				require.ErrorContains(t, err, setting+" ")
				require.ErrorContains(t, err, value)
				waitUntil(t, func() bool { return errors.Is(w.Ping(ctx), store.ErrUnavailable) })
				change(`ALTER SYSTEM RESET ` + setting)
				waitUntil(t, func() bool { return w.Ping(ctx) == nil })
			})
		}
	}
	w.check(2)
}

// TestPostgresStandbyThatIsNotThere: the server waits for a standby, and an
// administrator tells it not to. It has committed, and says so, with a warning;
// that is no success.
func TestPostgresStandbyThatIsNotThere(t *testing.T) {
	server := pgtest.Own(t, pgserver.Memory())
	target := server.URL(pgserver.Superuser, "postgres")
	w := newWorld(t, openAt(t, target))
	admin := rawServer(t, target)
	mustExec(t, admin, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`, `SELECT pg_reload_conf()`)
	answered := make(chan error, 1)
	waitUntil(t, func() bool { // the server has read its settings
		go func() { answered <- w.Ping(ctx) }()
		for {
			select {
			case err := <-answered:
				return err != nil
			default:
				mustExec(t, admin, `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
			}
		}
	})
	mustExec(t, admin, `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`)
	waitUntil(t, func() bool { return w.Ping(ctx) == nil })
	w.check(2)
}

func waitUntil(t *testing.T, holds func() bool) {
	t.Helper()
	for !holds() {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
}
