package main

import (
	"bytes"
	"crypto/sha3"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestT32SameCommitSameBytes: who builds the same commit somewhere else, in
// another time zone and with other habits, gets the same bytes.
func TestT32SameCommitSameBytes(t *testing.T) {
	here, there := clone(t, "a"), clone(t, "another/place/with a longer name")
	first, second := releaseOf(here), releaseOf(there)
	second.environ = []string{"TZ=Pacific/Kiritimati", "LC_ALL=C", "GOFLAGS=-ldflags=-X=main.who=me", "GOEXPERIMENT=nodwarf5", "GOAMD64=v3", "CGO_ENABLED=1"}
	require.NoError(t, first.make(t.Context()))
	require.NoError(t, second.make(t.Context()))
	for _, sums := range []string{"SHA256SUMS", "SHA3-512SUMS"} {
		require.Equal(t, read(t, here, sums), read(t, there, sums))
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	for line := range strings.Lines(read(t, here, "SHA3-512SUMS")) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), " *")
		require.True(t, ok)
		program := read(t, here, name)
		require.Equal(t, fmt.Sprintf("%x", sha3.Sum512([]byte(program))), sum)
		for _, trace := range []string{here, os.TempDir() + "/", strings.TrimSpace(string(goroot))} {
			require.False(t, strings.Contains(program, trace), "%s names %s", name, trace)
		}
	}
}

// TestT32NotFromACommit: what nobody could build again is not released, and the
// release before it stays.
func TestT32NotFromACommit(t *testing.T) {
	dir := clone(t, "a")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "out"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out", "before"), []byte("x"), 0o600))
	readme := filepath.Join(dir, "README.md")
	require.NoError(t, os.WriteFile(readme, []byte("another"), 0o600))
	err := releaseOf(dir).make(t.Context())
	require.ErrorIs(t, err, errSource)
	require.ErrorContains(t, err, "files differ from commit")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, ".git")))
	require.Error(t, releaseOf(dir).make(t.Context()))
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestPlatforms(t *testing.T) {
	for _, bad := range []string{"", "linux", "/amd64", "linux/", "linux/amd64/v1", "../linux/amd64", "linux /amd64"} {
		require.ErrorIs(t, (&release{}).add(bad), errPlatform, "%q", bad)
	}
}

func releaseOf(dir string) *release {
	return &release{
		source: dir, out: filepath.Join(dir, "out", "release"), say: func(string) {},
		programs:  programs[:1], // the other one is built in the same way, from more packages
		platforms: []platform{{runtime.GOOS, runtime.GOARCH}},
	}
}

// clone makes a clone of the commit that is tested.
func clone(t *testing.T, name string) string {
	t.Helper()
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skip("not in a git repository: there is no commit to build")
	}
	dir := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("git", "clone", "--quiet", "--no-hardlinks", string(bytes.TrimSpace(root)), dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "out", "release", name))
	require.NoError(t, err)
	return string(data)
}
