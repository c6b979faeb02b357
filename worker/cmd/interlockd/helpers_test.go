package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
)

// patience bounds every wait.
const patience = 3 * time.Minute

func TestMain(m *testing.M) { devservertest.Main(m) }

// built builds a program of this module, given the path of its package, such
// that every user can run it.
func built(t *testing.T, pkg string) string {
	t.Helper()
	program := filepath.Join(open(t), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// cli builds the program that has init.
func cli(t *testing.T) string { return built(t, "../../../starter/cmd/interlock") }

// open makes a folder for the time of the test that every user can enter, so
// that only the modes of what is in it count.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "interlockd-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// initialised makes a folder with interlock init.
func initialised(t *testing.T, cli string, args ...string) string {
	t.Helper()
	dir := filepath.Join(open(t), "desk")
	out, err := exec.Command(cli, append(append([]string{"init"}, args...), dir)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// edit replaces text in a file, where it must stand once.
func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(data), old), "%s: %s", path, old)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600))
}

// copyFile copies a file, for its owner only.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// A daemon is an interlockd in this process or another.
type daemon struct {
	out  lockedBuffer
	stop func()
	done chan int // its exit code
}

// goes reports whether the daemon gets as far as working, and stops it if so;
// code is its exit code if not.
func (d *daemon) goes(t *testing.T) (working bool, code int) {
	t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(d.out.String(), "interlockd is working") {
		select {
		case code = <-d.done:
			d.done <- code
			return false, code
		case <-deadline:
			t.Fatalf("it neither works nor ends:\n%s", d.out.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true, 0
}

// here runs interlockd in this process. It stops with the test.
func here(t *testing.T, args ...string) *daemon {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemon{stop: cancel, done: make(chan int, 1)}
	ended := make(chan struct{})
	go func() {
		d.done <- run(ctx, args, &d.out, &d.out)
		close(ended)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return d
}

// A lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
