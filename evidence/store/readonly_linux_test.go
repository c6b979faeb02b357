package store_test

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/store"
)

// refuseWrites makes the system refuse to write to any file, for all of this
// process and also for root, until the returned function is called. (Modes do
// not stop root, and do not stop anyone who has the file open.) From outside,
// `prlimit --fsize=0:unlimited --pid PID` does the same to a running program.
func refuseWrites(t *testing.T) (allow func()) {
	t.Helper()
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: old.Max}))
	allow = func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) }
	t.Cleanup(allow)
	return allow
}

// TestT22StoreRefusesWrites: when the system refuses, every write method says
// so, reads go on, nothing has changed, and afterwards all is as before.
//
// It runs in a process of its own, whose other files nobody needs.
func TestT22StoreRefusesWrites(t *testing.T) {
	const alone = "INTERLOCK_STORE_TEST_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	w := newWorld(t, openAt(t, tempPath(t)))
	allow := refuseWrites(t)
	errs := writes(w)
	_, opening := store.Open(ctx, tempPath(t))
	for range 3 { // nor later
		if err := w.Ping(ctx); err == nil {
			errs["ping again"] = nil
		}
	}
	w.check(2)
	allow()

	delete(errs, "append nothing") // it writes nothing, and may succeed
	for name, err := range errs {
		require.ErrorIs(t, err, store.ErrUnavailable, name)
	}
	require.ErrorIs(t, opening, store.ErrUnavailable)
	require.ErrorContains(t, opening, "must be able to write")
	w.check(2)
	checkChain(t, w, runOf("writes"), 0)
	for name, err := range writes(w) {
		require.NoError(t, err, name)
	}
}

// TestOpenUnwritable opens a file of another user, who lets everyone read it.
func TestOpenUnwritable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have a process of another user")
	}
	dir, err := os.MkdirTemp("", "interlock")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	path := dir + "/evidence.db"
	require.NoError(t, openAt(t, path).Close())
	require.NoError(t, os.Chmod(path, 0o644))

	cmd := child("open", path)
	cmd.Path = "/proc/self/exe" // the folder of the binary may be closed to others
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var out bytes.Buffer
	cmd.Stdout = &out
	require.Error(t, cmd.Run())
	require.Contains(t, out.String(), store.ErrUnavailable.Error())
	require.Contains(t, out.String(), "must be able to write")
}
