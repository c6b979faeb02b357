package store

import (
	"context"
	"database/sql"

	"github.com/interlock-run/interlock/evidence"
)

// The words in which SQLite is told of transactions.
const (
	sqlBegin        = `BEGIN IMMEDIATE`
	sqlCommit       = `COMMIT`
	sqlRollback     = `ROLLBACK`
	sqlSavepoint    = `SAVEPOINT op`
	sqlRelease      = `RELEASE op`
	sqlRollbackToOp = `ROLLBACK TO op`
)

// A fileSession is a session over an SQLite file.
type fileSession struct {
	file identity
	conn *sql.Conn
	tx   *tx
}

// sessionsOn returns what opens sessions over file. A file that was replaced
// under the store is refused: writes to it would reach a disk where nobody
// looks.
func sessionsOn(db *sql.DB, file identity) func() (session, error) {
	return func() (session, error) {
		if err := file.check(); err != nil {
			return nil, err
		}
		conn, err := db.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		return &fileSession{file: file, conn: conn, tx: &tx{newPrepared(conn, sqlite)}}, nil
	}
}

func (s *fileSession) ops() *tx { return s.tx }

func (s *fileSession) begin() error {
	if err := s.file.check(); err != nil {
		return err
	}
	return s.exec(sqlBegin)
}

func (s *fileSession) enter() error { return s.exec(sqlSavepoint) }

func (s *fileSession) leave(failed bool) error {
	if failed {
		if err := s.exec(sqlRollbackToOp); err != nil {
			return err
		}
	}
	return s.exec(sqlRelease)
}

func (s *fileSession) commit(now *evidence.Time) error {
	if now != nil {
		if err := s.tx.stamp(*now); err != nil {
			return err
		}
	}
	return s.exec(sqlCommit)
}

// end closes the connection, rather than giving it back to the pool with a
// transaction open. The rollback comes first: SQLite does not close a
// connection whose statements are not all closed, and its transaction would
// keep everyone out. If there is no transaction, it fails and does no harm.
func (s *fileSession) end() {
	_, _ = s.conn.ExecContext(context.Background(), sqlRollback)
	s.tx.close()
	_ = s.conn.Raw(func(any) error { return errBadConn })
	_ = s.conn.Close()
}

func (s *fileSession) exec(query string) error {
	_, err := s.tx.exec(context.Background(), query)
	return err
}
