package worker_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// settled waits until an execution is over, or an action had its effect so
// often that it does not matter any more.
func settled(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, action string, enough int) {
	t.Helper()
	require.Eventually(t, func() bool {
		d, err := f.Client.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		over := err == nil && d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		return over || f.World.Count(action) >= enough
	}, 2*time.Minute, 20*time.Millisecond)
}

// TestT18LostAnswer tells Temporal, while an irreversible step has acted and
// not answered yet, that its attempt failed and may be tried again.
func TestT18LostAnswer(t *testing.T) {
	lost := func(t *testing.T) (*workertest.Fixture, client.WorkflowRun) {
		f := workertest.New(t, workertest.WithTerms(patient))
		run := f.Begin(workertest.Step("a", "desk.strike", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
		o := orderOf(t, f, run, "a")
		f.World.Await(t)
		require.NoError(t, f.Client.CompleteActivityByID(t.Context(), "default", run.GetID(), run.GetRunID(), o.activity, nil,
			temporal.NewApplicationError("the answer was lost", "lost")))
		settled(t, f, run, "desk.strike", 2)
		f.World.Release()
		_, _ = f.Wait(run)
		return f, run
	}
	t.Run("unresolved", func(t *testing.T) {
		f, run := lost(t)
		requireUnresolved(t, f, run)
	})
	defencetest.Run(t, func(t *testing.T) bool {
		f, _ := lost(t)
		return f.World.Count("desk.strike") > 1
	}, defence.SlotOnce)
}

// TestT18AttemptsCountedAnew makes Temporal count the attempts at a step anew,
// after one that acted and got no answer. The next one, the first by that
// count, surely has no effect: the execution must not say that there was none.
func TestT18AttemptsCountedAnew(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		var calls atomic.Int32
		f := workertest.New(t, workertest.WithConfig(func(c *worker.Config) {
			c.Steps.Funcs["fail"] = executor.Func(func(context.Context, executor.Call) (json.RawMessage, error) {
				if calls.Add(1) > 1 {
					return nil, &executor.Error{Cause: "world.unreachable", NoEffect: true, Permanent: true}
				}
				return nil, &executor.Error{Cause: "world.silent"}
			})
		}), func(f *workertest.Fixture) {
			f.Write("actions.yaml", strings.ReplaceAll(workertest.Catalogue, "backoff: 10ms", "backoff: 10s"))
		})
		run := f.Begin(workertest.Step("a", "desk.fail", `{}`))
		o := orderOf(t, f, run, "a")
		require.Eventually(t, func() bool { // it waits for its next attempt
			d, err := f.Client.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
			return err == nil && len(d.PendingActivities) == 1 && d.PendingActivities[0].Attempt == 2
		}, time.Minute, 20*time.Millisecond)
		temporalCLI(t, "activity", "reset", "--workflow-id", run.GetID(), "--activity-id", o.activity)
		receipt, err := f.Wait(run)
		require.Error(t, err)
		require.Equal(t, int32(2), calls.Load())
		return receipt.Verdict != evidence.Unresolved
	}, defence.AttemptsCounted)
}

func requireUnresolved(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
	t.Helper()
	report := f.Verified(run)
	require.Equal(t, evidence.Unresolved, report.Verdict)
	require.Equal(t, map[string]evidence.State{"a": evidence.StateUnresolved, "b": evidence.StateNotStarted}, states(report))
	require.Zero(t, f.World.Count("desk.pay"), "nothing follows a step whose end is not known")
}

// TestT19StepWorkerKilled kills the process of a step worker after it acted and
// before it wrote that down. Temporal hands the step to another worker.
func TestT19StepWorkerKilled(t *testing.T) {
	killed := func(t *testing.T) (*workertest.Fixture, client.WorkflowRun) {
		f, startSteps := roles(t, workertest.WithTerms(patient))
		mark := f.Path("acted")
		child := dyingWorker(t, f, mark)
		run := f.Begin(workertest.Step("a", "desk.strike", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
		require.Error(t, child.Wait(), "it was not killed")
		require.FileExists(t, mark, "it did not act")
		startSteps()
		settled(t, f, run, "desk.strike", 1)
		f.World.Release()
		_, _ = f.Wait(run)
		return f, run
	}
	t.Run("unresolved", func(t *testing.T) {
		f, run := killed(t)
		requireUnresolved(t, f, run)
	})
	defencetest.Run(t, func(t *testing.T) bool {
		f, _ := killed(t)
		return f.World.Count("desk.strike") > 0 // once more than in the process that died
	}, defence.SlotOnce)
}

// dyingMark tells a child process what to act on before it dies.
const dyingMark = "INTERLOCK_TEST_ACT_AND_DIE"

// dyingWorker starts a step worker in a process of its own, which kills itself
// in the middle of the first step.
func dyingWorker(t *testing.T, f *workertest.Fixture, mark string) *exec.Cmd {
	t.Helper()
	trust, err := f.Trust.Encode()
	require.NoError(t, err)
	f.Write("trust.json", string(trust))
	cmd := exec.Command(os.Args[0], "-test.run=^TestDyingWorker$")
	cmd.Env = append(os.Environ(), dyingMark+"="+mark, "INTERLOCK_TEST_DIR="+f.Dir,
		"INTERLOCK_TEST_SERVER="+devservertest.Shared(t).Address, "INTERLOCK_TEST_QUEUE="+f.Config.Queues.Steps)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// TestDyingWorker is the process that [dyingWorker] starts.
func TestDyingWorker(t *testing.T) {
	mark, dir := os.Getenv(dyingMark), os.Getenv("INTERLOCK_TEST_DIR")
	if mark == "" {
		t.Skip("it is run by other tests, in a process of its own")
	}
	data, err := os.ReadFile(dir + "/trust.json")
	require.NoError(t, err)
	trust, err := evidence.ParseTrust(data)
	require.NoError(t, err)
	c, err := client.Dial(client.Options{HostPort: os.Getenv("INTERLOCK_TEST_SERVER")})
	require.NoError(t, err)
	funcs := workertest.NewWorld().Funcs()
	funcs["strike"] = executor.Func(func(context.Context, executor.Call) (json.RawMessage, error) {
		_ = os.WriteFile(mark, nil, 0o600)
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	})
	w, err := worker.New(t.Context(), worker.Config{
		Client: c, Trust: trust, Catalogue: dir + "/actions.yaml", Store: dir + "/evidence.db", Log: zap.NewNop(),
		Queues: worker.Queues{Steps: os.Getenv("INTERLOCK_TEST_QUEUE")},
		Steps:  &worker.Steps{Key: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker, Funcs: funcs},
	})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
}
