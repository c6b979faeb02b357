package crash_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/internal/crash"
)

// TestPointsAreThoseInTheSources holds the list against the calls: a point that
// is in one of them only would be one that no trial reaches.
func TestPointsAreThoseInTheSources(t *testing.T) {
	called := calls(t, filepath.Join("..", ".."))
	var listed []string
	for _, p := range crash.Points() {
		require.NotEmpty(t, p.When, p.Name)
		require.NotContains(t, listed, p.Name, "twice in the list")
		listed = append(listed, p.Name)
		if p.Process == crash.World {
			require.NotContains(t, called, p.Name, "a point of the world is passed in a harness")
			continue
		}
		require.Len(t, called[p.Name], 1, "%s must be called at one place", p.Name)
	}
	for name, places := range called {
		require.Contains(t, listed, name, "called in %v and not in the list", places)
	}
}

// calls returns where crash.Point is called, by the name of the point.
func calls(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if name, ok := pointOf(t, n); ok {
				found[name] = append(found[name], files.Position(n.Pos()).String())
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	return found
}

// pointOf returns the name in a call of crash.Point, which must be a literal.
func pointOf(t *testing.T, n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || fun.Sel.Name != "Point" {
		return "", false
	}
	if pkg, ok := fun.X.(*ast.Ident); !ok || pkg.Name != "crash" {
		return "", false
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	require.True(t, ok, "the name of a point must be a literal")
	name, err := strconv.Unquote(literal.Value)
	require.NoError(t, err)
	return name, true
}
