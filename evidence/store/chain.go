package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// Begin opens the chain of run with envs as its first records and consumes n
// (nil: none), all or nothing. It returns the head.
//
// It returns [ErrNonceUsed] if another run has consumed n; the same run, or one
// that continues it, may present it again. It returns [ErrConflict] if the chain has records, which is
// also what a second call returns: read them to see whose they are.
func (s *Store) Begin(ctx context.Context, run Run, n *Nonce, envs ...evidence.Envelope) (evidence.Position, error) {
	links, head, err := linksAfter(evidence.Position{}, envs)
	if err != nil {
		return evidence.Position{}, err
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.consume(run, n); err != nil {
			return err
		}
		return t.append(run, evidence.Position{}, links)
	})
	if err != nil {
		return evidence.Position{}, err
	}
	return head, nil
}

// Append adds envs to the chain of run after at, all or nothing, and returns
// the new head. Without envs it only checks the head.
//
// It returns [ErrConflict] if the chain does not end exactly at at, which is
// also what a second call returns: read the records after at to see whose they
// are.
func (s *Store) Append(ctx context.Context, run Run, at evidence.Position, envs ...evidence.Envelope) (evidence.Position, error) {
	links, head, err := linksAfter(at, envs)
	if err != nil {
		return evidence.Position{}, err
	}
	err = s.write(ctx, func(t *tx) error { return t.append(run, at, links) })
	if err != nil {
		return evidence.Position{}, err
	}
	return head, nil
}

// consume uses up n for run.
func (t *tx) consume(run Run, n *Nonce) error {
	if n == nil {
		return nil
	}
	id, err := t.chainOrNew(run)
	if err != nil {
		return err
	}
	var by []int64
	err = t.scan(context.Background(), func(r *sql.Rows) error {
		by = append(by, 0)
		return unavailable("read", r.Scan(&by[0]))
	}, sqlNonce, n.Principal, n.Value)
	switch {
	case err != nil:
		return err
	case len(by) == 0:
		return t.one("consume a nonce", sqlAddNonce, n.Principal, n.Value, id, int64(n.Expires))
	case by[0] != id:
		return fmt.Errorf("%w: principal %.60q", ErrNonceUsed, n.Principal)
	}
	return nil
}

// append adds links after at, if the chain of run ends there.
func (t *tx) append(run Run, at evidence.Position, links []link) error {
	id, head, err := t.head(run)
	if err != nil {
		return err
	}
	if head != at {
		return fmt.Errorf("%w: chain of %s ends at %d (%s), not at %d (%s)",
			ErrConflict, run, head.Seq, head.Prev.Short(), at.Seq, at.Prev.Short())
	}
	if len(links) == 0 {
		return nil
	}
	if id == 0 {
		if id, err = t.chainOrNew(run); err != nil {
			return err
		}
	}
	for _, l := range links {
		err := t.one("append a record", sqlAddRecord, id, int64(l.seq), l.link[:], l.payloadType, l.payload, l.signatures)
		if err != nil {
			return err
		}
	}
	return nil
}

// head returns the id of run's chain, 0 if it has none yet, and where its last
// row says that it ends. The link is compared with the caller's and not
// computed again here: a changed one is a conflict. It refuses who may not
// write, as chain does.
func (t *tx) head(run Run) (id int64, head evidence.Position, err error) {
	err = t.scan(context.Background(), func(r *sql.Rows) error {
		var seq sql.NullInt64
		var link []byte
		var superseded bool
		if err := r.Scan(&id, &superseded, &seq, &link); err != nil {
			return unavailable("read", err)
		}
		if err := mayWrite(run, superseded); err != nil {
			return err
		}
		if !seq.Valid {
			return nil
		}
		prev, err := digestOf(link)
		head = evidence.Position{Seq: uint64(seq.Int64) + 1, Prev: prev}
		return err
	}, sqlHead, run.Workflow, run.Run, run.Namespace)
	return id, head, err
}
