package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
)

const (
	// followEvery is how often a process looks for a new trust root.
	followEvery = 500 * time.Millisecond
	// reloadEvery is how often it looks for new keys of its own besides.
	reloadEvery = 10 * time.Second
	// storeWait is how long the store may take to answer for that.
	storeWait = 2 * time.Second
	// maxTrust is the largest trust root, in bytes, that is read.
	maxTrust = evidence.MaxPayload
)

// A follower keeps the trust root of a process at the newest version that is
// in its file or in the evidence store. Neither is believed: versions are
// signed by root keys.
type follower struct {
	trust  *evidence.Trust
	path   string // "": only the store has new versions
	memory memory
	rings  []*evidence.Ring
	log    *zap.Logger

	mu     sync.Mutex      // guards what follows, while the file is read and a version is stored
	disk   *evidence.Trust // what the file said last; it never goes back, however far the store is ahead
	data   []byte          // of the file, when it was judged last
	wrong  error           // what is wrong with that
	amiss  error           // what is wrong with the store's memory
	loaded time.Time       // when the rings were loaded last

	cancel context.CancelFunc
	done   chan struct{}
}

// follower returns what follows the trust root of c.
func (c *Config) follower(st *store.Store) *follower {
	f := &follower{trust: c.Trust, path: c.TrustFile, memory: memory{st, c.Control != nil}, log: c.Log}
	if c.Control != nil {
		f.rings = append(f.rings, c.Control.Authorities, c.Control.Recorders)
	}
	if c.Steps != nil {
		f.rings = append(f.rings, c.Steps.Keys)
	}
	return f
}

// follow compares the trust root with what the store remembers, and with its
// file, and follows both until stop. It returns [ErrConfig] if this trust root
// must not be used.
func follow(ctx context.Context, f *follower) (*follower, error) {
	wrap := func(err error) error { return fmt.Errorf("%w: the trust root: %w", ErrConfig, err) }
	copied, err := sameTrust(f.trust)
	if err != nil {
		return nil, wrap(err)
	}
	f.disk = copied
	if err := f.memory.admit(ctx, f.trust); err != nil {
		return nil, wrap(err)
	}
	f.loaded = time.Now()
	if err := f.look(ctx); err != nil {
		return nil, wrap(err)
	}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.done = make(chan struct{})
	go f.run(ctx)
	return f, nil
}

// sameTrust returns another trust root of the same version.
func sameTrust(t *evidence.Trust) (*evidence.Trust, error) {
	e, err := t.Envelope()
	if err != nil {
		return nil, err
	}
	return evidence.OpenTrust(e)
}

// stop ends following. The store must still be open.
func (f *follower) stop() {
	f.cancel()
	<-f.done
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.recall(ctx)
			_ = f.look(ctx) // logged, and the probe says it
			f.reload()
		}
	}
}

// look reads the file, and moves to what it says. The error is why this
// process must not go on.
func (f *follower) look(ctx context.Context) error {
	if f.path == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := readTrust(f.path)
	if err != nil {
		return err
	}
	if bytes.Equal(data, f.data) && !errors.Is(f.wrong, store.ErrUnavailable) {
		return f.wrong
	}
	f.data = data
	if f.wrong = f.take(ctx, data); f.wrong != nil {
		f.log.Error("the trust root on disk is refused", zap.String("path", f.path), zap.Error(f.wrong))
	}
	return f.wrong
}

