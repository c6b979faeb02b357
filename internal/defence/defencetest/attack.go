// Package defencetest runs attacks: against the product as it is, where they
// must fail, and, in a build with the tag undefended, against the product
// without the defences that stop them, where they must succeed.
package defencetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/internal/defence"
)

// An Attack tries to get something done that must not be, and reports whether
// it did. It prepares everything that it needs and asserts only what holds
// whether or not it succeeds. It is called several times.
type Attack func(t *testing.T) (succeeded bool)

// Run checks that the attack fails and, in a build with the tag undefended,
//
//   - that it succeeds without the given layers, so that it is an attack;
//   - that each layer alone stops it, where there are several.
//
// A test that calls Run must not run in parallel with others: a layer is
// lowered for the whole process.
func Run(t *testing.T, attack Attack, layers ...defence.Name) {
	t.Helper()
	require.NotEmpty(t, layers, "which defence stops this attack?")
	t.Run("defended", func(t *testing.T) {
		require.False(t, attack(t), "the attack succeeded")
	})
	undefended(t, attack, layers)
}
