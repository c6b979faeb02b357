package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// Continue lets the run to go on with the chain of from, all or nothing: it
// consumes handover, the digest of the statement that allows it, makes to the
// newest run of the chain, and appends records after at. It returns the new
// head. From then on every run of the chain reads the same records, slots,
// attestations and lease, and only to may write: the others get
// [ErrSuperseded].
//
// It checks, in this order:
//
//  1. there is a record, and handover is not zero, or [evidence.ErrEnvelope];
//  2. from and to are runs of one workflow in one namespace, or [ErrConflict];
//  3. handover was not consumed before, or [ErrTaken], whoever consumed it.
//     This is also what a second call returns: read the records of to, of which
//     there are none if another run was first;
//  4. from has a chain, or [ErrNoRun], and is its newest run, or
//     [ErrSuperseded];
//  5. the store does not know to, or [ErrConflict];
//  6. the chain ends exactly at at, or [ErrConflict].
func (s *Store) Continue(ctx context.Context, from, to Run, at evidence.Position,
	handover evidence.Digest, records ...evidence.Envelope) (evidence.Position, error) {
	if len(records) == 0 || handover == (evidence.Digest{}) {
		return evidence.Position{}, fmt.Errorf("%w: a handover needs its digest and a record", evidence.ErrEnvelope)
	}
	links, head, err := linksAfter(at, records)
	if err != nil {
		return evidence.Position{}, err
	}
	if from.Namespace != to.Namespace || from.Workflow != to.Workflow {
		return evidence.Position{}, fmt.Errorf("%w: %s is of another workflow than %s", ErrConflict, to, from)
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.handOver(from, to, handover); err != nil {
			return err
		}
		return t.append(to, at, links)
	})
	if err != nil {
		return evidence.Position{}, err
	}
	return head, nil
}

// handOver consumes handover and makes to the newest run of from's chain.
func (t *tx) handOver(from, to Run, handover evidence.Digest) error {
	if err := t.unused(handover); err != nil {
		return err
	}
	root, head, err := t.head(from)
	if err == nil && head.Seq == 0 {
		err = fmt.Errorf("%w: %s", ErrNoRun, from)
	}
	if err != nil {
		return err
	}
	switch id, err := t.chain(to); {
	case errors.Is(err, ErrSuperseded), err == nil && id != 0:
		return fmt.Errorf("%w: %s is known already", ErrConflict, to)
	case err != nil:
		return err
	}
	id, err := t.addRun(to, sql.NullInt64{Int64: root, Valid: true})
	if err != nil {
		return err
	}
	return t.one("consume a handover", sqlAddHandover, handover[:], id)
}

// unused reports whether handover can be consumed.
func (t *tx) unused(handover evidence.Digest) error {
	return t.scan(context.Background(), func(r *sql.Rows) error {
		var by Run
		if err := r.Scan(&by.Namespace, &by.Workflow, &by.Run); err != nil {
			return unavailable("read", err)
		}
		return fmt.Errorf("%w: handover %s, by %s", ErrTaken, handover.Short(), by)
	}, sqlHandover, handover[:])
}

// chain returns the id of the chain that run belongs to, 0 if the store does
// not know run. It refuses runs that others have continued, which may not
// write.
func (t *tx) chain(run Run) (id int64, err error) {
	var superseded bool
	err = t.scan(context.Background(), func(r *sql.Rows) error {
		return unavailable("read", r.Scan(&id, &superseded))
	}, sqlChain, run.Workflow, run.Run, run.Namespace)
	if err == nil {
		err = mayWrite(run, superseded)
	}
	return id, err
}

// mayWrite says no to a run that was superseded.
func mayWrite(run Run, superseded bool) error {
	if superseded {
		return fmt.Errorf("%w: %s", ErrSuperseded, run)
	}
	return nil
}

// chainOrNew is chain for what may be the first write that names run.
func (t *tx) chainOrNew(run Run) (int64, error) {
	id, err := t.chain(run)
	if err != nil || id != 0 {
		return id, err
	}
	return t.addRun(run, sql.NullInt64{})
}

// addRun returns the new id of run, which belongs to the chain of root, or to
// its own.
func (t *tx) addRun(run Run, root sql.NullInt64) (int64, error) {
	var id int64
	err := t.scan(context.Background(), func(r *sql.Rows) error {
		return r.Scan(&id)
	}, sqlAddRun, run.Namespace, run.Workflow, run.Run, root)
	if err == nil && id == 0 {
		err = errNotWritten
	}
	return id, unavailable("add a run", err)
}

// Epoch returns how many runs a chain had when run began, and with it: 1 for
// the first, one more for each that continued it, 0 for a run that the store
// does not know.
func (s *Store) Epoch(ctx context.Context, run Run) (uint64, error) {
	var epoch uint64
	err := s.read.scan(ctx, func(r *sql.Rows) error {
		return unavailable("read", r.Scan(&epoch))
	}, sqlEpoch, run.Workflow, run.Run, run.Namespace)
	return epoch, err
}
