//go:build undefended

package defence_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/internal/defence"
)

// TestLower lowers one defence from many tests at once: it is up again when
// the last of them ends, and the others never were down.
func TestLower(t *testing.T) {
	require.False(t, defence.Enforcing)
	require.True(t, defence.Deployable(), "this is a test")
	t.Run("down", func(t *testing.T) {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				defence.Lower(t, defence.SlotOnce)
				if defence.Stands(defence.SlotOnce) || !defence.Stands(defence.NonceOnce) {
					t.Error("another defence than the one that was named is down")
				}
			})
		}
		all.Wait()
	})
	require.True(t, defence.Stands(defence.SlotOnce))
}
