package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// BenchmarkGovernance runs the same five-step workflow with and without
// governance: same server, same process, same topology (steps on a queue of
// their own), taking turns. Its ratios are what counts; the times are this
// machine's.
//
// One iteration is one pair of executions for the latency, and 128 pairs, 32
// at once, for the throughput; there, where PostgreSQL is installed, 128 more
// take their turn that are governed with their evidence in it.
func BenchmarkGovernance(b *testing.B) {
	f := workertest.New(b)
	queue := startUngoverned(b, f)
	governed := func() client.WorkflowRun { return beginGoverned(b, f) }
	ungoverned := func() client.WorkflowRun { return beginUngoverned(b, f, queue) }
	for range 20 { // warm up
		finish(b, governed())
		finish(b, ungoverned())
	}
	b.Run("latency", func(b *testing.B) { benchLatency(b, governed, ungoverned) })
	onPostgres := governedOnPostgres(b)
	b.Run("throughput32", func(b *testing.B) { benchThroughput(b, governed, onPostgres, ungoverned) })
	b.Run("history", func(b *testing.B) { benchHistory(b, f, governed, ungoverned) })
}

func benchLatency(b *testing.B, governed, ungoverned func() client.WorkflowRun) {
	var with, without []time.Duration
	for i := range b.N {
		if i%2 == 0 {
			with = append(with, timed(b, governed))
			without = append(without, timed(b, ungoverned))
		} else {
			without = append(without, timed(b, ungoverned))
			with = append(with, timed(b, governed))
		}
	}
	report(b, "p50", quantile(with, 0.5), quantile(without, 0.5))
	report(b, "p99", quantile(with, 0.99), quantile(without, 0.99))
	throughput(b, len(with), sum(with), sum(without))
}

func sum(d []time.Duration) (total time.Duration) {
	for _, x := range d {
		total += x
	}
	return total
}

// throughput reports n executions in the given times; above 1 the governed
// ones were faster.
func throughput(b *testing.B, n int, with, without time.Duration) {
	b.ReportMetric(float64(n)/with.Seconds(), "governed/s")
	b.ReportMetric(float64(n)/without.Seconds(), "bare/s")
	b.ReportMetric(without.Seconds()/with.Seconds(), "throughput-ratio")
}

func timed(b *testing.B, begin func() client.WorkflowRun) time.Duration {
	start := time.Now()
	finish(b, begin())
	return time.Since(start)
}

func quantile(d []time.Duration, q float64) float64 {
	slices.Sort(d)
	return float64(d[int(q*float64(len(d)-1))].Microseconds()) / 1000
}

func report(b *testing.B, name string, with, without float64) {
	b.ReportMetric(with, name+"-governed-ms")
	b.ReportMetric(without, name+"-bare-ms")
	b.ReportMetric(with/without, name+"-ratio")
}

// governedOnPostgres is like governed, over a PostgreSQL that flushes to the same
// disk as SQLite; nil where there is none.
func governedOnPostgres(b *testing.B) func() client.WorkflowRun {
	server, err := pgserver.New(b.Context(), pgserver.Disk)
	if errors.Is(err, pgserver.ErrMissing) {
		b.Log("without PostgreSQL: ", err)
		return nil
	}
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, server.Stop()) })
	f := workertest.New(b, workertest.WithConfig(func(c *worker.Config) {
		c.Store = server.URL(pgserver.Superuser, "postgres")
	}))
	finish(b, beginGoverned(b, f))
	return func() client.WorkflowRun { return beginGoverned(b, f) }
}

func benchThroughput(b *testing.B, governed, onPostgres, ungoverned func() client.WorkflowRun) {
	const each = 32
	begin := []func() client.WorkflowRun{governed, ungoverned, onPostgres}
	if onPostgres == nil {
		begin = begin[:2]
	}
	took := make([]time.Duration, 3)
	for i := range b.N {
		for turn := range begin {
			which := (i + turn) % len(begin)
			took[which] += together(b, each, begin[which])
		}
	}
	n := b.N * each * perWorker
	throughput(b, n, took[0], took[1])
	if onPostgres != nil {
		b.ReportMetric(float64(n)/took[2].Seconds(), "postgres-governed/s")
		b.ReportMetric(took[1].Seconds()/took[2].Seconds(), "postgres-throughput-ratio")
	}
}

// perWorker is how many executions each of the concurrent ones runs in a row.
const perWorker = 4

func together(b *testing.B, n int, begin func() client.WorkflowRun) time.Duration {
	start := time.Now()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for range perWorker {
				finish(b, begin())
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

func benchHistory(b *testing.B, f *workertest.Fixture, governed, ungoverned func() client.WorkflowRun) {
	for range b.N {
		for name, begin := range map[string]func() client.WorkflowRun{"governed": governed, "bare": ungoverned} {
			run := begin()
			finish(b, run)
			d, err := f.Client.DescribeWorkflowExecution(b.Context(), run.GetID(), run.GetRunID())
			require.NoError(b, err)
			b.ReportMetric(float64(d.WorkflowExecutionInfo.HistoryLength), name+"-events")
			b.ReportMetric(float64(d.WorkflowExecutionInfo.HistorySizeBytes), name+"-bytes")
		}
	}
}

func finish(b *testing.B, run client.WorkflowRun) {
	if err := run.Get(context.Background(), nil); err != nil {
		b.Errorf("execution %s: %v", run.GetID(), err)
	}
}

func beginGoverned(b *testing.B, f *workertest.Fixture) client.WorkflowRun {
	var steps []evidence.Step
	for i := range 5 {
		s := workertest.Step(fmt.Sprint("s", i), "desk.note", `{"text":"hello"}`)
		if i > 0 {
			s.Needs = []string{fmt.Sprint("s", i-1)}
		}
		steps = append(steps, s)
	}
	r := f.Request(steps...)
	return f.Submit(r.ID, f.Sign(evidencetest.Alice, r))
}

var bareCount atomic.Int64

func beginUngoverned(b *testing.B, f *workertest.Fixture, queue string) client.WorkflowRun {
	run, err := f.Client.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{
		ID: fmt.Sprint(queue, "-", bareCount.Add(1)), TaskQueue: queue,
	}, "bare", json.RawMessage(`{"text":"hello"}`))
	if err != nil {
		b.Fatal(err)
	}
	return run
}

// startUngoverned starts the workers of the ungoverned workflow, with the same
// options as the governed one's.
func startUngoverned(b *testing.B, f *workertest.Fixture) string {
	queue := "bare-" + workertest.Random()
	options := worker.Options()
	flow := sdk.New(f.Client, queue, options)
	flow.RegisterWorkflowWithOptions(func(ctx workflow.Context, args json.RawMessage) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: queue + "-steps", StartToCloseTimeout: time.Minute, HeartbeatTimeout: 2 * time.Second,
		})
		for range 5 {
			if err := workflow.ExecuteActivity(ctx, "note", args).Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	}, workflow.RegisterOptions{Name: "bare"})
	steps := sdk.New(f.Client, queue+"-steps", options)
	steps.RegisterActivityWithOptions(func(_ context.Context, args json.RawMessage) (json.RawMessage, error) {
		return args, nil
	}, activity.RegisterOptions{Name: "note"})
	require.NoError(b, flow.Start())
	require.NoError(b, steps.Start())
	b.Cleanup(func() { flow.Stop(); steps.Stop() })
	return queue
}
