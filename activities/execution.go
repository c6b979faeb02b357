package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// errHead means that the store does not hold the records that the workflow
// knows: it was rolled back, edited, or is another store.
var errHead = errors.New("the store and the workflow disagree about the chain")

// maxCached bounds how many executions a control plane keeps in memory. What
// is dropped is read from the store again.
const maxCached = 4096

// An execution is what the control plane knows of one run. The store is the
// truth; this is a copy that saves reading and verifying it before each step.
// Any doubt (an error between adding and storing) throws the copy away.
type execution struct {
	lock    chan struct{} // holds one token while an activity holds the execution, and with it all below
	run     store.Run
	loaded  bool
	lineage evidence.Lineage
	chain   evidence.Chain
	links   []evidence.Digest   // link of each record
	envs    []evidence.Envelope // each record
	place   map[evidence.Digest]int
	stored  evidence.Position // up to where the store has the records
	renewed evidence.Lease    // newest lease read from the store
}

type cache struct {
	mu   sync.Mutex
	runs map[store.Run]*execution
}

func newCache() cache { return cache{runs: map[store.Run]*execution{}} }

// get returns the entry of a run, which the caller must lock.
func (c *cache) get(run store.Run) *execution {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.runs[run]
	if x == nil {
		if len(c.runs) >= maxCached {
			c.evict()
		}
		x = newExecution(run)
		c.runs[run] = x
	}
	return x
}

func newExecution(run store.Run) *execution {
	x := &execution{run: run, lock: make(chan struct{}, 1)}
	x.reset()
	return x
}

// evict drops some execution. One that is being worked on stays usable for
// whoever holds it; it is only not found again.
func (c *cache) evict() {
	for run := range c.runs {
		delete(c.runs, run)
		return
	}
}

func (c *cache) drop(run store.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.runs, run)
}

// A hold is an activity's exclusive use of an execution. It ends once, by
// release or abandon; after that the execution is another's.
type hold struct {
	*execution
	c     *Control
	fresh bool // it was read from the store under this hold
	over  bool
}

// open returns the execution of run, held by the caller alone, with everything
// that the store held when it was read last. The caller must defer letGo, and
// release or abandon it before that.
//
// It gives up when ctx ends: a store that hangs must not gather those who wait
// behind it.
func (c *Control) open(ctx context.Context, run store.Run) (*hold, error) {
	x := c.cache.get(run)
	defer pulsing(ctx)()
	select {
	case x.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: another activity works on the execution: %w", store.ErrUnavailable, context.Cause(ctx))
	}
	h := &hold{execution: x, c: c}
	if x.loaded {
		return h, nil
	}
	if err := h.read(ctx); err != nil {
		h.abandon()
		return nil, err
	}
	return h, nil
}

// read reads the execution from the store, whatever the copy says.
func (h *hold) read(ctx context.Context) error {
	h.fresh = true
	return h.c.read(ctx, h.execution)
}

// release gives the execution back, in agreement with the store.
func (h *hold) release() {
	h.over = true
	<-h.lock
}

// abandon forgets the copy, because it may differ from the store.
func (h *hold) abandon() {
	h.loaded = false
	h.reset()
	h.c.cache.drop(h.run)
	h.release()
}

// letGo abandons an execution that its holder did not get as far as giving
// back, as after a panic.
func (h *hold) letGo() {
	if !h.over {
		h.abandon()
	}
}

func (x *execution) reset() {
	x.lineage, x.chain, x.stored = evidence.Lineage{}, evidence.Chain{}, evidence.Position{}
	x.links, x.envs, x.place = nil, nil, map[evidence.Digest]int{}
	x.renewed = evidence.Lease{}
}

