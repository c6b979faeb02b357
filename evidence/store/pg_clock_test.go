package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// TestT19NobodyMovesTheClockAhead: a process with a clock that is far ahead
// gets nothing written, and the others do not notice.
func TestT19NobodyMovesTheClockAhead(t *testing.T) {
	as, _ := prepared(t)
	plane := openAt(t, as[control])
	_, err := plane.Begin(ctx, runOf("a"), nil, envelopes("request", "grant")...)
	require.NoError(t, err)
	db := rawServer(t, as[steps])
	for _, seen := range []int64{math.MaxInt64, time.Now().Add(2 * time.Minute).UnixMilli()} {
		_, err := db.Exec(`UPDATE interlock.clock SET seen = $1`, seen)
		require.ErrorContains(t, err, "more than a minute ahead")
	}
	mustExec(t, db, `UPDATE interlock.pulse SET beats = 9223372036854775807`)
	now := time.Now
	worker := openAt(t, as[steps], store.WithClock(func() evidence.Time { return evidence.TimeOf(now()) }))
	now = func() time.Time { return time.Now().AddDate(73, 0, 0) }
	_, err = worker.Take(ctx, slotOf(runOf("a"), "1"))
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "more than a minute ahead", "it says why")
	require.Error(t, worker.Ping(ctx), "it is not ready")
	_, err = store.Open(ctx, as[steps], store.WithClock(func() evidence.Time { return evidence.TimeOf(now()) }))
	require.ErrorContains(t, err, "more than a minute ahead", "it does not start")

	require.NoError(t, plane.Ping(ctx))
	seen, err := plane.Seen(ctx)
	require.NoError(t, err)
	require.Less(t, seen, evidence.TimeOf(time.Now().Add(time.Minute)))
	slots, err := plane.Slots(ctx, runOf("a"))
	require.NoError(t, err)
	require.Empty(t, slots)
	now = time.Now
	_, err = worker.Take(ctx, slotOf(runOf("a"), "1"))
	require.NoError(t, err)
}
