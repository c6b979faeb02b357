//go:build unix

package devserver

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// says is a program that answers anything with its text.
func says(text string) string { return "echo '" + text + "'" }

const genuineText = "temporal version 1.2.3 (Server 1.2.3, UI 1.2.3)"

// source makes a folder that passes for this module's source, and makes Find
// use it.
func source(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "deploy", "temporal"), 0o755))
	for dir, module := range map[string]string{"": "interlock", "deploy/temporal": "interlock/deploy/temporal"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, dir, "go.mod"),
			[]byte("module github.com/interlock-run/"+module+"\n\ngo 1.26\n"), 0o600))
	}
	t.Setenv(rootVariable, root)
	return root
}

// onPath makes dir all of PATH, with the few programs that scripts here use: a
// temporal that is installed on this machine must not be found.
func onPath(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"sleep", "dirname", "chmod"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	t.Setenv("PATH", dir)
}

// builds is a Go tool that writes a program to the place it is told to; it
// counts its calls in the file "calls" beside it.
const builds = `echo "$@" >> "$(dirname "$0")/calls"
[ "$1 $2 $4" = "build -o github.com/temporalio/cli/cmd/temporal" ] || exit 9
[ "$CGO_ENABLED" = 0 ] || exit 8
echo "go: downloading the internet"
sleep 0.3
printf '#!/bin/sh\necho "` + genuineText + `"\n' > "$3"
chmod +x "$3"`

