package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/interlock-run/interlock/evidence"
)

// Records returns the records of run from sequence number from on, in order;
// none if there are none.
//
// It computes every link again. A record that is missing, or whose link does
// not follow from the one before it and its own bytes, is [ErrCorrupt]. The
// link before from is believed; a head that the caller knows from elsewhere is
// the proof that the whole chain is the one that was written.
func (s *Store) Records(ctx context.Context, run Run, from uint64) ([]Record, error) {
	if from > math.MaxInt64 {
		return nil, nil
	}
	var records []Record
	var chain *evidence.Chain // nil before the first row
	err := s.read.scan(ctx, func(r *sql.Rows) error {
		record, err := scanRecord(r)
		switch {
		case err != nil:
			return at(run, record.Seq, err)
		case chain == nil && from > 0:
			chain = chainAfter(record)
			if record.Seq+1 == from {
				return nil
			}
			return at(run, from-1, fmt.Errorf("%w: no such record", ErrCorrupt))
		case chain == nil:
			chain = &evidence.Chain{}
		}
		records = append(records, record)
		return at(run, record.Seq, follow(chain, record))
	}, sqlRecords, run.Workflow, run.Run, run.Namespace, int64(from))
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Head returns where the chain of run ends; the zero position if it has no
// records. It is derived from the last record, whose link is computed again:
// [ErrCorrupt] if it does not follow from the one before it.
func (s *Store) Head(ctx context.Context, run Run) (evidence.Position, error) {
	var last []Record // the newest first
	err := s.read.scan(ctx, func(r *sql.Rows) error {
		record, err := scanRecord(r)
		last = append(last, record)
		return at(run, record.Seq, err)
	}, sqlLastTwo, run.Workflow, run.Run, run.Namespace)
	if err != nil || len(last) == 0 {
		return evidence.Position{}, err
	}
	chain := &evidence.Chain{}
	if len(last) == 2 {
		chain = chainAfter(last[1])
	}
	if err := at(run, last[0].Seq, follow(chain, last[0])); err != nil {
		return evidence.Position{}, err
	}
	return chain.Next(), nil
}

// scanRecord reads a row of records. The sequence number is set even if the
// rest is unreadable.
func scanRecord(r *sql.Rows) (Record, error) {
	var seq int64
	var link []byte
	var c columns
	if err := r.Scan(&seq, &link, &c.payloadType, &c.payload, &c.signatures); err != nil {
		return Record{}, unavailable("read", err)
	}
	record := Record{Seq: uint64(seq)}
	digest, badLink := digestOf(link)
	envelope, badEnvelope := c.envelope()
	record.Link, record.Envelope = digest, envelope
	return record, errors.Join(badLink, badEnvelope)
}

// chainAfter returns the chain that ends with r, believing its link.
func chainAfter(r Record) *evidence.Chain {
	chain := evidence.ChainAt(evidence.Position{Seq: r.Seq + 1, Prev: r.Link})
	return &chain
}

// follow adds r to chain, or reports that it does not belong there.
func follow(chain *evidence.Chain, r Record) error {
	if next := chain.Next().Seq; r.Seq != next {
		return fmt.Errorf("%w: want record %d", ErrCorrupt, next)
	}
	if chain.Append(r.Envelope.Digest()) != r.Link {
		return fmt.Errorf("%w: the link does not match", ErrCorrupt)
	}
	return nil
}

// at says which record err is about.
func at(run Run, seq uint64, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s, record %d: %w", run, seq, err)
}
