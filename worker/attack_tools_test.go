package worker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	command "go.temporal.io/api/command/v1"
	common "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	history "go.temporal.io/api/history/v1"
	taskqueue "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/interlock-run/interlock/deploy/devserver"
	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// What somebody has who may write to the Temporal namespace: Temporal's own
// client, its API and its CLI. Nothing here is this project's code.

// crowd is how many do it at once.
const crowd = 64

// patient are terms whose first lease outlasts every attack: it must not be
// the lease that stops it.
var patient = evidence.Terms{LeaseMS: 600_000, IntervalMS: 1000, WindowMS: 60_000}

// temporalCLI runs the CLI against the test's server.
func temporalCLI(t *testing.T, args ...string) {
	t.Helper()
	server := devservertest.Shared(t)
	path, err := devserver.Find(t.Context(), os.Stderr)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, append(args, "--address", server.Address)...).CombinedOutput()
	require.NoError(t, err, "temporal %v: %s", args, out)
}

// roles starts a control plane alone. The function that it returns starts
// step workers, where they are wanted; both stop with the test.
func roles(t *testing.T, options ...workertest.Option) (*workertest.Fixture, func(change ...func(*worker.Config))) {
	t.Helper()
	var steps *worker.Steps
	f := workertest.New(t, append(options, workertest.WithConfig(func(c *worker.Config) { steps, c.Steps = c.Steps, nil }))...)
	return f, func(change ...func(*worker.Config)) {
		t.Helper()
		other := *f
		other.Config.Steps, other.Config.Control = steps, nil
		for _, c := range change {
			c(&other.Config)
		}
		other.Start()
		t.Cleanup(func() { f.World.Release(); other.Stop() })
	}
}

// events returns the history of a run.
func events(t *testing.T, c client.Client, id, run string) (all []*history.HistoryEvent) {
	t.Helper()
	pages := c.GetWorkflowHistory(t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for pages.HasNext() {
		e, err := pages.Next()
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// An order is a step as it was handed to the step workers, which stands in the
// history for everybody to read.
type order struct {
	event    int64 // that scheduled it
	activity string
	in       contract.RunInput
	decision *evidence.Decision
	about    evidence.Subject
}

// orderOf waits for the order of a step.
func orderOf(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, step string) (found order) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, e := range events(t, f.Client, run.GetID(), run.GetRunID()) {
			a := e.GetActivityTaskScheduledEventAttributes()
			if a.GetActivityType().GetName() != contract.RunStep {
				continue
			}
			found = order{event: e.EventId, activity: a.ActivityId}
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(a.Input, &found.in))
			rec, err := found.in.Decision.Decode()
			require.NoError(t, err)
			found.decision, found.about = rec.Predicate.(*evidence.Decision), rec.Subject
			if found.decision.Step == step {
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond, "step %s was never ordered", step)
	return found
}

// owned starts a worker of the attacker's on a queue, with a workflow of his
// own under any name. It stops with the test.
func owned(t *testing.T, c client.Client, queue, name string, fn any) {
	t.Helper()
	w := sdk.New(c, queue, worker.Options())
	w.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: name})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

// once is how an attacker calls an activity on a queue.
func once(ctx workflow.Context, queue string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: 2 * time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// replay starts workflows of the attacker's, with the given ids, all at once,
// and each hands in the same work order so many times, all at once. It returns
// when all are over, however that was.
func replay(t *testing.T, c client.Client, target string, in contract.RunInput, each int, ids ...string) {
	t.Helper()
	queue := "attack-" + workertest.Random()
	owned(t, c, queue, "attack", func(ctx workflow.Context) error {
		ctx = once(ctx, target)
		var all []workflow.Future
		for range each {
			all = append(all, workflow.ExecuteActivity(ctx, contract.RunStep, in))
		}
		for _, f := range all {
			_ = f.Get(ctx, nil)
		}
		return nil
	})
	var started sync.WaitGroup
	runs := make([]client.WorkflowRun, len(ids))
	for i, id := range ids {
		started.Go(func() {
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, "attack")
			if err != nil {
				t.Errorf("the attack did not begin: %v", err)
				return
			}
			runs[i] = run
		})
	}
	started.Wait()
	for _, run := range runs {
		require.NotNil(t, run)
		require.NoError(t, run.Get(t.Context(), nil))
	}
}

// hijack takes a workflow task of a running execution, as anybody can who
// polls its queue while its own worker is away, and answers it: the step that
// was ordered is cancelled, and others are scheduled in its run. Nobody else
// may poll the queue.
func hijack(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, instead order, target string, in ...contract.RunInput) {
	t.Helper()
	require.NoError(t, f.Client.SignalWorkflow(t.Context(), run.GetID(), run.GetRunID(), "wake", nil))
	task := pollWorkflow(t, f)
	commands := []*command.Command{{
		CommandType: enums.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
		Attributes: &command.Command_RequestCancelActivityTaskCommandAttributes{
			RequestCancelActivityTaskCommandAttributes: &command.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: instead.event},
		},
	}}
	for _, i := range in {
		commands = append(commands, schedule(t, target, i))
	}
	_, err := f.Client.WorkflowService().RespondWorkflowTaskCompleted(t.Context(), &workflowservice.RespondWorkflowTaskCompletedRequest{
		TaskToken: task, Commands: commands, Identity: "attacker", Namespace: "default",
	})
	require.NoError(t, err)
}