// read verifies what the store holds of a run, record by record: a store that
// someone edited is not believed. What was signed with keys that are
// compromised by now is read all the same, so that the execution can be ended;
// nobody goes on with it, see [compromised].
func (c *Control) read(ctx context.Context, x *execution) error {
	x.reset()
	var records []store.Record
	err := answering(ctx, func() (err error) {
		records, err = c.c.Store.Records(ctx, x.run, 0)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range records {
		rec, err := c.reopen(r.Envelope)
		if err != nil {
			return fmt.Errorf("%w: record %d: %w", errHead, r.Seq, err)
		}
		if err := x.add(rec); err != nil {
			return fmt.Errorf("%w: record %d: %w", errHead, r.Seq, err)
		}
	}
	x.stored = x.chain.Next()
	x.loaded = true
	return nil
}

// storePatience is how long an activity waits for the store. It is less than
// the time that the workflow gives an activity, so that a store that hangs is
// one that does not answer, and not one that nobody hears of.
const storePatience = 7 * time.Second

// answering calls do, which talks to the store, and returns its error, or
// [store.ErrUnavailable] if it takes too long. It may then still be done later:
// whoever tries again reads first what is stored.
func answering(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	defer pulsing(ctx)()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: it does not answer: %w", store.ErrUnavailable, context.Cause(ctx))
	}
}

// add appends a verified record to the copy, if it may stand there.
func (x *execution) add(r *evidence.Record) error {
	if err := x.lineage.Add(r); err != nil {
		return err
	}
	x.place[r.Digest] = len(x.envs)
	x.envs = append(x.envs, r.Envelope)
	x.links = append(x.links, x.chain.Append(r.Digest))
	return nil
}

// has reports whether a record is in the chain already.
func (x *execution) has(d evidence.Digest) bool { _, ok := x.place[d]; return ok }

// agrees reports whether the chain passes through head, or [errHead].
func (x *execution) agrees(head evidence.Position) error {
	var link evidence.Digest
	switch {
	case head.Seq > uint64(len(x.links)):
		return fmt.Errorf("%w: the store has %d records, the workflow %d", errHead, len(x.links), head.Seq)
	case head.Seq > 0:
		link = x.links[head.Seq-1]
	}
	if link != head.Prev {
		return fmt.Errorf("%w: after %d records the store is at %s, the workflow at %s", errHead, head.Seq, link.Short(), head.Prev.Short())
	}
	return nil
}

// commit stores the records that were added since the last commit. If it
// returns an error the copy must be abandoned.
func (c *Control) commit(ctx context.Context, x *execution, nonce *store.Nonce) error {
	fresh := x.envs[x.stored.Seq:]
	if len(fresh) == 0 {
		return nil
	}
	run, from := x.run, x.stored
	var at evidence.Position
	err := answering(ctx, func() (err error) {
		if from.Seq == 0 {
			at, err = c.c.Store.Begin(ctx, run, nonce, fresh...)
		} else {
			at, err = c.c.Store.Append(ctx, run, from, fresh...)
		}
		return err
	})
	if err != nil {
		return err
	}
	if at != x.chain.Next() {
		return fmt.Errorf("%w: the store put %d records at another place", errHead, len(fresh))
	}
	c.sight.back()
	x.stored = at
	return nil
}

// since returns the records after head. Those that the workflow handed in go
// back as digests only, to keep histories small.
func (x *execution) since(head evidence.Position, known []evidence.Envelope) []contract.Entry {
	// A digest does not cover the signature: what the workflow was handed may
	// have another one than the record that was believed.
	has := make(map[evidence.Digest]bool, len(known))
	for _, e := range known {
		d := e.Digest()
		i, in := x.place[d]
		before, seen := has[d]
		has[d] = in && (before || !seen) && sameSignatures(e, x.envs[i])
	}
	var entries []contract.Entry
	for i := head.Seq; i < uint64(len(x.envs)); i++ {
		e := contract.Entry{Digest: x.envs[i].Digest()}
		if !has[e.Digest] {
			e.Envelope = &x.envs[i]
		}
		entries = append(entries, e)
	}
	return entries
}

func sameSignatures(a, b evidence.Envelope) bool {
	return slices.EqualFunc(a.Signatures, b.Signatures, func(x, y evidence.Signature) bool {
		return x.KeyID == y.KeyID && bytes.Equal(x.Sig, y.Sig)
	})
}
