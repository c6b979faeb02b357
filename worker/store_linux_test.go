package worker_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/workertest"
)

// alone runs the test in a process of its own, whose other files nobody needs,
// and reports whether this is that process.
func alone(t *testing.T) bool {
	const mark = "INTERLOCK_TEST_ALONE"
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), mark+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return false
}

// refuseWrites makes the system refuse to write to any file, for this process
// and also for root, until the returned function is called. The Temporal
// server is another process and goes on.
func refuseWrites(t *testing.T) (allow func()) {
	t.Helper()
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: old.Max}))
	allow = func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) }
	t.Cleanup(allow)
	return allow
}

// TestT22StoreRefusesWritesFromTheStart: no write, no effect, and the verdict
// says so. The evidence is in the Temporal history instead.
func TestT22StoreRefusesWritesFromTheStart(t *testing.T) {
	if !alone(t) {
		return
	}
	f := workertest.New(t)
	allow := refuseWrites(t)
	run := f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))
	_, _ = f.Wait(run)
	allow()
	report := f.Verified(run)
	require.Equal(t, evidence.Denied, report.Verdict)
	require.Equal(t, "store.unavailable", report.Cause)
	requireNothingAllowed(t, f, run.GetID())
	require.Empty(t, f.World.Effects())

	// The store is back, and so is the product, without a restart.
	require.Equal(t, evidence.Completed, f.Verified(f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))).Verdict)
}

// TestT22StoreRefusesWritesBetweenSteps: what was allowed before ends; nothing
// is allowed after.
func TestT22StoreRefusesWritesBetweenSteps(t *testing.T) {
	if !alone(t) {
		return
	}
	f := workertest.New(t)
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	f.World.Await(t)
	allow := refuseWrites(t)
	f.World.Release()
	_, _ = f.Wait(run)
	allow()
	report := f.Verified(run)
	require.Equal(t, evidence.Halted, report.Verdict)
	require.Equal(t, "store.unavailable", report.Cause)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateDone, "b": evidence.StateNotStarted}, states(report))
	require.Len(t, f.World.Effects(), 1)
}

// TestT22StoreRefusesWritesWhileAStepRuns: the watch notices, and the step is
// stopped.
func TestT22StoreRefusesWritesWhileAStepRuns(t *testing.T) {
	if !alone(t) {
		return
	}
	f := workertest.New(t, workertest.WithTerms(quick))
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	f.World.Await(t)
	allow := refuseWrites(t)
	_, _ = f.Wait(run)
	allow()
	report := f.Verified(run)
	require.Equal(t, evidence.Halted, report.Verdict)
	require.Contains(t, []string{"probe.store", "store.unavailable"}, report.Cause)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateCancelled, "b": evidence.StateNotStarted}, states(report))
	require.Empty(t, f.World.Effects())
}