func TestFindOrder(t *testing.T) {
	tests := []struct {
		name             string
		onPath, inSource string // programs; empty if there is none
		want             string // "path" or "source"
		built            bool
		progress         string // empty: nothing is said
	}{
		{"on PATH", says(genuineText), says(genuineText), "path", false, ""},
		{"not on PATH", "", says(genuineText), "source", false, ""},
		{"impostor on PATH", says("Temporal 0.1, a calendar"), says(genuineText), "source", false, `it says "Temporal 0.1, a calendar"`},
		{"failing on PATH", "echo no such library >&2; exit 127", says(genuineText), "source", false, "no such library"},
		{"genuine words, bad exit", says(genuineText) + "; exit 1", says(genuineText), "source", false, "passing over"},
		{"words not at the start", says("x " + genuineText), says(genuineText), "source", false, "passing over"},
		{"nothing", "", "", "source", true, "building"},
		{"broken build", "", "exit 1", "source", true, "building"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, path := source(t), t.TempDir()
			program(t, path, "go", builds)
			onPath(t, path)
			want := map[string]string{"path": filepath.Join(path, "temporal"), "source": filepath.Join(root, "bin", "temporal")}
			if tt.onPath != "" {
				program(t, path, "temporal", tt.onPath)
			}
			if tt.inSource != "" {
				program(t, filepath.Join(root, "bin"), "temporal", tt.inSource)
			}
			var progress lines
			got, err := Find(t.Context(), &progress)
			require.NoError(t, err)
			assert.Equal(t, want[tt.want], got)
			assert.NoError(t, genuine(t.Context(), got))
			if built := exists(filepath.Join(path, "calls")); built != tt.built {
				t.Errorf("built: %v, want %v", built, tt.built)
			}
			if tt.progress == "" {
				assert.Empty(t, progress.String())
			}
			assert.Contains(t, progress.String(), tt.progress)
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestFindSource(t *testing.T) {
	root := source(t)
	program(t, filepath.Join(root, "bin"), "temporal", says(genuineText))
	onPath(t, t.TempDir())

	t.Setenv(rootVariable, "")
	t.Chdir(filepath.Join(root, "deploy", "temporal"))
	got, err := Find(t.Context(), io.Discard)
	require.NoError(t, err, "from below the source")
	assert.Equal(t, filepath.Join(root, "bin", "temporal"), got)

	t.Chdir(t.TempDir())
	_, err = Find(t.Context(), io.Discard)
	assert.ErrorContains(t, err, "not inside a checkout")
	assert.ErrorContains(t, err, "install the Temporal CLI")

	// A wrong answer is not replaced by a guess.
	t.Chdir(root)
	t.Setenv(rootVariable, t.TempDir())
	_, err = Find(t.Context(), io.Discard)
	assert.ErrorContains(t, err, "not a checkout of interlock")
	assert.ErrorContains(t, err, "install the Temporal CLI")
}

// TestBuildOnce checks that processes that need the CLI at the same time build
// it once. Each has its own lock on the file, as processes have.
func TestBuildOnce(t *testing.T) {
	root, path := source(t), t.TempDir()
	program(t, path, "go", builds)
	onPath(t, path)
	var progress lines
	var building sync.WaitGroup
	for range 4 {
		building.Go(func() {
			b := builder{root: root, progress: &progress, every: 20 * time.Millisecond}
			got, err := b.ensure(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, filepath.Join(root, "bin", "temporal"), got)
		})
	}
	building.Wait()
	assert.Equal(t, 1, progress.count("building the temporal CLI from its source"))
	assert.Equal(t, 1, progress.count("built the temporal CLI in"))
	assert.Positive(t, progress.count("go: downloading the internet"), "what the Go tool says")
	assert.Positive(t, progress.count("waiting for another process"))
	assertTidy(t, root)
}

// assertTidy checks that bin/ holds nothing but the program and the lock.
func assertTidy(t *testing.T, root string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "bin"))
	require.NoError(t, err)
	for _, e := range entries {
		assert.Contains(t, []string{"temporal", ".temporal.lock"}, e.Name())
	}
}

func TestFailedBuild(t *testing.T) {
	tests := []struct{ name, goTool, want string }{
		{"error", "echo no space left; exit 1", "no space left"},
		{"wrong program", "printf '#!/bin/sh\necho hello\n' > $3; chmod +x $3", "not the Temporal CLI"},
		{"no program", "exit 0", "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, path := source(t), t.TempDir()
			program(t, path, "go", tt.goTool)
			onPath(t, path)
			_, err := Find(t.Context(), io.Discard)
			assert.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, "install the Temporal CLI")
			assert.NoFileExists(t, filepath.Join(root, "bin", "temporal"))
			assertTidy(t, root)
		})
	}
	t.Run("no Go", func(t *testing.T) {
		source(t)
		t.Setenv("PATH", t.TempDir())
		_, err := Find(t.Context(), io.Discard)
		assert.ErrorIs(t, err, exec.ErrNotFound)
		assert.ErrorContains(t, err, "install the Temporal CLI")
	})
}

// TestFindIsCancelled checks both places where Find takes long.
func TestFindIsCancelled(t *testing.T) {
	enough := errors.New("the user has seen enough")
	cancelSoon := func() context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(200*time.Millisecond, func() { cancel(enough) })
		return ctx
	}
	t.Run("waiting", func(t *testing.T) {
		root := source(t)
		onPath(t, t.TempDir())
		b := builder{root: root, progress: io.Discard, every: time.Second}
		require.NoError(t, os.Mkdir(filepath.Join(root, "bin"), 0o755))
		unlock, err := b.lock(t.Context(), filepath.Join(root, "bin", ".temporal.lock"))
		require.NoError(t, err)
		defer unlock()
		_, err = Find(cancelSoon(), io.Discard)
		assert.ErrorIs(t, err, enough)
	})
	t.Run("building", func(t *testing.T) {
		root, path := source(t), t.TempDir()
		program(t, path, "go", "trap 'kill $!; exit 1' INT; sleep 60 & wait")
		onPath(t, path)
		began := time.Now()
		_, err := Find(cancelSoon(), io.Discard)
		assert.ErrorIs(t, err, enough)
		assert.Less(t, time.Since(began), 5*time.Second)
		assertTidy(t, root)
	})
}
