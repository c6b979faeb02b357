package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestT22StoreRefusesTheTakeover: a run that continues an execution of which
// something was done must not end as a denial, by which nothing of it ran.
func TestT22StoreRefusesTheTakeover(t *testing.T) {
	if !alone(t) {
		return
	}
	f := workertest.New(t, briefly(60))
	run := f.Begin(inARow(12)...)
	f.Verified(run)
	var request evidence.Envelope
	var left contract.Handover
	workertest.Input(f, run.GetID(), f.Runs(run)[1], &request, &left)
	allow := refuseWrites(t)
	again, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: run.GetID(), TaskQueue: f.Queue}, contract.Workflow, request, left)
	require.NoError(t, err)
	receipt, err := f.Wait(again)
	allow()
	require.ErrorContains(t, err, contract.ErrTypeUnsealed)
	require.NotEqual(t, evidence.Denied, receipt.Verdict, "steps of this execution were done")
}
