//go:build undefended

package defencetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/internal/defence"
)

// undefended runs the attack with each layer alone, and without all of them.
func undefended(t *testing.T, attack Attack, layers []defence.Name) {
	t.Helper()
	for _, left := range layers {
		if len(layers) == 1 {
			break // that is the defended run
		}
		t.Run("only-"+string(left), func(t *testing.T) {
			for _, n := range layers {
				if n != left {
					defence.Lower(t, n)
				}
			}
			require.False(t, attack(t), "%s alone does not stop the attack", left)
		})
	}
	t.Run("undefended", func(t *testing.T) {
		for _, n := range layers {
			defence.Lower(t, n)
		}
		require.True(t, attack(t), "the attack fails for another reason than %v", layers)
	})
}
