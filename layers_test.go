// Package interlock_test pins what holds across packages.
package interlock_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/interlock-run/interlock"

// TestLayers pins which packages each package may reach. Policy and keys are
// wired together in worker and nowhere else, so that a service can embed the
// starter, and an auditor can build the verifier, without the engine.
func TestLayers(t *testing.T) {
	const (
		temporal = "go.temporal.io/"
		cel      = "github.com/google/cel-go"
		celNew   = "cel.dev/"
		sqlite   = "modernc.org/"
		postgres = "github.com/jackc"
	)
	tests := []struct {
		pkg    string
		banned []string
	}{
		{"evidence", []string{module, temporal, cel, celNew, sqlite, postgres, "net/http", "github.com/", "go.uber.org/"}},
		{"evidence/keyfile", []string{module + "/policy", module + "/activities", temporal, cel, celNew, sqlite, postgres, "net/http"}},
		{"evidence/store", []string{module + "/policy", module + "/activities", module + "/workflows", temporal, cel, celNew}},
		{"internal/defence", []string{module, "testing", temporal, "github.com/", "go.uber.org/"}},
		{"policy", []string{module + "/activities", module + "/workflows", module + "/worker", temporal, sqlite, postgres, "net/http"}},
		{"policy/catalogue", []string{module + "/activities", temporal, cel, celNew, sqlite, postgres}},
		{"activities", []string{module + "/worker", module + "/starter", cel, celNew}},
		{"workflows", []string{module + "/worker", module + "/starter", cel, celNew}},
		{"workflows/contract", []string{module + "/activities", module + "/policy", module + "/worker", module + "/starter", temporal, cel, celNew, sqlite, postgres}},
		{"starter", []string{module + "/policy", module + "/activities", module + "/worker", cel, celNew, sqlite, postgres}},
		{"worker", []string{module + "/starter"}},
		{"deploy/demo/desk", []string{module + "/evidence", module + "/policy", module + "/activities", module + "/workflows", module + "/worker", module + "/starter", temporal, cel, celNew}},
	}
	for _, tt := range tests {
		t.Run(tt.pkg, func(t *testing.T) {
			for _, dep := range deps(t, tt.pkg) {
				for _, banned := range tt.banned {
					if strings.HasPrefix(dep, banned) && dep != module+"/"+tt.pkg {
						t.Errorf("%s reaches %s", tt.pkg, dep)
					}
				}
			}
		})
	}
}

// TestOnlyPolicyImportsCEL pins that rules are evaluated in one place.
func TestOnlyPolicyImportsCEL(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "./...").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(line, ":")
		if pkg != module+"/policy" && strings.Contains(imports, "github.com/google/cel-go") {
			t.Errorf("%s imports cel-go, which is policy's alone", pkg)
		}
	}
}

func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "./"+pkg).Output()
	require.NoError(t, err)
	list := strings.Fields(string(out))
	require.NotEmpty(t, list)
	return list
}
