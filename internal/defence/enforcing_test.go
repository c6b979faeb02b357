//go:build !undefended

package defence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/internal/defence"
)

func TestEverythingStands(t *testing.T) {
	require.True(t, defence.Enforcing)
	require.True(t, defence.Deployable())
	require.True(t, defence.Stands(defence.SlotOnce))
	require.True(t, defence.Stands("a name that nobody gave"))
}
