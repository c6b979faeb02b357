package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestT31AskingOftenAsksOnce: however many ask for the readiness, a check is
// asked once a moment; one that hangs is red, and is not asked on top of it.
func TestT31AskingOftenAsksOnce(t *testing.T) {
	var quick, stuck atomic.Int32
	never := make(chan struct{})
	defer close(never)
	h := newHealth(
		&check{name: "quick", ask: func(context.Context) error { quick.Add(1); return nil }},
		&check{name: "stuck", ask: func(context.Context) error { stuck.Add(1); <-never; return nil }},
	)
	var asking sync.WaitGroup
	for range 64 {
		asking.Go(func() {
			states, err := h.look(context.Background())
			require.ErrorIs(t, err, ErrNotReady)
			require.True(t, states[0].OK)
			require.False(t, states[1].OK)
		})
	}
	asking.Wait()
	require.LessOrEqual(t, quick.Load(), int32(1+healthPatience/healthAge), "64 at once")
	h.asked = time.Time{} // as after a while
	_, err := h.look(context.Background())
	require.Error(t, err)
	require.Equal(t, int32(1), stuck.Load())
}

// TestReadinessComesBack: a check that answers again is green again, since then.
func TestReadinessComesBack(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	h := newHealth(&check{name: "c", ask: func(context.Context) error {
		if away.Load() {
			return errors.New("secret: /path")
		}
		return nil
	}})
	_, err := h.look(context.Background())
	require.EqualError(t, err, "not ready: c")
	away.Store(false)
	h.asked = time.Time{}
	states, err := h.look(context.Background())
	require.NoError(t, err)
	require.True(t, states[0].OK)
}
