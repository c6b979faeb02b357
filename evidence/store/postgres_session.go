package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/interlock-run/interlock/evidence"
)

// The write lock: whoever writes holds it from the beginning of his transaction
// to its end, so that batches come one after the other, across the fleet, as
// SQLite's do across a machine. Every statement after it sees what the batch
// before it has committed. Its number is "interloc" in ASCII.
const writeLock int64 = 0x696e7465726c6f63

// pgBegin opens a batch in one round trip, and asks whether the server would put
// it on disk: whoever may change its settings can do so at any time.
var pgBegin = fmt.Sprintf(`BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE;
	SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')
		FROM pg_advisory_xact_lock(%d);
	SAVEPOINT op`, writeLock)

const (
	pgNext   = `RELEASE op; SAVEPOINT op`
	pgUndo   = `ROLLBACK TO op`
	pgStamp  = `UPDATE clock SET seen = %[1]d WHERE id = 1 AND seen < %[1]d;`
	pgCommit = `RELEASE op; %s COMMIT`
)

// errNotFlushed means that the server's settings lose commits.
var errNotFlushed = errors.New("the server would not put a commit on disk before it answers")

// A serverSession is a session over PostgreSQL. Transaction control goes round
// the database/sql package, which knows one statement a round trip and no
// command tags.
type serverSession struct {
	server *server
	conn   *sql.Conn
	tx     *tx
	fresh  bool // the savepoint stands, and nothing was done since
}

// sessions returns what opens sessions over db.
func (s *server) sessions(db *sql.DB) func() (session, error) {
	return func() (session, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience+connectLimit)
		defer cancel()
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		return &serverSession{server: s, conn: conn, tx: &tx{newPrepared(conn, writing)}}, nil
	}
}

func (s *serverSession) ops() *tx { return s.tx }

func (s *serverSession) begin() error {
	results, err := s.run(pgBegin)
	if err != nil {
		return err
	}
	s.fresh = true
	return flushes(results)
}

// flushes refuses the answer of a server that acknowledges what is not on disk.
func flushes(results []*pgconn.Result) error {
	if len(results) != 3 || len(results[1].Rows) != 1 {
		return errBroken
	}
	row := results[1].Rows[0]
	fsync, pages, commit := string(row[0]), string(row[1]), string(row[2])
	if fsync != "on" || pages != "on" || commit != "on" && commit != "remote_apply" {
		return fmt.Errorf("%w: fsync is %s, full_page_writes %s, synchronous_commit %s; all must be on", errNotFlushed, fsync, pages, commit)
	}
	return nil
}

func (s *serverSession) enter() error {
	if s.fresh {
		s.fresh = false
		return nil
	}
	_, err := s.run(pgNext)
	return err
}

// leave puts off the release of the savepoint to when the next one is set, or
// to the commit: it fails there too if the transaction is not what it was.
func (s *serverSession) leave(failed bool) error {
	if !failed {
		return nil
	}
	_, err := s.run(pgUndo)
	s.fresh = err == nil
	return err
}

// commit believes a COMMIT only if that is what the server says it has done: it
// answers ROLLBACK where a transaction had failed, and warns where there was
// none, or where it was told to wait no longer for a synchronous standby.
func (s *serverSession) commit(now *evidence.Time) error {
	stamp := ""
	if now != nil {
		stamp = fmt.Sprintf(pgStamp, int64(*now))
	}
	s.server.warned.Store(false)
	results, err := s.run(fmt.Sprintf(pgCommit, stamp))
	if err != nil {
		return err
	}
	if tag := results[len(results)-1].CommandTag.String(); tag != "COMMIT" || s.server.warned.Load() {
		return fmt.Errorf("%w: the server answered %s, with a warning: %t", errBroken, tag, s.server.warned.Load())
	}
	return nil
}

// end hangs up. The server then rolls back what is open.
func (s *serverSession) end() {
	_ = s.conn.Raw(func(c any) error {
		ctx, cancel := context.WithTimeout(context.Background(), slack/4)
		defer cancel()
		_ = c.(*stdlib.Conn).Conn().PgConn().Close(ctx)
		return errBadConn
	})
	_ = s.conn.Close()
}

// run sends statements, all in one round trip, and waits for their answers. An
// error over a connection that is closed by then, and not because the server kept
// us waiting, is [errLost], whatever the system called it.
func (s *serverSession) run(statements string) (results []*pgconn.Result, err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), statementLimit+slack, errSilent)
	defer cancel()
	closed := true // also if there is no connection to be had
	err = s.conn.Raw(func(c any) error {
		conn := c.(*stdlib.Conn).Conn().PgConn()
		var err error
		results, err = conn.Exec(ctx, statements).ReadAll()
		closed = conn.IsClosed()
		return err
	})
	switch {
	case err == nil && len(results) == 0:
		err = errBroken
	case err != nil && ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	case err != nil && closed:
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return results, err
}
