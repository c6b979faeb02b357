package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/interlock-run/interlock/evidence"
)

// An Attestation is what the guard of a running step last said about itself.
type Attestation struct {
	Run     Run
	Step    string
	Attempt int32  // of the activity that runs the step
	Counter uint64 // grows within an attempt
	Signed  evidence.Envelope
}

// Attest makes a the newest attestation of (a.Run, a.Step), beside the slot.
//
// It must be later than the stored one: of a later attempt, or of the same one
// with a greater counter. Otherwise Attest returns [ErrStale], which is also
// what a second call returns, so an attempt that was overtaken learns of it. A
// slot that has its outcome takes no more attestations, which is [ErrStale]
// too. Without a slot it returns [ErrNoSlot].
//
// The store does not look into a.Signed, and does not ask who took the slot;
// who reads an attestation back opens it.
func (s *Store) Attest(ctx context.Context, a Attestation) error {
	c, err := columnsOf(a.Signed)
	if err != nil {
		return err
	}
	if a.Attempt < 0 || a.Counter > math.MaxInt64 {
		return fmt.Errorf("%w: attempt %d, counter %d is out of range", ErrStale, a.Attempt, a.Counter)
	}
	return s.write(ctx, func(t *tx) error {
		id, err := t.chain(a.Run)
		if err != nil {
			return err
		}
		first, err := t.succeeds(a)
		if err != nil {
			return err
		}
		query := sqlMoveAttestation
		if first {
			query = sqlAddAttestation
		}
		return t.one("keep an attestation", query,
			id, a.Step, a.Attempt, int64(a.Counter), c.payloadType, c.payload, c.signatures)
	})
}

// Attestations returns the newest attestation of each step of run that has one
// and whose slot has no outcome, in the order in which the slots were taken;
// none if there are none. Their Run is run. [Store.Slots] tells which steps have
// none.
func (s *Store) Attestations(ctx context.Context, run Run) ([]Attestation, error) {
	var all []Attestation
	err := s.read.scan(ctx, func(r *sql.Rows) error {
		a := Attestation{Run: run}
		var counter int64
		var c columns
		err := r.Scan(&a.Step, &a.Attempt, &counter, &c.payloadType, &c.payload, &c.signatures)
		if err != nil {
			return unavailable("read", err)
		}
		a.Counter = uint64(counter)
		if a.Signed, err = c.envelope(); err != nil {
			return fmt.Errorf("attestation of %s, step %.60q: %w", run, a.Step, err)
		}
		all = append(all, a)
		return nil
	}, sqlAttestations, run.Workflow, run.Run, run.Namespace)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// succeeds reports whether a may be kept, and whether it is the first of its
// slot.
func (t *tx) succeeds(a Attestation) (first bool, err error) {
	found := false
	var ended bool
	var attempt, counter sql.NullInt64
	err = t.scan(context.Background(), func(r *sql.Rows) error {
		found = true
		return unavailable("read", r.Scan(&ended, &attempt, &counter))
	}, sqlAttested, a.Run.Workflow, a.Run.Run, a.Run.Namespace, a.Step)
	switch {
	case err != nil:
		return false, err
	case !found:
		return false, fmt.Errorf("%w: %s, step %.60q", ErrNoSlot, a.Run, a.Step)
	case ended:
		return false, fmt.Errorf("%w: %s, step %.60q has its outcome", ErrStale, a.Run, a.Step)
	case !attempt.Valid:
		return true, nil
	case cmp.Or(cmp.Compare(int64(a.Attempt), attempt.Int64), cmp.Compare(int64(a.Counter), counter.Int64)) <= 0:
		return false, fmt.Errorf("%w: %s, step %.60q is at attempt %d, counter %d, not before attempt %d, counter %d",
			ErrStale, a.Run, a.Step, attempt.Int64, counter.Int64, a.Attempt, a.Counter)
	}
	return false, nil
}
