package workflows_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	governing "github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows"
	"github.com/interlock-run/interlock/workflows/contract"
)

var record = flag.Bool("record", false, "record the histories in testdata again")

func TestMain(m *testing.M) { devservertest.Main(m) }

// TestReplay runs every recorded history through today's workflow code.
//
// A failure means that deploying this code would break executions that are
// already running. Put the change behind workflow.GetVersion; do not record
// the history again to make the test pass.
func TestReplay(t *testing.T) {
	for _, file := range histories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			r.RegisterWorkflowWithOptions(workflows.GovernedExecution, workflow.RegisterOptions{Name: contract.Workflow})
			require.NoError(t, r.ReplayWorkflowHistoryFromJSONFile(nil, file))
		})
	}
}

// TestReplayCatchesReordering checks that TestReplay can fail: a workflow that
// seals before it authorizes must not replay.
func TestReplayCatchesReordering(t *testing.T) {
	reordered := func(ctx workflow.Context, request evidence.Envelope) error {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
		if err := workflow.ExecuteLocalActivity(ctx, contract.Seal, contract.SealInput{}).Get(ctx, nil); err != nil {
			return err
		}
		return workflow.ExecuteLocalActivity(ctx, contract.Authorize, request).Get(ctx, nil)
	}
	for _, file := range histories(t) {
		r := worker.NewWorkflowReplayer()
		r.RegisterWorkflowWithOptions(reordered, workflow.RegisterOptions{Name: contract.Workflow})
		require.ErrorContains(t, r.ReplayWorkflowHistoryFromJSONFile(nil, file), "TMPRL1100", file)
	}
}

// TestReplayCatchesAForgottenCheck checks that a workflow which starts a step
// without a decision does not replay the histories in which one was decided.
func TestReplayCatchesAForgottenCheck(t *testing.T) {
	unchecked := func(ctx workflow.Context, request evidence.Envelope) error {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Second})
		if err := workflow.ExecuteLocalActivity(ctx, contract.Authorize, request).Get(ctx, nil); err != nil {
			return err
		}
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
		return workflow.ExecuteActivity(ctx, contract.RunStep, contract.RunInput{}).Get(ctx, nil)
	}
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(unchecked, workflow.RegisterOptions{Name: contract.Workflow})
	require.ErrorContains(t, r.ReplayWorkflowHistoryFromJSONFile(nil, "testdata/histories/completed.json"), "TMPRL1100")
}

func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no histories, so nothing would be tested")
	return files
}

// An ending is one way for an execution to end, and how to get there.
type ending struct {
	name    string
	terms   evidence.Terms
	verdict evidence.Verdict
	steps   []evidence.Step
	purpose string
	options []workertest.Option
	during  func(*testing.T, *workertest.Fixture, client.WorkflowRun)
}

