package devserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// orphanVariable makes this test binary a parent that dies without warning; its
// value is the file that gets the child's number.
const orphanVariable = "DEVSERVER_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if file := os.Getenv(orphanVariable); file != "" {
		abandonChild(file)
	}
	os.Exit(m.Run())
}

// abandonChild starts a child and ends this process as a crash would.
func abandonChild(file string) {
	p, err := startProcess(exec.Command("sleep", "60"))
	if err == nil {
		err = os.WriteFile(file, fmt.Append(nil, p.cmd.Process.Pid), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// TestChildDiesWithUs checks that a server does not outlive a test binary that
// panics, times out, or is killed.
func TestChildDiesWithUs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), orphanVariable+"="+file)
	output, err := parent.CombinedOutput()
	require.ErrorContains(t, err, "signal: killed", "%s", output)
	assertGone(t, file)
}

// TestChildrenOutliveThreads checks that a child is bound to the process and not
// to a thread. A goroutine that ends while it is locked to its thread ends the
// thread; here many do, first among them those that asked for the children.
func TestChildrenOutliveThreads(t *testing.T) {
	var children [20]*process
	var asking sync.WaitGroup
	for i := range children {
		asking.Go(func() {
			runtime.LockOSThread()
			p, err := startProcess(exec.Command("sleep", "60"))
			assert.NoError(t, err)
			children[i] = p
		})
	}
	asking.Wait()
	for range 500 {
		asking.Go(runtime.LockOSThread)
	}
	asking.Wait()
	for _, p := range children {
		require.NotNil(t, p)
		assert.False(t, p.endsWithin(10*time.Millisecond), "the child died with a thread")
		require.NoError(t, p.stop(time.Second))
	}
}
