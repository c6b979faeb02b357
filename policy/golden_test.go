package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/policy"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// TestGolden runs the cases of every bundle in testdata. Each rule must match
// in some case.
func TestGolden(t *testing.T) {
	for _, dir := range directories(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			bundle, cases := load(t, dir)
			report := bundle.Test(cases)
			for _, r := range report.Results {
				require.True(t, r.Passed, "%s:%d: %s: %s", dir, r.Line, r.Name, r.Reason)
			}
			require.True(t, report.Passed())
			require.Empty(t, report.Unmatched)
		})
	}
}

// TestBadBundles checks that every file in testdata/bad is refused, with the
// problem that its first lines name, at the place that they name.
func TestBadBundles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	actions := catalogueOf(t, "testdata/order-desk")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data := read(t, file)
			wants := 0
			bundle, err := policy.Parse(filepath.Base(file), data, actions)
			require.ErrorIs(t, err, policy.ErrBundle)
			require.Nil(t, bundle)
			for _, line := range strings.Split(string(data), "\n") {
				if want, ok := strings.CutPrefix(line, "# want: "); ok {
					wants++
					require.Contains(t, err.Error(), want)
				}
			}
			require.NotZero(t, wants, "the file does not say what is wrong with it")
		})
	}
}

func directories(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/cases.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i, file := range files {
		files[i] = filepath.Dir(file)
	}
	return files
}

func load(t testing.TB, dir string) (*policy.Bundle, *policy.Cases) {
	t.Helper()
	bundle, err := policy.Parse("policy.yaml", read(t, dir, "policy.yaml"), catalogueOf(t, dir))
	require.NoError(t, err)
	cases, err := policy.ParseCases("cases.yaml", read(t, dir, "cases.yaml"))
	require.NoError(t, err)
	return bundle, cases
}

func catalogueOf(t testing.TB, dir string) *catalogue.Catalogue {
	t.Helper()
	actions, err := catalogue.Parse("actions.yaml", read(t, dir, "actions.yaml"))
	require.NoError(t, err)
	return actions
}

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return data
}
