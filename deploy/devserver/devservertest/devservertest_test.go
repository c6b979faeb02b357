package devservertest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver"
)

func TestMain(m *testing.M) { Main(m) }

func TestSharedIsOne(t *testing.T) {
	servers := make([]*devserver.Server, 4)
	var asking sync.WaitGroup
	for i := range servers {
		asking.Go(func() { servers[i] = Shared(t) })
	}
	asking.Wait()
	for _, s := range servers {
		require.Same(t, servers[0], s)
	}
	require.NoError(t, servers[0].Err())
}

// roleVariable makes TestRole do something, in a process of its own.
const roleVariable = "DEVSERVERTEST_ROLE"

func TestRole(t *testing.T) {
	switch os.Getenv(roleVariable) {
	case "print":
		fmt.Printf("its log is %s.\n", Shared(t).Log)
	case "nobody in charge":
		require.NoError(t, shared.stop())
		Shared(t)
	case "no server":
		t.Setenv("PATH", t.TempDir())
		t.Setenv("INTERLOCK_ROOT", t.TempDir())
		Shared(t)
	}
}

// runRole runs a whole test process and returns what it prints.
func runRole(role string) (string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRole$", "-test.v")
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// TestMainStopsTheServer looks for the folder that only an orderly stop
// removes: the process itself may be gone for other reasons.
func TestMainStopsTheServer(t *testing.T) {
	output, err := runRole("print")
	require.NoError(t, err, output)
	log := regexp.MustCompile(`its log is (.*)\.\n`).FindStringSubmatch(output)
	require.NotNil(t, log, output)
	assert.NoFileExists(t, log[1])
}

// TestSharedFails checks that a test without a server fails, and says why.
func TestSharedFails(t *testing.T) {
	tests := map[string]string{
		"nobody in charge": "devservertest.Main(m)",
		"no server":        "install the Temporal CLI",
	}
	for role, want := range tests {
		t.Run(role, func(t *testing.T) {
			output, err := runRole(role)
			assert.Error(t, err)
			assert.Contains(t, output, "--- FAIL: TestRole")
			assert.Contains(t, output, want)
		})
	}
}

// TestFailureIsKept checks that the tests after the first failing one fail at
// once, and in the same way.
func TestFailureIsKept(t *testing.T) {
	var h holder
	h.own()
	t.Setenv("PATH", t.TempDir())
	t.Setenv("INTERLOCK_ROOT", t.TempDir())
	_, first := h.get()
	require.Error(t, first)
	t.Setenv("INTERLOCK_ROOT", "")
	_, second := h.get()
	assert.Equal(t, first, second)
	assert.NoError(t, h.stop())
}