func endings() []ending {
	step := workertest.Step
	quick := evidence.Terms{LeaseMS: 3000, IntervalMS: 100, WindowMS: 500}
	waiting := []evidence.Step{step("ship", "desk.wait", `{}`), step("notify", "desk.note", `{}`, "ship")}
	return []ending{
		{name: "completed", verdict: evidence.Completed, steps: []evidence.Step{
			step("lookup", "desk.read", `{"id":"1"}`), step("pay", "desk.pay", `{"amount":7}`, "lookup")}},
		{name: "completed-parallel", verdict: evidence.Completed, steps: []evidence.Step{
			step("a", "desk.read", `{}`), step("b", "desk.read", `{}`), step("c", "desk.note", `{}`, "a", "b")}},
		{name: "completed-watched", verdict: evidence.Completed, terms: quick, steps: waiting,
			during: func(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
				f.World.Await(t)
				require.Eventually(t, func() bool { return f.Progress(run).Signals >= 2 }, time.Minute, 50*time.Millisecond)
				f.World.Release()
			}},
		{name: "completed-activity", verdict: evidence.Completed, options: []workertest.Option{withShipping}, steps: []evidence.Step{
			step("lookup", "desk.read", `{"id":"1"}`), step("ship", "desk.ship", `{"order":"<1>"}`, "lookup")}},
		{name: "completed-continued", verdict: evidence.Completed, terms: quick,
			options: []workertest.Option{workertest.WithConfig(func(c *governing.Config) { c.Control.MaxEvents = 60 })},
			steps:   []evidence.Step{step("ship", "desk.wait", `{}`), step("a", "desk.note", `{}`, "ship"), step("b", "desk.note", `{}`, "a"), step("c", "desk.pay", `{"amount":7}`, "b")},
			during: func(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
				f.World.Await(t)
				require.Eventually(t, func() bool { return f.Progress(run).Signals >= 7 }, time.Minute, 50*time.Millisecond)
				f.World.Release()
			}},
		{name: "denied-request", verdict: evidence.Denied, purpose: "sabotage", steps: []evidence.Step{step("a", "desk.read", `{}`)}},
		{name: "denied-step", verdict: evidence.Denied, steps: []evidence.Step{
			step("a", "desk.read", `{}`), step("b", "desk.forbidden", `{}`, "a")}},
		{name: "halted", verdict: evidence.Halted, terms: quick, steps: waiting,
			during: func(t *testing.T, f *workertest.Fixture, _ client.WorkflowRun) {
				f.World.Await(t)
				f.Write("policy.yaml", workertest.Policy+"# changed\n")
			}},
		{name: "failed", verdict: evidence.Failed, steps: []evidence.Step{
			step("a", "desk.fail", `{}`), step("b", "desk.note", `{}`, "a")}},
		{name: "unresolved", verdict: evidence.Unresolved, steps: []evidence.Step{step("a", "desk.lose", `{}`)}},
		{name: "cancelled", verdict: evidence.Cancelled, steps: waiting,
			during: func(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
				f.World.Await(t)
				require.NoError(t, f.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
			}},
	}
}

// withShipping adds an action that is a Temporal activity of a team's own.
func withShipping(f *workertest.Fixture) {
	f.Write("actions.yaml", workertest.Catalogue+"  desk.ship: {effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false, properties: {order: {type: string}}}, activity: ShipOrder}\n")
	f.Config.Steps.Activities = func(r worker.ActivityRegistry) {
		ship := func(context.Context, struct{ Order string }) error { return nil }
		r.RegisterActivityWithOptions(ship, activity.RegisterOptions{Name: "ShipOrder"})
	}
}

// TestRecord records one history per ending, for TestReplay: make histories.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("histories are recorded with make histories only")
	}
	for _, e := range endings() {
		t.Run(e.name, func(t *testing.T) {
			options := e.options
			if e.terms.LeaseMS != 0 {
				options = append(options, workertest.WithTerms(e.terms))
			}
			f := workertest.New(t, options...)
			r := f.Request(e.steps...)
			r.ID = "recorded-" + e.name + "-" + workertest.Random()[:8]
			if e.purpose != "" {
				r.Purpose = e.purpose
			}
			run := f.Submit(r.ID, f.Sign(evidencetest.Alice, r))
			if e.during != nil {
				e.during(t, f, run)
			}
			require.Equal(t, e.verdict, f.Verified(run).Verdict)
			for i, id := range f.Runs(run) {
				name := e.name
				if i > 0 {
					name = fmt.Sprintf("%s-%d", name, i+1)
				}
				save(t, f, f.Client.GetWorkflow(t.Context(), run.GetID(), id), name)
			}
		})
	}
}

func save(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, name string) {
	t.Helper()
	var h historypb.History
	events := f.Client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(t, err)
		h.Events = append(h.Events, e)
	}
	data, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&h)
	require.NoError(t, err)
	path := filepath.Join("testdata/histories", name+".json")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, append(data, '\n'), 0o644))
}
