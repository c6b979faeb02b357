package defence_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEachHasAnAttack checks that every name is asked for by the product and
// is what an attack test lowers: a defence that no test misses is not tested.
func TestEachHasAnAttack(t *testing.T) {
	product, tests := sources(t, "../..")
	for _, name := range names(t) {
		require.True(t, strings.Contains(product, "defence."+name), "no code asks whether %s stands", name)
		require.True(t, strings.Contains(tests, "defence."+name), "no attack test lowers %s", name)
	}
}

// names returns the identifiers of the constants in names.go.
func names(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			names = append(names, v.Names[0].Name)
		}
		return true
	})
	require.NotEmpty(t, names)
	return names
}

// sources returns the Go code of the packages that have defences, and that of
// their tests.
func sources(t *testing.T, root string) (product, tests string) {
	t.Helper()
	for _, dir := range []string{"activities", "worker"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			code, err := os.ReadFile(path)
			if strings.HasSuffix(path, "_test.go") {
				tests += string(code)
			} else {
				product += string(code)
			}
			return err
		})
		require.NoError(t, err)
	}
	return product, tests
}
