//go:build unix

package devserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pidIn waits for a process to write its number into file.
func pidIn(t testing.TB, file string) int {
	t.Helper()
	var pid int
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	}, 10*time.Second, 5*time.Millisecond, "no process wrote to %s", file)
	return pid
}

// assertGone checks that the process whose number is in file ends soon. One
// that has ended and waits for its parent to notice counts as gone.
func assertGone(t testing.TB, file string) {
	t.Helper()
	pid := pidIn(t, file)
	assert.Eventually(t, func() bool { return !runs(pid) },
		5*time.Second, 10*time.Millisecond, "process %d is still there", pid)
}

func runs(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(state), "Z")
}

// TestStopReachesTheGroup checks that a wrapper script cannot keep its child
// alive, with either of them deaf to SIGTERM.
func TestStopReachesTheGroup(t *testing.T) {
	tests := map[string]string{
		"polite":       `sleep 60 & echo $! > $PIDFILE; wait`,
		"deaf wrapper": `trap "" TERM; sleep 60 & echo $! > $PIDFILE; while :; do sleep 1; done`,
		"deaf child":   `(trap "" TERM; while :; do sleep 1; done) & echo $! > $PIDFILE; wait`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			cmd := exec.Command("sh", "-c", body)
			cmd.Env = append(os.Environ(), "PIDFILE="+file)
			p, err := startProcess(cmd)
			require.NoError(t, err)
			pidIn(t, file)
			require.NoError(t, p.stop(200*time.Millisecond))
			assertGone(t, file)
		})
	}
}
