package store_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// TestT07NoSlotWithoutTheDecision has a row for each chain that does not have
// the decision where it says that it is, as that of a store that was restored to
// a state before it. Nobody acts on such a decision, and the recorder still
// closes what is open.
func TestT07NoSlotWithoutTheDecision(t *testing.T) {
	onEach(t, func(t *testing.T, target tempStore) {
		s := openAt(t, target(t), store.For(store.GroupControl, store.GroupSteps))
		run := runOf("a")
		before, err := s.Begin(ctx, run, nil, envelopes("request", "grant")...)
		require.NoError(t, err)
		good := slotOf(run, "1")
		good.Decision, good.Place = envelope("decision").Digest(), before
		with := func(change func(*store.Slot)) store.Slot {
			slot := good
			change(&slot)
			return slot
		}
		rows := map[string]store.Slot{
			"another record":  with(func(s *store.Slot) { s.Place.Seq-- }),
			"the first one":   with(func(s *store.Slot) { s.Place = evidence.Position{} }),
			"another past":    with(func(s *store.Slot) { s.Place.Prev[0] ^= 1 }),
			"later":           with(func(s *store.Slot) { s.Place.Seq++ }),
			"much later":      with(func(s *store.Slot) { s.Place.Seq = math.MaxUint64 }),
			"another one":     with(func(s *store.Slot) { s.Decision = envelope("grant").Digest() }),
			"no decision":     with(func(s *store.Slot) { s.Decision = evidence.Digest{} }),
			"nothing at all":  with(func(s *store.Slot) { s.Decision, s.Place = evidence.Digest{}, evidence.Position{} }),
			"nothing to come": with(func(s *store.Slot) { s.Decision, s.Place = evidence.Digest{}, evidence.Position{Seq: 7} }),
		}
		refused := func(slot store.Slot, name string) {
			t.Helper()
			_, err := s.Take(ctx, slot)
			require.ErrorIs(t, err, store.ErrNoRun, name)
		}
		refused(good, "a chain that ends before the decision")
		_, err = s.Append(ctx, run, before, envelopes("decision", "more")...)
		require.NoError(t, err)
		for name, slot := range rows {
			refused(slot, name)
		}
		slots, err := s.Slots(ctx, run)
		require.NoError(t, err)
		require.Empty(t, slots)

		got, err := s.Take(ctx, good)
		require.NoError(t, err)
		require.Equal(t, evidence.Position{}, got.Place, "it is not kept")
		_, err = s.Take(ctx, good)
		require.ErrorIs(t, err, store.ErrTaken)
		fence := with(func(s *store.Slot) { s.Step, s.Decision, s.Place = "2", envelope("lost").Digest(), evidence.Position{} })
		_, err = s.Fence(ctx, fence)
		require.NoError(t, err)
		_, err = s.Take(ctx, fence)
		require.ErrorIs(t, err, store.ErrTaken)
		fence.Run = runOf("unknown")
		_, err = s.Fence(ctx, fence)
		require.ErrorIs(t, err, store.ErrNoRun)
	})
}
