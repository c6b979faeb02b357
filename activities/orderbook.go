package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// followEvery is how often a process looks for new orders while something
// waits for them. A look is one read of one row.
const followEvery = 50 * time.Millisecond

// orderSource is the part of the evidence store that orders are read from.
type orderSource interface {
	Records(context.Context, store.Run, uint64) ([]store.Record, error)
	Head(context.Context, store.Run) (evidence.Position, error)
}

// An orderBook is what a process knows of the chain of orders. The store is
// not believed: an order without a revoker's signature counts for nothing, and
// a chain that goes back is a store that was rolled back. It is safe for
// concurrent use.
type orderBook struct {
	source orderSource
	trust  *evidence.Trust
	log    *zap.Logger

	// The runner's: the chain so far, and the version of the trust root by which
	// its orders were believed or not.
	chain   evidence.Chain
	version uint64

	mu      sync.Mutex // held for moments
	orders  evidence.Orders
	given   []givenStop   // every stop that is believed, undone or not
	changed chan struct{} // closed when an order was read, and replaced
	next    *look         // that has not begun, and that whoever asks now waits for
	running bool          // a goroutine looks

	following int // how many wait for orders
	stop      context.CancelFunc
}

// A look is one reading of the store, for everyone who asked before it began.
type look struct {
	done chan struct{} // closed when the rest is there
	standing
	err error
}

func newOrderBook(source orderSource, trust *evidence.Trust, log *zap.Logger) *orderBook {
	return &orderBook{source: source, trust: trust, log: log, changed: make(chan struct{})}
}

// A standing is the orders as they stood at one look.
type standing struct {
	head    evidence.Position
	version uint64             // of the trust root by which they were believed or not
	stops   []*evidence.Record // in force, the oldest first
	given   []givenStop
}

// A givenStop is an order to stop, and its place in the chain of orders.
type givenStop struct {
	seq   uint64
	order *evidence.Record
}

// stopping returns the first order that stops something which concerns knows,
// and which began when since orders were known; nil if none does. An order that
// was given later stops it also if it was undone since: a restoration is for
// what begins after it, whoever looks late.
func (s standing) stopping(since uint64, concerns func(*evidence.Order) bool) *evidence.Record {
	about := func(r *evidence.Record) bool { return concerns(r.Predicate.(*evidence.Order)) }
	if i := slices.IndexFunc(s.stops, about); i >= 0 {
		return s.stops[i]
	}
	i := slices.IndexFunc(s.given, func(g givenStop) bool { return g.seq >= since && about(g.order) })
	if i < 0 {
		return nil
	}
	return s.given[i].order
}

// read returns how the orders stand in the store now: no earlier than when it
// was called.
func (b *orderBook) read(ctx context.Context) (standing, error) {
	b.mu.Lock()
	if b.next == nil {
		b.next = &look{done: make(chan struct{})}
	}
	mine := b.next
	if !b.running {
		b.running = true
		go b.run()
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	select {
	case <-mine.done:
		return mine.standing, mine.err
	case <-ctx.Done():
		return standing{}, fmt.Errorf("%w: it does not answer: %w", store.ErrUnavailable, context.Cause(ctx))
	}
}

// run looks for as long as somebody asks.
func (b *orderBook) run() {
	for {
		b.mu.Lock()
		l := b.next
		if b.next = nil; l == nil {
			b.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), storePatience)
		l.standing, l.err = b.look(ctx)
		cancel()
		close(l.done)
	}
}