// take judges the content of the file. A version is remembered before it is
// used: one that nobody remembers could be taken back.
func (f *follower) take(ctx context.Context, data []byte) error {
	next, err := evidence.ParseTrust(data)
	if err != nil {
		return err
	}
	if err := f.disk.Advance(next); err != nil {
		return err
	}
	if next.Version() < f.trust.Version() {
		return nil // the store was ahead of this copy
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	if err := f.memory.admit(ctx, next); err != nil {
		return err
	}
	return f.move(next, f.path)
}

// move goes to another version, if it is one.
func (f *follower) move(next *evidence.Trust, from string) error {
	before := f.trust.Version()
	if err := f.trust.Advance(next); err != nil {
		return err
	}
	if f.trust.Version() != before {
		f.log.Info("the trust root moved", zap.Uint64("from", before), zap.Uint64("to", f.trust.Version()), zap.String("source", from))
		f.loaded = time.Time{}
	}
	return nil
}

// recall moves to the newest version that the store remembers, which another
// process may have put there. That the store does not answer is for others to
// find out.
func (f *follower) recall(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	newest, _, err := f.memory.newest(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case errors.Is(err, store.ErrUnavailable), ctx.Err() != nil:
		return
	case err == nil && newest != nil && newest.Version() > f.trust.Version():
		err = f.move(newest, "the evidence store")
	}
	if err != nil && f.amiss == nil {
		f.log.Error("the trust root in the evidence store is refused", zap.Error(err))
	}
	f.amiss = err
}

// reload loads the keys of this process again: when the trust root has moved,
// and now and then.
func (f *follower) reload() {
	f.mu.Lock()
	due := time.Since(f.loaded) >= reloadEvery
	if due {
		f.loaded = time.Now()
	}
	f.mu.Unlock()
	if !due {
		return
	}
	for _, ring := range f.rings {
		if ring == nil {
			continue
		}
		if err := ring.Reload(); err != nil {
			f.log.Error("keys not loaded again; those that are loaded stay", zap.Error(err))
		}
	}
}

// probe fails when the trust root on disk, or in the store, is not the one in
// force and may not follow it: somebody took it back, or replaced it.
func (f *follower) probe() activities.Probe {
	return activities.Probe{Name: "trust", Quick: true, Measure: func(ctx context.Context, _ activities.Pinned) (want, got string, err error) {
		wrong := f.look(ctx)
		f.mu.Lock()
		amiss := f.amiss
		f.mu.Unlock()
		want = fmt.Sprintf("version %d", f.trust.Version())
		switch {
		case errors.Is(wrong, evidence.ErrTrust):
			return want, "another file", nil
		case wrong != nil:
			return "", "", wrong
		case amiss != nil:
			return want, "another in the store", nil
		}
		return want, want, nil
	}}
}

func readTrust(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't open it: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTrust+1))
	if err != nil {
		return nil, fmt.Errorf("couldn't read it: %w", err)
	}
	if len(data) > maxTrust {
		return nil, fmt.Errorf("%w: larger than %d bytes", evidence.ErrTrust, maxTrust)
	}
	return data, nil
}

// A memory is the store's memory of the versions of the trust root.
type memory struct {
	store *store.Store
	keeps bool // this process puts new versions there: a control plane
}

// newest returns the newest version that the store remembers, or nil, and
// where the chain of versions ends.
func (m memory) newest(ctx context.Context) (*evidence.Trust, evidence.Position, error) {
	head, err := m.store.Head(ctx, store.Trust)
	if err != nil || head.Seq == 0 {
		return nil, head, err
	}
	records, err := m.store.Records(ctx, store.Trust, head.Seq-1)
	if err != nil {
		return nil, head, err
	}
	if len(records) != 1 {
		return nil, head, fmt.Errorf("%w: the chain of trust roots changes", store.ErrUnavailable)
	}
	t, err := evidence.OpenTrust(records[0].Envelope)
	if err != nil {
		return nil, head, fmt.Errorf("the evidence store remembers what is no trust root: %w", err)
	}
	return t, head, nil
}

// admit refuses a trust root that does not follow the newest one that the
// store remembers, and has the store remember it.
func (m memory) admit(ctx context.Context, t *evidence.Trust) error {
	if !defence.Stands(defence.TrustRemembered) {
		return nil
	}
	for {
		newest, head, err := m.newest(ctx)
		if err != nil {
			return err
		}
		known := false
		if newest != nil {
			known = newest.Version() == t.Version()
			if err := newest.Advance(t); err != nil {
				return fmt.Errorf("the evidence store remembers version %d, which this one cannot follow: %w", newest.Version(), err)
			}
		}
		if known || !m.keeps || t.Version() == 0 {
			return nil
		}
		e, err := t.Envelope()
		if err != nil {
			return err
		}
		if head.Seq == 0 {
			_, err = m.store.Begin(ctx, store.Trust, nil, e)
		} else {
			_, err = m.store.Append(ctx, store.Trust, head, e)
		}
		if !errors.Is(err, store.ErrConflict) { // else another control plane was faster
			return err
		}
	}
}
