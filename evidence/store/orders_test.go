package store_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// reserved is the part of conformance about the chains that concern many
// executions.
func reserved(t *testing.T, open opener) {
	t.Run("reserved", func(t *testing.T) { testReserved(t, open) })
	t.Run("orders", func(t *testing.T) { testOrders(t, open) })
	t.Run("orders and takers", func(t *testing.T) { testOrdersAndTakers(t, open) })
}

// testReserved: they are chains like any other, and no executions.
func testReserved(t *testing.T, open opener) {
	w := newWorld(t, open(t)())
	for _, run := range []store.Run{store.Orders, store.Trust} {
		head, err := w.Begin(ctx, run, nil, envelope("first"))
		require.NoError(t, err)
		_, err = w.Begin(ctx, run, nil, envelope("first"))
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = w.Append(ctx, run, evidence.Position{}, envelope("second"))
		require.ErrorIs(t, err, store.ErrConflict)
		_, err = w.Append(ctx, run, head, envelope("second"))
		require.NoError(t, err)
		checkChain(t, w, run, 2)
		runs, err := w.Runs(ctx, run.Workflow)
		require.NoError(t, err)
		require.Empty(t, runs)
	}
	runs, err := w.List(ctx, 99)
	require.NoError(t, err)
	require.Equal(t, []store.Run{w.a}, runs)
	for range 3 { // they do not count either
		runs, err = w.List(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, []store.Run{w.a}, runs)
	}
	w.check(2)
}

// testOrders has a row for each thing that a taker may have read.
func testOrders(t *testing.T, open opener) {
	tests := []struct {
		name   string
		orders int // how many there are
		step   string
		read   uint64
		want   error
	}{
		{"none, none read", 0, "new", 0, nil},
		{"none, more read than there are", 0, "new", 5, nil},
		{"one, none read", 1, "new", 0, store.ErrOrders},
		{"one, one read", 1, "new", 1, nil},
		{"three, two read", 3, "new", 2, store.ErrOrders},
		{"three, three read", 3, "new", 3, nil},
		{"three, who need not read", 3, "new", math.MaxUint64, nil},
		{"taken before them, none read", 1, "open", 0, store.ErrTaken},
		{"finished before them, none read", 1, "done", 0, store.ErrTaken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, open(t)())
			var at evidence.Position
			for range tt.orders {
				var err error
				at, err = w.Append(ctx, store.Orders, at, envelope("stop"))
				require.NoError(t, err)
			}
			slot := slotOf(w.a, tt.step)
			slot.Orders = tt.read
			got, err := w.Take(ctx, slot)
			require.ErrorIs(t, err, tt.want)
			require.Zero(t, got.Orders)
			slots, err := w.Slots(ctx, w.a)
			require.NoError(t, err)
			taken := 2
			if tt.want == nil {
				taken = 3
				require.Equal(t, slotOf(w.a, "new"), slots[2], "what was read is not kept")
			}
			require.Len(t, slots, taken)
		})
	}
}

// testOrdersAndTakers lets an order come while 64 take slots. Whoever got one
// after the order was acknowledged would not have read it.
func testOrdersAndTakers(t *testing.T, open opener) {
	again := open(t)
	stores := []backend{again(), again()}
	newWorld(t, stores[0])
	var ordered atomic.Bool
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for n := 0; ; n++ {
				before := ordered.Load()
				_, err := stores[i%2].Take(ctx, slotOf(runOf("a"), fmt.Sprint(i, "-", n)))
				switch {
				case err == nil && before:
					t.Error("a slot was taken after the order")
					return
				case errors.Is(err, store.ErrOrders):
					return
				case errors.Is(err, store.ErrUnavailable):
					continue // two writers of one file can starve each other, and take nothing then
				case err != nil:
					t.Error(err)
					return
				}
				taken.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return taken.Load() >= 200 || t.Failed() }, 5*time.Minute, time.Millisecond)
	err := store.ErrUnavailable
	for errors.Is(err, store.ErrUnavailable) {
		_, err = stores[0].Begin(ctx, store.Orders, nil, envelope("stop"))
	}
	require.True(t, err == nil || errors.Is(err, store.ErrConflict), "%v: it was not given", err) // an answer may be lost
	ordered.Store(true)
	wg.Wait()
}