func (b *orderBook) look(ctx context.Context) (standing, error) {
	head, err := b.source.Head(ctx, store.Orders)
	if err != nil {
		return standing{}, err
	}
	known, version := b.chain.Next(), b.trust.Version()
	switch {
	case head == known && version == b.version:
	case head.Seq < known.Seq || head.Seq == known.Seq && head != known:
		return standing{}, fmt.Errorf("%w: there were %d orders, now there are %d, or others", errHead, known.Seq, head.Seq)
	case version != b.version: // who is believed may have changed
		err = b.readAnew(ctx, known, version)
	default:
		err = b.readOn(ctx)
	}
	if err != nil {
		return standing{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stand(), nil
}

// stand returns the orders as they are known. mu is held.
func (b *orderBook) stand() standing {
	return standing{head: b.chain.Next(), version: b.version, stops: b.orders.Stops(), given: b.given[:len(b.given):len(b.given)]}
}

// readOn reads the orders after the known ones.
func (b *orderBook) readOn(ctx context.Context) error {
	fresh, chain, err := b.after(ctx, b.chain)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chain = chain
	b.add(fresh)
	return nil
}

// readAnew reads all orders, under another version of the trust root.
func (b *orderBook) readAnew(ctx context.Context, known evidence.Position, version uint64) error {
	all, chain, err := b.after(ctx, evidence.Chain{})
	switch {
	case err != nil:
		return err
	case known.Seq > 0 && (uint64(len(all)) < known.Seq || all[known.Seq-1].Link != known.Prev):
		return fmt.Errorf("%w: the orders are not those that were read before", errHead)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chain, b.version, b.orders, b.given = chain, version, evidence.Orders{}, nil
	b.add(all)
	return nil
}

// after returns the orders that follow chain in the store, and the chain with
// them.
func (b *orderBook) after(ctx context.Context, chain evidence.Chain) ([]store.Record, evidence.Chain, error) {
	fresh, err := b.source.Records(ctx, store.Orders, chain.Next().Seq)
	if err != nil {
		return nil, chain, err
	}
	for _, r := range fresh {
		if chain.Append(r.Envelope.Digest()) != r.Link {
			return nil, chain, fmt.Errorf("%w: order %d does not follow those before it", errHead, r.Seq)
		}
	}
	return fresh, chain, nil
}

// add takes in orders, and wakes those who wait for some. mu is held.
func (b *orderBook) add(fresh []store.Record) {
	for _, r := range fresh {
		b.take(r)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// take adds an order that can be believed. One that cannot changes nothing.
func (b *orderBook) take(r store.Record) {
	rec, err := believedOrder(b.trust, r.Envelope)
	if err == nil {
		err = b.orders.Add(rec)
	}
	if err != nil {
		b.log.Error("an order in the store is not believed", zap.Uint64("order", r.Seq), zap.Error(err))
		return
	}
	if rec.Predicate.(*evidence.Order).Does == evidence.Stop {
		b.given = append(b.given, givenStop{r.Seq, rec})
	}
}

// believedOrder opens an order that is in the store. One that stops stands even
// if its revoker's key was marked as compromised since: who marks a key must not
// lift what it stopped. One that restores does not.
func believedOrder(trust *evidence.Trust, e evidence.Envelope) (*evidence.Record, error) {
	rec, err := trust.Reopen(e)
	if err != nil {
		return nil, err
	}
	o, ok := rec.Predicate.(*evidence.Order)
	if !ok || o.Audience != trust.Domain() {
		return nil, fmt.Errorf("%w: it is no order, or meant for another trust domain", evidence.ErrOrder)
	}
	if k, marked := trust.Compromised(e); marked && o.Does != evidence.Stop {
		return nil, fmt.Errorf("%w: key %s (%s), which signed it, is compromised", evidence.ErrOrder, k.ID, k.Name)
	}
	return rec, nil
}

// follow makes sure that the book is read again and again until done is
// called, and returns a function that returns how the orders stand, as far as
// is known, and a channel that is closed when that has changed.
func (b *orderBook) follow() (news func() (standing, <-chan struct{}), done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.following++; b.following == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		b.stop = cancel
		go b.keepReading(ctx)
	}
	return b.news, b.unfollow
}

func (b *orderBook) news() (standing, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stand(), b.changed
}

// has reports whether an order with the given record digest was read.
func (b *orderBook) has(d evidence.Digest) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.orders.Has(d)
}

func (b *orderBook) unfollow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.following--; b.following == 0 {
		b.stop()
	}
}

// keepReading ends with its context. What cannot be read is read the next
// time; whoever acts on an order reads the store before it lets anything begin.
func (b *orderBook) keepReading(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = b.read(ctx)
		}
	}
}

// causeOf is the failed check that an order is.
func causeOf(r *evidence.Record) (check, reason string) {
	o := r.Predicate.(*evidence.Order)
	return o.Check(), clip(fmt.Sprintf("%s stopped %s: %s (order %s)", o.Revoker, o.Scope, o.Reason, r.Digest.Short()))
}

// An orderedError is the cause of the context of a step that an order stopped.
type orderedError struct{ check string }

func newOrdered(order *evidence.Record) *orderedError {
	check, _ := causeOf(order) // the reason is for people; an outcome has none
	return &orderedError{check}
}

// Error says that an order stopped the step.
func (e *orderedError) Error() string { return "an order stopped the step: " + e.check }

// orderedCheck returns the check of an order that ended a step, or "".
func orderedCheck(why error) string {
	var o *orderedError
	if errors.As(why, &o) {
		return o.check
	}
	return ""
}

// concerns reports whether an order stops a step that was decided like this.
// The guard sees one step and the keys it knows; the control plane, which sees
// all of the execution, stops what is stopped for other reasons.
func (s *Steps) concerns(d *evidence.Decision, signed []evidence.Signature) func(*evidence.Order) bool {
	return func(o *evidence.Order) bool {
		switch o.Scope.Kind {
		case evidence.ScopeExecution:
			return d.Binding.Workflow == o.Scope.Value
		case evidence.ScopePrincipal:
			return d.Principal == o.Scope.Value || s.heldBy(d.Principal, o.Scope.Value)
		case evidence.ScopePolicy:
			return d.Policy.Name == o.Scope.Value
		case evidence.ScopeAction:
			return d.Action == o.Scope.Value
		case evidence.ScopeKey:
			by := func(s evidence.Signature) bool { return s.KeyID == o.Scope.Value }
			return slices.ContainsFunc(signed, by) || s.keyOf(d.Principal, o.Scope.Value)
		}
		return true
	}
}

// heldBy reports whether a person holds one of a principal's keys.
func (s *Steps) heldBy(principal, person string) bool {
	return slices.ContainsFunc(s.c.Trust.Keys(), func(k evidence.Key) bool {
		return k.Role == evidence.RolePrincipal && k.Name == principal && k.Holder() == person
	})
}

// keyOf reports whether a key is one of a principal's.
func (s *Steps) keyOf(principal, id string) bool {
	return slices.ContainsFunc(s.c.Trust.Keys(), func(k evidence.Key) bool {
		return k.ID == id && k.Role == evidence.RolePrincipal && k.Name == principal
	})
}
