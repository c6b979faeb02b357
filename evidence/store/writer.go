package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/interlock-run/interlock/evidence"
)

// maxBatch is how many ops share one commit at most.
const maxBatch = 128

// errBroken means that a transaction is not in the state that the writer
// thinks it is in; SQLite rolls back on its own when a disk is full or fails.
var errBroken = errors.New("the transaction was lost")

// A tx is what an op works with: the open transaction of the writer's batch.
// Its statements are not interrupted when the caller goes away.
type tx struct{ *prepared }

// A writer does all writing of a [Store], in one goroutine over one
// connection. Many ops share a commit, because the commit, with its fsync,
// takes longer than everything else together; nobody is answered before it.
type writer struct {
	db    *sql.DB
	queue *queue
	file  identity
	clock func() evidence.Time
	ended chan struct{} // closed when the goroutine has ended

	// Owned by the goroutine. conn is nil after a failure that leaves the
	// state of the transaction in doubt; closing it rolls back.
	conn *sql.Conn
	tx   *tx
}

func newWriter(db *sql.DB, file identity, clock func() evidence.Time) *writer {
	w := &writer{db: db, queue: newQueue(), file: file, clock: clock, ended: make(chan struct{})}
	go w.run()
	return w
}

// write runs do in a transaction and returns after its commit. If the error is
// not nil, nothing that do did is in the store, or, after a lost commit, all
// of it.
func (w *writer) write(ctx context.Context, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable("begin", err)
	}
	o := newOp(ctx, do)
	if !w.queue.push(o) {
		return unavailable("write", errClosed)
	}
	return o.wait()
}

// close runs what is queued and ends the writer.
func (w *writer) close() {
	w.queue.close()
	<-w.ended
}

func (w *writer) run() {
	defer close(w.ended)
	defer w.disconnect()
	for w.queue.next() {
		w.batch()
	}
}

// batch runs what is queued, and what comes while it does so, in one
// transaction, and then answers. Beginning comes before taking the first op:
// waiting for another process's lock is waiting, and a caller may leave. The
// time is kept last, when it is latest, and not at all for a batch that changes
// nothing: a refusal must not need a disk.
func (w *writer) batch() {
	err := w.begin()
	if err != nil {
		w.refuse(err)
		return
	}
	var ops []*op
	for len(ops) < maxBatch && err == nil {
		o := w.queue.pop()
		if o == nil {
			break
		}
		if !o.start() {
			o.done <- unavailable("wait for the store", context.Cause(o.ctx))
			continue
		}
		ops = append(ops, o)
		o.err, err = w.runOp(o)
	}
	if err == nil && slices.ContainsFunc(ops, succeeded) {
		err = call(func(t *tx) error { return t.stamp(w.clock()) }, w.tx)
	}
	if err == nil {
		_, err = w.tx.exec(context.Background(), sqlCommit)
	}
	if err != nil {
		w.disconnect()
	}
	answer(ops, unavailable("commit", err))
}

func succeeded(o *op) bool { return o.err == nil }

// answer gives each op its own error if the batch was committed. Otherwise all
// get the batch's, also those that failed by themselves: what made them fail
// may have been another op of the batch, and so not have happened.
func answer(ops []*op, err error) {
	for _, o := range ops {
		if err != nil {
			o.err = err
		}
		o.done <- o.err
	}
}

// refuse answers what is queued with err. It takes all ops before it answers
// one: who comes after an answer is owed another attempt.
func (w *writer) refuse(err error) {
	var ops []*op
	for len(ops) < maxBatch {
		o := w.queue.pop()
		if o == nil {
			break
		}
		ops = append(ops, o)
	}
	answer(ops, unavailable("begin", err))
}

// begin opens a transaction that holds the write lock, on a new connection if
// need be. A file that was replaced under the store is refused: writes to it
// would reach a disk where nobody looks.
func (w *writer) begin() error {
	if err := w.file.check(); err != nil {
		w.disconnect()
		return err
	}
	ctx := context.Background()
	if w.conn == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn, w.tx = conn, &tx{newPrepared(conn)}
	}
	_, err := w.tx.exec(ctx, sqlBegin)
	if err != nil {
		w.disconnect()
	}
	return err
}

// disconnect closes the connection for good, rather than giving it back to the
// pool with a transaction open. The rollback comes first: SQLite does not close
// a connection whose statements are not all closed, and its transaction would
// keep everyone out. If there is no transaction, it fails and does no harm.
func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	_, _ = w.conn.ExecContext(context.Background(), sqlRollback)
	w.tx.close()
	_ = w.conn.Raw(func(any) error { return errBadConn })
	_ = w.conn.Close()
	w.conn, w.tx = nil, nil
}

// runOp runs o inside a savepoint, so that its failure undoes its own work
// only. The second error is about the batch.
func (w *writer) runOp(o *op) (failed, broken error) {
	ctx := context.Background()
	if _, err := w.tx.exec(ctx, sqlSavepoint); err != nil {
		return nil, fmt.Errorf("%w: %v", errBroken, err)
	}
	failed = call(o.do, w.tx)
	if failed != nil {
		if _, err := w.tx.exec(ctx, sqlRollbackToOp); err != nil {
			return failed, fmt.Errorf("%w: %v, after: %w", errBroken, err, failed)
		}
	}
	if _, err := w.tx.exec(ctx, sqlRelease); err != nil {
		return failed, fmt.Errorf("%w: %v", errBroken, err)
	}
	return failed, nil
}

// call turns a panic into an error: the other callers' writes go on, and the
// one who asked hears of it.
func call(do func(*tx) error, t *tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", ErrUnavailable, r, debug.Stack())
		}
	}()
	return do(t)
}
