package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/interlock-run/interlock/evidence"
)

// Renew makes lease, with the signed statement that carries it, the newest one
// of run. Its number must be greater than the stored one's and its end not
// earlier, or [ErrStale], which is also what a second call returns.
//
// The store does not look into signed; who reads a lease back opens it.
func (s *Store) Renew(ctx context.Context, run Run, lease evidence.Lease, signed evidence.Envelope) error {
	c, err := columnsOf(signed)
	if err != nil {
		return err
	}
	if lease.Number > math.MaxInt64 {
		return fmt.Errorf("%w: number %d is too large", ErrStale, lease.Number)
	}
	return s.write(ctx, func(t *tx) error {
		id, err := t.chainOrNew(run)
		if err != nil {
			return err
		}
		old, _, err := t.lease(context.Background(), run)
		if err != nil {
			return err
		}
		if old != nil && (lease.Number <= old.Number || lease.Until < old.Until) {
			return fmt.Errorf("%w: %s has number %d until %s, not %d until %s",
				ErrStale, run, old.Number, old.Until, lease.Number, lease.Until)
		}
		return t.setLease(id, old == nil, lease, c)
	})
}

// Lease returns the newest lease of run and the statement that was stored with
// it, or [ErrNone].
func (s *Store) Lease(ctx context.Context, run Run) (evidence.Lease, evidence.Envelope, error) {
	lease, signed, err := s.read.lease(ctx, run)
	if err == nil && lease == nil {
		err = fmt.Errorf("%w: no lease of %s", ErrNone, run)
	}
	if err != nil {
		return evidence.Lease{}, evidence.Envelope{}, err
	}
	return *lease, signed, nil
}

// lease returns the lease of run, nil if there is none.
func (p *prepared) lease(ctx context.Context, run Run) (*evidence.Lease, evidence.Envelope, error) {
	var lease *evidence.Lease
	var signed evidence.Envelope
	err := p.scan(ctx, func(r *sql.Rows) error {
		var number, until int64
		var c columns
		err := r.Scan(&number, &until, &c.payloadType, &c.payload, &c.signatures)
		if err != nil {
			return unavailable("read", err)
		}
		lease = &evidence.Lease{Number: uint64(number), Until: evidence.Time(until)}
		if signed, err = c.envelope(); err != nil {
			return fmt.Errorf("lease of %s: %w", run, err)
		}
		return nil
	}, sqlLease, run.Workflow, run.Run, run.Namespace)
	return lease, signed, err
}

func (t *tx) setLease(id int64, first bool, lease evidence.Lease, c columns) error {
	query := sqlMoveLease
	if first {
		query = sqlAddLease
	}
	return t.one("renew a lease", query, id, int64(lease.Number), int64(lease.Until), c.payloadType, c.payload, c.signatures)
}
