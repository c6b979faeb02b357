package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/interlock-run/interlock/evidence"
)

// Take takes the right to cause the effect of (slot.Run, slot.Step), once for
// all runs of the chain and all processes, and returns the slot. slot.Outcome
// is ignored.
//
// If it was taken before, by whomever, Take returns the slot as it was taken,
// with its outcome if that is known, and [ErrTaken]. A second call returns that
// too: whoever is not sure that the first one answered must treat the effect
// as one that may have happened. A slot is on disk before Take returns nil, so
// before the effect; a crash between the two leaves a slot without an outcome.
// A run without a chain is [ErrNoRun], and so is one whose chain does not have
// exactly slot.Decision at slot.Place, and before it what the decision says: no
// effect without a record.
//
// If the chain of [Orders] has more than slot.Orders records, a slot that is
// not taken yet is [ErrOrders], and stays free. Once an order is stored nobody
// takes a slot who has not read it.
func (s *Store) Take(ctx context.Context, slot Slot) (Slot, error) {
	place, read := slot.Place, slot.Orders
	return s.take(ctx, slot, s.addSlot, func(now taking) error {
		chain := evidence.ChainAt(place)
		if chain.Append(slot.Decision) != now.link {
			return fmt.Errorf("%w: %s has no such decision at record %d", ErrNoRun, slot.Run, place.Seq)
		}
		return noneSince(read, now.orders)
	})
}

// Fence is Take for the recorder, which takes a slot so that nobody else can:
// it allows nothing, so that it needs no decision and no orders. Nobody may act
// on a slot that Fence has taken.
func (s *Store) Fence(ctx context.Context, slot Slot) (Slot, error) {
	return s.take(ctx, slot, sqlAddSlot, func(taking) error { return nil })
}

// take takes a slot that is free, with the statement add, if may does not say no.
func (s *Store) take(ctx context.Context, slot Slot, add string, may func(taking) error) (Slot, error) {
	place := slot.Place
	slot.Outcome, slot.Orders, slot.Place = nil, 0, evidence.Position{}
	got := slot
	err := s.write(ctx, func(t *tx) error {
		now, err := t.taking(slot.Run, slot.Step, place.Seq)
		switch {
		case err != nil:
			return err
		case now.slot != nil:
			got = *now.slot
			return fmt.Errorf("%w: %s, step %.60q, by %.60q at %s", ErrTaken, slot.Run, slot.Step, got.Worker, got.At)
		case !now.begun:
			return fmt.Errorf("%w: %s", ErrNoRun, slot.Run)
		}
		if err := may(now); err != nil {
			return err
		}
		return t.addSlot(add, now.id, slot)
	})
	return got, err
}

// Finish adds the outcome of (run, step) to its slot. It is added once: the
// same bytes again are fine, other bytes are [ErrConflict]. Without a slot it
// returns [ErrNoSlot].
func (s *Store) Finish(ctx context.Context, run Run, step string, outcome evidence.Envelope) error {
	c, err := columnsOf(outcome)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		id, err := t.chain(run)
		if err != nil {
			return err
		}
		switch found, err := t.slot(run, step); {
		case err != nil:
			return err
		case found == nil:
			return fmt.Errorf("%w: %s, step %.60q", ErrNoSlot, run, step)
		case found.Outcome == nil:
			return t.addOutcome(id, step, c)
		case !same(*found.Outcome, outcome):
			return fmt.Errorf("%w: another outcome of %s, step %.60q", ErrConflict, run, step)
		}
		return nil
	})
}

// Slots returns the slots of run's chain in the order in which they were taken;
// none if there are none. Their Run is run, whichever run of the chain took
// them.
func (s *Store) Slots(ctx context.Context, run Run) ([]Slot, error) {
	return s.read.slots(ctx, run, sqlSlots, run.Workflow, run.Run, run.Namespace)
}

// slot returns the slot of (run, step), or nil.
func (t *tx) slot(run Run, step string) (*Slot, error) {
	found, err := t.slots(context.Background(), run, sqlSlot, run.Workflow, run.Run, run.Namespace, step)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// A taking is what there is when somebody wants a slot.
type taking struct {
	id    int64 // of the chain
	begun bool  // the chain has a record
	// link is that of the record where the decision should be; zero if there is
	// none. A decision is stored before anyone can act on it, so a store without
	// it is not the one that it was written to, or an older state of that, and its
	// slots would guard nothing.
	link   evidence.Digest
	orders uint64
	slot   *Slot // nil: free
}

// taking refuses who may not write, as chain does. seq is where the decision
// should be.
func (t *tx) taking(run Run, step string, seq uint64) (now taking, err error) {
	err = t.scan(context.Background(), func(r *sql.Rows) error {
		var superseded, taken bool
		var link []byte
		slot, err := scanSlot(r, &now.id, &superseded, &now.begun, &link, &now.orders, &taken)
		if no := mayWrite(run, superseded); no != nil {
			return no
		}
		copy(now.link[:], link)
		if taken {
			slot.Run = run
			now.slot = &slot
		}
		return about(run, step, err)
	}, sqlTaking, int64(seq), Orders.Workflow, Orders.Run, Orders.Namespace, step, run.Workflow, run.Run, run.Namespace)
	return now, err
}

func (t *tx) addSlot(add string, id int64, slot Slot) error {
	return t.one("take a slot", add, id, slot.Step, slot.Decision[:], slot.Key, slot.Worker, int64(slot.At))
}

func (t *tx) addOutcome(id int64, step string, c columns) error {
	return t.one("add an outcome", sqlAddOutcome, id, step, c.payloadType, c.payload, c.signatures)
}

// slots reads rows of sqlSelectSlots, all of run.
func (p *prepared) slots(ctx context.Context, run Run, query string, args ...any) ([]Slot, error) {
	var slots []Slot
	err := p.scan(ctx, func(r *sql.Rows) error {
		slot, err := scanSlot(r)
		slot.Run = run
		slots = append(slots, slot)
		return about(run, slot.Step, err)
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return slots, nil
}

// about says which slot err is about.
func about(run Run, step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, step %.60q: %w", run, step, err)
}

// scanSlot reads a row that ends with a slot, and what comes before it. One that
// was not taken has no decision.
func scanSlot(r *sql.Rows, before ...any) (Slot, error) {
	var slot Slot
	var decision, payload []byte
	var millis int64
	var payloadType, signatures sql.NullString
	err := r.Scan(append(before, &slot.Step, &decision, &slot.Key, &slot.Worker, &millis, &payloadType, &payload, &signatures)...)
	if err != nil {
		return slot, unavailable("read", err)
	}
	if decision == nil && len(before) > 0 {
		return slot, nil
	}
	slot.At = evidence.Time(millis)
	if slot.Decision, err = digestOf(decision); err != nil || !signatures.Valid {
		return slot, err
	}
	outcome, err := columns{opaque(payloadType.String), payload, signatures.String}.envelope()
	slot.Outcome = &outcome
	return slot, err
}

// same reports whether a and b are the same bytes, signatures included.
func same(a, b evidence.Envelope) bool {
	return a.PayloadType == b.PayloadType && bytes.Equal(a.Payload, b.Payload) &&
		slices.EqualFunc(a.Signatures, b.Signatures, func(x, y evidence.Signature) bool {
			return x.KeyID == y.KeyID && bytes.Equal(x.Sig, y.Sig)
		})
}
