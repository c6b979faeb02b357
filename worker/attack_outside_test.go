package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestT11SignalsAndUpdatesDoNothing sends a running execution what somebody
// might hope that it listens to. There is no defence to take away: it has no
// handlers, and so no way in.
func TestT11SignalsAndUpdatesDoNothing(t *testing.T) {
	f := workertest.New(t)
	run := f.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.forbidden", `{}`, "a"))
	f.World.Await(t)
	for _, name := range []string{"approve", "resume", "skip", "complete", contract.Decide, contract.RunStep, contract.Seal} {
		input := contract.DecideOutput{Allowed: []contract.Work{{Step: "b"}}}
		require.NoError(t, f.Client.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), name, input))
		handle, err := f.Client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: name,
			WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{input},
		})
		if err == nil {
			err = handle.Get(t.Context(), nil)
		}
		require.Error(t, err, "an update was taken")
	}
	temporalCLI(t, "workflow", "signal", "--workflow-id", run.GetID(), "--name", "approve", "--input", `{"step":"b"}`)
	f.World.Release()
	report := f.Verified(run)
	require.Equal(t, evidence.Denied, report.Verdict)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateDone, "b": evidence.StateDenied}, states(report))
	require.Equal(t, 6, report.Records, "request, grant, decision, outcome, denial, seal: nothing else")
	require.Zero(t, f.World.Count("desk.forbidden"))
}