func pollWorkflow(t *testing.T, f *workertest.Fixture) (token []byte) {
	t.Helper()
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		task, err := f.Client.WorkflowService().PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: f.Queue}, Identity: "attacker",
		})
		cancel()
		if err == nil && len(task.TaskToken) > 0 {
			return task.TaskToken
		}
	}
	t.Fatal("there was no workflow task to hijack")
	return nil
}

func schedule(t *testing.T, target string, in contract.RunInput) *command.Command {
	t.Helper()
	input, err := converter.GetDefaultDataConverter().ToPayloads(in)
	require.NoError(t, err)
	return &command.Command{
		CommandType: enums.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &command.Command_ScheduleActivityTaskCommandAttributes{
			ScheduleActivityTaskCommandAttributes: &command.ScheduleActivityTaskCommandAttributes{
				ActivityId: "evil-" + workertest.Random(), ActivityType: &common.ActivityType{Name: contract.RunStep},
				TaskQueue: &taskqueue.TaskQueue{Name: target}, Input: input,
				ScheduleToCloseTimeout: durationpb.New(5 * time.Minute), StartToCloseTimeout: durationpb.New(2 * time.Minute),
				RetryPolicy: &common.RetryPolicy{MaximumAttempts: 1},
			},
		},
	}
}

// awaitEnds waits until so many activities of a run have ended, however that
// was.
func awaitEnds(t *testing.T, f *workertest.Fixture, run client.WorkflowRun, want int) {
	t.Helper()
	require.Eventually(t, func() bool {
		n := 0
		for _, e := range events(t, f.Client, run.GetID(), run.GetRunID()) {
			switch e.EventType {
			case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enums.EVENT_TYPE_ACTIVITY_TASK_FAILED, enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
				n++
			}
		}
		return n >= want
	}, 3*time.Minute, 100*time.Millisecond)
}

// runStepTask polls for a step as a step worker does, and returns its token.
func runStepTask(t *testing.T, f *workertest.Fixture) (token []byte) {
	t.Helper()
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		task, err := f.Client.WorkflowService().PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
			Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: f.Config.Queues.Steps}, Identity: "attacker",
		})
		cancel()
		if err == nil && len(task.TaskToken) > 0 {
			return task.TaskToken
		}
	}
	t.Fatal("there was no step to take")
	return nil
}

// otherNamespace returns a client of a second namespace, which the first call
// registers.
func otherNamespace(t *testing.T) client.Client {
	t.Helper()
	const name = "elsewhere"
	server := devservertest.Shared(t)
	c, err := server.Client(t.Context(), client.Options{Namespace: name, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, _ = c.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	}) // it may be there
	require.Eventually(t, func() bool { // the server looks for new ones from time to time
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: "probe-" + workertest.Random(), TaskQueue: "nobody", WorkflowExecutionTimeout: time.Second,
		}, "probe")
		return err == nil
	}, time.Minute, 200*time.Millisecond)
	return c
}

// asJSON is what is given to the CLI.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

// ids returns n new workflow ids.
func ids(n int) (all []string) {
	for range n {
		all = append(all, "attack-"+workertest.Random())
	}
	return all
}
