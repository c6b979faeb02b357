package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/interlock-run/interlock/evidence"
)

// maxBatch is how many ops share one commit at most.
const maxBatch = 128

// errBroken means that a transaction is not in the state that the writer
// thinks it is in; SQLite rolls back on its own when a disk is full or fails,
// PostgreSQL when it ends a session.
var errBroken = errors.New("the transaction was lost")

// A tx is what an op works with: the open transaction of the writer's batch.
// Its statements are not interrupted when the caller goes away.
type tx struct{ *prepared }

// A session is a connection of a writer, and how it divides and ends the
// transaction in which ops run.
type session interface {
	ops() *tx
	// begin opens a transaction that holds the write lock. [errLost] means that
	// there is no connection any more, and nothing was begun.
	begin() error
	// enter is called before an op. What the op does can be undone by leave,
	// which says whether it failed. An error of either is about the batch.
	enter() error
	leave(failed bool) error
	// commit keeps now, unless it is nil, and what the ops did. It returns nil
	// only if that is on disk.
	commit(now *evidence.Time) error
	// end closes the connection for good, and with it a transaction that is
	// open.
	end()
}

// errLost means that a connection that was good once is gone.
var errLost = errors.New("the connection was lost")

// A writer does all writing of a [Store], in one goroutine over one
// connection. Many ops share a commit, because the commit, with its fsync,
// takes longer than everything else together; nobody is answered before it.
type writer struct {
	connect func() (session, error)
	queue   *queue
	clock   func() evidence.Time
	ended   chan struct{} // closed when the goroutine has ended

	// session is owned by the goroutine. It is nil after a failure that leaves
	// the state of the transaction in doubt; ending it rolls back.
	session session
}

func newWriter(connect func() (session, error), clock func() evidence.Time) *writer {
	w := &writer{connect: connect, queue: newQueue(), clock: clock, ended: make(chan struct{})}
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
	if err == nil {
		err = w.commit(slices.ContainsFunc(ops, succeeded))
	}
	if err != nil {
		w.disconnect()
	}
	answer(ops, unavailable("commit", err))
}

// commit ends the transaction, with the time if it changed anything.
func (w *writer) commit(changed bool) error {
	if !changed {
		return w.session.commit(nil)
	}
	var now evidence.Time
	if err := call(func(*tx) error { now = w.clock(); return nil }, nil); err != nil {
		return err
	}
	return w.session.commit(&now)
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
// need be. One that was lost while nobody used it is replaced at once: nothing
// was asked of it yet.
func (w *writer) begin() error {
	for used := w.session != nil; ; used = false {
		if w.session == nil {
			s, err := w.connect()
			if err != nil {
				return err
			}
			w.session = s
		}
		err := w.session.begin()
		if err != nil {
			w.disconnect()
		}
		if !used || !errors.Is(err, errLost) {
			return err
		}
	}
}

// disconnect ends the session for good, rather than keeping one whose
// transaction may be open.
func (w *writer) disconnect() {
	if w.session != nil {
		w.session.end()
		w.session = nil
	}
}

// runOp runs o so that its failure undoes its own work only. The second error
// is about the batch.
func (w *writer) runOp(o *op) (failed, broken error) {
	if err := w.session.enter(); err != nil {
		return nil, fmt.Errorf("%w: %v", errBroken, err)
	}
	failed = call(o.do, w.session.ops())
	if err := w.session.leave(failed != nil); err != nil {
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
