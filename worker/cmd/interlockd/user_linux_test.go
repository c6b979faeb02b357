package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
)

// another is a user that owns nothing, until it is given something.
const another = 65534

// as runs the built interlockd as another user. It ends with the test.
func as(t *testing.T, uid uint32, interlockd string, args ...string) *daemon {
	t.Helper()
	d := &daemon{done: make(chan int, 1)}
	cmd := exec.Command(interlockd, args...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &d.out, &d.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its error is the exit code
		d.done <- cmd.ProcessState.ExitCode()
		close(ended)
	}()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); <-ended })
	return d
}

// TestT23RolesAreUsers: what counts is what the process can open. In one
// folder, with one interlock.yaml that names every key, the control plane
// starts as the user to whom only its own keys belong; as root, who can read
// them all, it does not.
func TestT23RolesAreUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run a program as another user")
	}
	server := devservertest.Shared(t)
	dir := initialised(t, cli(t), "--address", server.Address)
	secret(t, filepath.Join(dir, "secrets"), filepath.Join(dir, "interlock.yaml"))
	for _, path := range []string{"", "keys", "keys/authority.pem", "keys/recorder.pem", "interlock.yaml"} {
		require.NoError(t, os.Chown(filepath.Join(dir, path), another, another))
	}
	interlockd := built(t, "../interlockd")
	args := []string{"worker", "--config", dir, "--roles", "control"}

	apart := as(t, another, interlockd, args...)
	working, code := apart.goes(t)
	require.True(t, working, "it ended with %d:\n%s", code, apart.out.String())

	root := as(t, 0, interlockd, args...)
	working, code = root.goes(t)
	require.False(t, working)
	require.Equal(t, exitUsage, code, root.out.String())
	for _, want := range []string{"keys/worker.pem", "keys/principal.pem", "secrets: this process can read"} {
		require.Contains(t, root.out.String(), want)
	}

	// A single file that the user may open after all is enough.
	require.NoError(t, os.Chown(filepath.Join(dir, "keys/worker.pem"), another, another))
	mixed := as(t, another, interlockd, args...)
	working, code = mixed.goes(t)
	require.False(t, working)
	require.Equal(t, exitUsage, code, mixed.out.String())
	require.Contains(t, mixed.out.String(), "keys/worker.pem")
	require.NotContains(t, mixed.out.String(), "keys/principal.pem")
}
