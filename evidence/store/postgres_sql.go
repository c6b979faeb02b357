package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How PostgreSQL reads the statements: in the writer's transaction, and in the
// readers' pool, where another connection may do what a lost one did not.
var (
	writing = dialect{rewrite: forPostgres, opaque: bytesOf, limit: statementLimit + slack}
	reading = dialect{rewrite: forPostgres, opaque: bytesOf, limit: readLimit + slack, lost: lost}
)

// pgAddSlot is sqlAddSlot for a step worker: a slot is of no use to who could not
// say what became of it. It takes the rights and locks of all three tables.
const pgAddSlot = `WITH outcome AS (` + sqlTryOutcomes + `), attestation AS (` + sqlTryAttestations + `) ` + sqlAddSlot

func bytesOf(s opaque) any { return []byte(s) }

// forPostgres returns a statement of sql.go as PostgreSQL reads it: parameters
// are $1, and there is no hidden key in the order of insertion.
func forPostgres(query string) string {
	query = strings.ReplaceAll(query, "slots.rowid", "slots.id")
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		if query = after; after == "" || after[0] < '0' || after[0] > '9' {
			b.WriteString(strconv.Itoa(n)) // it does not say which itself
		}
	}
}

// codeOf is the SQLSTATE of err, or "".
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// isOf reports whether err wraps one of errs.
func isOf(err error, errs ...error) bool {
	for _, e := range errs {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lost reports whether err means that the connection is gone, as when the
// server was restarted or somebody ended the session. What was asked over it
// may have happened.
func lost(err error) bool {
	var never *pgconn.ConnectError // [patient] has tried often enough
	if err == nil || errors.As(err, &never) || isOf(err, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded) {
		return false
	}
	switch code := codeOf(err); code {
	case "57P01", "57P02", "57P03", "57P05", "25P03": // shut down, crashed, starting, idle for too long
		return true
	default:
		if code != "" {
			return strings.HasPrefix(code, "08")
		}
	}
	var netErr *net.OpError
	return errors.As(err, &netErr) || isOf(err, driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed)
}

// restarting reports whether err means that a server is not there at the
// moment, or has no room.
func restarting(err error) bool {
	return codeOf(err) == "57P03" || codeOf(err) == "53300" ||
		isOf(err, syscall.ECONNREFUSED, syscall.ECONNRESET, fs.ErrNotExist, io.EOF, io.ErrUnexpectedEOF)
}

// patience is how long a connection waits for a server that restarts. Callers
// do not: until a transaction is open each of them may leave.
const patience = 2 * time.Second

// patient connects also if the server is just being restarted.
type patient struct{ driver.Connector }

func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	for began := time.Now(); ; {
		conn, err := p.Connector.Connect(ctx)
		if err == nil || !restarting(err) || time.Since(began) > patience {
			return conn, err
		}
		select {
		case <-time.After(patience / 40):
		case <-ctx.Done():
			return nil, err
		}
	}
}
