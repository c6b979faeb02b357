package starter_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLayers pins that services can embed the starter without the engine.
func TestLayers(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	const module = "github.com/interlock-run/interlock/"
	allowed := map[string]bool{"evidence": true, "workflows/contract": true, "starter": true}
	for _, dep := range strings.Fields(string(out)) {
		if own, ok := strings.CutPrefix(dep, module); ok && !allowed[own] {
			t.Errorf("starter reaches %s", dep)
		}
		for _, banned := range []string{"cel.dev/", "github.com/google/cel-go", "modernc.org/sqlite", "github.com/spf13/", "github.com/goccy/"} {
			if strings.HasPrefix(dep, banned) {
				t.Errorf("starter reaches %s", dep)
			}
		}
	}
}
