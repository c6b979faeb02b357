package worker_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/workertest"
)

// quick are terms under which a test sees leases renewed.
var quick = evidence.Terms{LeaseMS: 3000, IntervalMS: 100, WindowMS: 1000}

func states(r *evidence.Report) map[string]evidence.State {
	m := map[string]evidence.State{}
	for _, s := range r.Steps {
		m[s.ID] = s.State
	}
	return m
}

func TestPolicyChangedOnDiskHalts(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(quick))
	run := f.Begin(workertest.Step("ship", "desk.wait", `{}`), workertest.Step("notify", "desk.note", `{}`, "ship"))
	f.World.Await(t)
	f.Write("policy.yaml", workertest.Policy+"# a comment\n")
	report := f.Verified(run)
	require.Equal(t, evidence.Halted, report.Verdict)
	require.Equal(t, "probe.policy", report.Cause)
	require.Equal(t, map[string]evidence.State{"ship": evidence.StateCancelled, "notify": evidence.StateNotStarted}, states(report))
	require.Empty(t, f.World.Effects())

	// The same file is what the next request is judged by: nothing starts.
	denied := f.Verified(f.Begin(workertest.Step("a", "desk.read", `{}`)))
	require.Equal(t, evidence.Denied, denied.Verdict)
	require.Equal(t, "probe.policy", denied.Cause)
}

func TestPolicyChangedBetweenStepsHalts(t *testing.T) {
	f := workertest.New(t) // a lease so long that Watch never starts: Decide must see it
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.note", `{}`, "a"))
	f.World.Await(t)
	f.Write("actions.yaml", workertest.Catalogue+"# a comment\n")
	f.World.Release()
	report := f.Verified(run)
	require.Equal(t, evidence.Halted, report.Verdict)
	require.Equal(t, "probe.catalogue", report.Cause)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateDone, "b": evidence.StateNotStarted}, states(report))
	require.Len(t, f.World.Effects(), 1)
}

// TestLeaseIsRenewed runs a step for several leases and several windows.
func TestLeaseIsRenewed(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(evidence.Terms{LeaseMS: 1500, IntervalMS: 100, WindowMS: 500}))
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.note", `{}`, "a"))
	f.World.Await(t)
	require.Eventually(t, func() bool { return f.Progress(run).Signals >= 4 }, time.Minute, 50*time.Millisecond)
	f.World.Release()
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict, report.Cause)
}

func TestCancelledByTheCaller(t *testing.T) {
	f := workertest.New(t)
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.note", `{}`, "a"))
	f.World.Await(t)
	require.NoError(t, f.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
	report := f.Verified(run)
	require.Equal(t, evidence.Cancelled, report.Verdict)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateCancelled, "b": evidence.StateNotStarted}, states(report))
	require.Empty(t, f.World.Effects())
}

// TestStoppedAfterItActed: a write that was stopped after it had acted is not
// called cancelled because it could be repeated. Nobody repeats it.
func TestStoppedAfterItActed(t *testing.T) {
	for name, stop := range map[string]func(*workertest.Fixture, client.WorkflowRun){
		"by the caller": func(f *workertest.Fixture, run client.WorkflowRun) {
			require.NoError(t, f.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
		},
		"by a policy that changed": func(f *workertest.Fixture, _ client.WorkflowRun) {
			f.Write("policy.yaml", workertest.Policy+"# a comment\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := workertest.New(t, workertest.WithTerms(quick))
			run := f.Begin(workertest.Step("a", "desk.stamp", `{}`), workertest.Step("b", "desk.note", `{}`, "a"))
			f.World.Await(t)
			stop(f, run)
			report := f.Verified(run)
			require.Equal(t, evidence.Unresolved, report.Verdict)
			require.Equal(t, map[string]evidence.State{"a": evidence.StateUnresolved, "b": evidence.StateNotStarted}, states(report))
			require.Len(t, f.World.Effects(), 1)
		})
	}
}

func TestPolicyFileGoneHalts(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(quick))
	run := f.Begin(workertest.Step("ship", "desk.wait", `{}`))
	f.World.Await(t)
	require.NoError(t, os.Remove(f.Path("policy.yaml")))
	report := f.Verified(run)
	require.Equal(t, evidence.Halted, report.Verdict)
	require.Equal(t, "probe.policy", report.Cause)
}

// TestParallel runs steps that do not need one another at the same time.
func TestParallel(t *testing.T) {
	f := workertest.New(t)
	run := f.Begin(
		workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.wait", `{}`),
		workertest.Step("c", "desk.wait", `{}`), workertest.Step("d", "desk.note", `{}`, "a", "b", "c"),
	)
	for range 3 {
		f.World.Await(t)
	}
	f.World.Release()
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict)
	require.Len(t, f.World.Effects(), 4)
	require.Equal(t, "d", f.World.Effects()[3].Step)
}

// TestParallelFailureStopsTheOthers: what runs beside a failed step is
// cancelled, and what needs neither never starts.
func TestParallelFailureStopsTheOthers(t *testing.T) {
	f := workertest.New(t)
	run := f.Begin(
		workertest.Step("slow", "desk.wait", `{}`), workertest.Step("bad", "desk.fail", `{}`),
		workertest.Step("after", "desk.note", `{}`, "slow"),
	)
	report := f.Verified(run)
	require.Equal(t, evidence.Failed, report.Verdict)
	require.Equal(t, map[string]evidence.State{
		"slow": evidence.StateCancelled, "bad": evidence.StateFailed, "after": evidence.StateNotStarted,
	}, states(report))
	require.Empty(t, f.World.Effects())
}

// TestWorkersRestart stops and starts the workers while a step runs: the
// execution goes on from its history.
func TestWorkersRestart(t *testing.T) {
	f := workertest.New(t, workertest.WithTerms(quick))
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	f.World.Await(t)
	f.Stop()
	f.Start()
	f.World.Await(t) // the step again, with the same key
	f.World.Release()
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict, report.Cause)
	require.Len(t, f.World.Effects(), 2)
}
