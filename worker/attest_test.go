package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
)

// TestSignalsNameTheWorkers checks that the signals of an execution say which
// program carried out the step that ran meanwhile, and what measured it.
func TestSignalsNameTheWorkers(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(evidence.Terms{LeaseMS: 3000, IntervalMS: 100, WindowMS: 500}))
	run := f.Begin(workertest.Step("ship", "desk.wait", `{}`))
	f.World.Await(t)
	require.Eventually(t, func() bool { return f.Progress(run).Signals >= 4 }, time.Minute, 50*time.Millisecond)
	f.World.Release()
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
	var last *evidence.Signal
	for _, e := range f.Proof(run).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		if s, ok := rec.Predicate.(*evidence.Signal); ok {
			last = s
		}
	}
	require.NotNil(t, last)
	require.NotZero(t, last.Process.Executable)
	require.Equal(t, "control,steps", last.Process.Roles)
	require.Len(t, last.Workers, 1)
	require.Equal(t, "ship", last.Workers[0].Step)
	require.Equal(t, evidencetest.Worker, last.Workers[0].Worker)
	require.Equal(t, last.Process, last.Workers[0].Process, "one process has both roles here")
	require.Greater(t, last.Workers[0].Counter, uint64(1))
}
