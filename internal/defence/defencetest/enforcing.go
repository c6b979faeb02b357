//go:build !undefended

package defencetest

import (
	"testing"

	"github.com/interlock-run/interlock/internal/defence"
)

// undefended does nothing: in this build no defence can be lowered.
func undefended(*testing.T, Attack, []defence.Name) {}
