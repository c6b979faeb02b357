package workflows_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows"
	"github.com/interlock-run/interlock/workflows/contract"
)

const resolved = "testdata/histories/resolve"

// TestReplayResolve is TestReplay for the workflow that records resolutions.
func TestReplayResolve(t *testing.T) {
	files, err := filepath.Glob(resolved + "/*.json")
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			r.RegisterWorkflowWithOptions(workflows.ResolveStep, workflow.RegisterOptions{Name: contract.ResolveWorkflow})
			require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(nil, file))
		})
	}
}

// TestReplayResolveCatchesAnotherActivity checks that TestReplayResolve can
// fail.
func TestReplayResolveCatchesAnotherActivity(t *testing.T) {
	changed := func(ctx workflow.Context, _ evidence.Envelope) error {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
		return workflow.ExecuteLocalActivity(ctx, contract.Seal, contract.SealInput{}).Get(ctx, nil)
	}
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(changed, workflow.RegisterOptions{Name: contract.ResolveWorkflow})
	require.ErrorContains(t, r.ReplayWorkflowHistoryFromJSONFile(nil, resolved+"/recorded.json"), "TMPRL1100")
}

// TestRecordResolve records a resolution that was recorded, and one that was
// refused: make histories.
func TestRecordResolve(t *testing.T) {
	if !*record {
		t.Skip("histories are recorded with make histories only")
	}
	f := workertest.New(t)
	request := f.Request(workertest.Step("a", "desk.lose", `{}`))
	request.ID = "recorded-resolve-" + workertest.Random()[:8]
	run := f.Submit(request.ID, f.Sign(evidencetest.Alice, request))
	f.Verified(run)
	var l evidence.Lineage
	for _, e := range f.Proof(run).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		require.NoError(t, l.Add(rec))
	}
	p, err := l.Resolve("a")
	require.NoError(t, err)
	p.At, p.Operator, p.Found, p.Note = evidence.TimeOf(time.Now()), evidencetest.Operator, evidence.NotHappened, "the ledger has nothing"
	for _, tt := range []struct{ name, key string }{{"refused", evidencetest.Alice}, {"recorded", evidencetest.Operator}} {
		signed, err := evidencetest.Signer(tt.key).Sign(l.Subject(), p)
		require.NoError(t, err)
		resolving, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: contract.ResolveID(run.GetRunID(), "a"), TaskQueue: f.Queue,
		}, contract.ResolveWorkflow, signed)
		require.NoError(t, err)
		require.Equal(t, tt.name == "recorded", resolving.Get(t.Context(), nil) == nil)
		save(t, f, resolving, "resolve/"+tt.name)
	}
}
