package store

import (
	"context"
	"sync"
	"sync/atomic"
)

// The states of an op. It leaves waiting exactly once.
const (
	waiting   int32 = iota
	running         // the writer has it; its caller waits to the end
	abandoned       // its caller has gone; the writer skips it
)

// An op is one write method's work, to be done by the writer.
type op struct {
	ctx   context.Context
	do    func(*tx) error // called at most once, on the writer's goroutine
	err   error           // what do returned; the writer's until done is sent
	state atomic.Int32
	done  chan error // buffered: the writer never waits for a caller
}

func newOp(ctx context.Context, do func(*tx) error) *op {
	return &op{ctx: ctx, do: do, done: make(chan error, 1)}
}

// start claims o for the writer. It is false if the caller has gone.
func (o *op) start() bool {
	return o.ctx.Err() == nil && o.state.CompareAndSwap(waiting, running)
}

// wait returns the writer's answer. If the context ends while o still waits,
// o will not be run.
func (o *op) wait() error {
	select {
	case err := <-o.done:
		return err
	case <-o.ctx.Done():
	}
	if o.state.CompareAndSwap(waiting, abandoned) {
		return unavailable("wait for the store", context.Cause(o.ctx))
	}
	return <-o.done
}

// A queue holds the ops that wait for the writer. It is not bounded: each op
// has a caller that waits for it, and those are bounded by the caller's own
// means.
type queue struct {
	wake chan struct{} // holds a token when there may be work, or an end to it

	mu     sync.Mutex
	ops    []*op
	closed bool
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push adds o, or reports that the queue is closed.
func (q *queue) push(o *op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.ops = append(q.ops, o)
	q.signal()
	return true
}

// pop returns the oldest op, or nil if there is none now.
func (q *queue) pop() *op {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ops) == 0 {
		return nil
	}
	o := q.ops[0]
	q.ops[0] = nil
	q.ops = q.ops[1:]
	return o
}

// next waits until there is an op, and is false once the queue is closed and
// empty. It does not take the op.
func (q *queue) next() bool {
	for {
		q.mu.Lock()
		some, closed := len(q.ops) > 0, q.closed
		q.mu.Unlock()
		if some || closed {
			return some
		}
		<-q.wake
	}
}

// close lets no more ops in. Those that are waiting are still run.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
