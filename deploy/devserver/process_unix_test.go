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
// alive, with either of them deaf to SIGTERM, and that it does not keep the
// signal from its child.
func TestStopReachesTheGroup(t *testing.T) {
	const forever = `while :; do sleep 0.05; done`
	const farewell = `trap ": > $FILE.bye; exit" TERM; echo $$ > $FILE; ` + forever
	tests := []struct {
		name, body string
		farewell   bool // the child gets to say it
	}{
		{"polite", `sleep 60 & echo $! > $FILE; wait`, false},
		{"deaf wrapper", `trap "" TERM; sleep 60 & echo $! > $FILE; ` + forever, false},
		{"deaf child", `(trap "" TERM; ` + forever + `) & echo $! > $FILE; wait`, false},
		{"waiting wrapper", `trap : TERM; sh -c '` + farewell + `' & wait; wait`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pid")
			cmd := exec.Command("sh", "-c", tt.body)
			cmd.Env = append(os.Environ(), "FILE="+file)
			p, err := startProcess(cmd)
			require.NoError(t, err)
			pidIn(t, file)
			grace := 200 * time.Millisecond
			if tt.farewell {
				grace = 10 * time.Second
			}
			require.NoError(t, p.stop(grace))
			assertGone(t, file)
			assert.Equal(t, tt.farewell, exists(file+".bye"))
		})
	}
}
