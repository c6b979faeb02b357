package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// An Option changes how [Open] opens a store.
type Option func(*options)

type options struct {
	clock  func() evidence.Time
	groups []string
}

func optionsOf(opts []Option) options {
	o := options{clock: func() evidence.Time { return evidence.TimeOf(time.Now()) }}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// WithClock lets the store take the time that it keeps for [Store.Seen] from
// clock; the default is the system's clock. The store calls it from one
// goroutine, once for every commit, which waits for it. Where it panics nothing
// is written.
func WithClock(clock func() evidence.Time) Option {
	return func(o *options) { o.clock = clock }
}

// For says whose work the store is opened for: [GroupControl], [GroupSteps] or
// both. [Store.Ping], and so [Open], then also tries what that work has to
// write, and over PostgreSQL [Store.Take] takes a slot for a step worker only if
// an outcome and an attestation could be added to it. The default is nobody's.
func For(groups ...string) Option {
	return func(o *options) { o.groups = append(o.groups, groups...) }
}

// Seen returns the largest time at which any process ever wrote to the store,
// by the clocks of those processes; 0 if there is none. It never goes back, so
// a clock that reads less was set back, or runs behind another one.
//
// It moves with writes only (also with [Store.Ping] and [Open]) and is
// therefore as old as the newest one. The store itself judges nothing by it.
// A clock that ran far ahead once has moved it for good.
func (s *Store) Seen(ctx context.Context) (evidence.Time, error) {
	var seen []int64
	err := s.read.scan(ctx, func(r *sql.Rows) error {
		seen = append(seen, 0)
		return unavailable("read", r.Scan(&seen[0]))
	}, sqlSeen)
	if err != nil {
		return 0, err
	}
	if len(seen) == 0 {
		return 0, fmt.Errorf("%w: the largest time seen is gone", ErrCorrupt)
	}
	return evidence.Time(seen[0]), nil
}

// stamp moves the largest time seen forward to now.
func (t *tx) stamp(now evidence.Time) error {
	_, err := t.exec(context.Background(), sqlStamp, int64(now))
	return unavailable("keep the time", err)
}
