package worker_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// An ailment takes the evidence store of a fixture away until the returned
// function is called, which may be more than once. Another backend brings its
// own, and its own way to use it in a fixture.
type ailment struct {
	name   string
	use    workertest.Option // nil: SQLite, as it is
	strike func(*testing.T, *workertest.Fixture) (heal func())
}

var ailments = []ailment{
	{"refuses writes", nil, func(t *testing.T, _ *workertest.Fixture) func() { return refuseWrites(t) }},
	{"hangs for seconds", nil, lockStore},
}

// lockStore holds the write lock of the store, as another program would that
// stopped in the middle of a transaction: each write waits for five seconds.
func lockStore(t *testing.T, f *workertest.Fixture) func() {
	t.Helper()
	db, err := sql.Open("sqlite", f.Config.Store+"?_pragma=busy_timeout(60000)")
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	heal := func() { _, _ = conn.ExecContext(t.Context(), "ROLLBACK"); _ = conn.Close(); _ = db.Close() }
	t.Cleanup(heal)
	return heal
}

// waiting has executions wait for the store for so long.
func waiting(outage time.Duration) workertest.Option {
	return workertest.WithConfig(func(c *worker.Config) { c.Control.Outage, c.Steps.Wait = outage, outage })
}

// enough is longer than any outage of these tests lasts.
const enough = 2 * time.Minute

// awaitWaiting waits until an execution says that it waits for the store.
func awaitWaiting(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
	t.Helper()
	require.Eventually(t, func() bool { return f.Progress(run).Waiting == contract.WaitingStore }, enough, 50*time.Millisecond)
}

// awaitLapsed waits until the newest lease of an execution is over.
func awaitLapsed(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
	t.Helper()
	st, err := store.OpenReadOnly(t.Context(), f.Config.Store)
	require.NoError(t, err)
	defer st.Close()
	lease, _, err := st.Lease(t.Context(), store.Run{Namespace: "default", Workflow: run.GetID(), Run: run.GetRunID()})
	require.NoError(t, err)
	time.Sleep(time.Until(lease.Until.Time()))
}

// renewed waits until the lease of an execution was renewed.
func renewed(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
	t.Helper()
	require.Eventually(t, func() bool { return f.Progress(run).Signals > 0 }, enough, 50*time.Millisecond)
}

var onAndOn = evidence.Terms{LeaseMS: 600_000, IntervalMS: 1000, WindowMS: 60_000}

// TestT22OutageWithinThePatience has a row for each moment at which the store
// can go away. It comes back in time, and everything goes on without a person:
// each effect happens once, and none during the outage.
func TestT22OutageWithinThePatience(t *testing.T) {
	if !alone(t) {
		return
	}
	wait, pay := workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a")
	rows := []struct {
		name    string
		terms   evidence.Terms
		steps   []evidence.Step
		before  func(*testing.T, *workertest.Fixture, client.WorkflowRun) // the store goes
		during  func(*testing.T, *workertest.Fixture, client.WorkflowRun)
		effects int // when it comes back
		after   func(*testing.T, *workertest.Fixture, client.WorkflowRun)
	}{
		{name: "while Authorize asks", terms: onAndOn, steps: []evidence.Step{workertest.Step("a", "desk.note", `{}`), pay}, during: awaitWaiting},
		{name: "while Decide wants to decide", terms: onAndOn, steps: []evidence.Step{wait, pay}, before: begun, during: released, effects: 1},
		{name: "between the slot and the outcome", terms: onAndOn, steps: []evidence.Step{workertest.Step("a", "desk.strike", `{}`), pay},
			before: begun, during: released, effects: 1},
		{name: "while Seal wants to seal", terms: onAndOn, steps: []evidence.Step{wait}, before: begun, during: released, effects: 1},
		{name: "while a step runs, for less than a lease", terms: quick, steps: []evidence.Step{wait, pay}, before: begun,
			during: func(*testing.T, *workertest.Fixture, client.WorkflowRun) {}, // until Watch notices
			after:  func(_ *testing.T, f *workertest.Fixture, _ client.WorkflowRun) { f.World.Release() }},
		{name: "while a step runs, for more than a lease", terms: quick, steps: []evidence.Step{wait, pay},
			before: func(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
				begun(t, f, run)
				renewed(t, f, run)
			},
			during: awaitLapsed,
			after: func(t *testing.T, f *workertest.Fixture, _ client.WorkflowRun) {
				f.World.Await(t) // it begins again, under a new lease
				f.World.Release()
			}},
	}
	for _, a := range ailments {
		for _, row := range rows {
			t.Run(a.name+"/"+row.name, func(t *testing.T) {
				core, logs := observer.New(zap.InfoLevel)
				options := []workertest.Option{workertest.WithTerms(row.terms), waiting(enough), workertest.WithConfig(func(c *worker.Config) { c.Log = zap.New(core) })}
				if a.use != nil {
					options = append(options, a.use)
				}
				f := workertest.New(t, options...)
				var run client.WorkflowRun
				if row.before != nil {
					run = f.Begin(row.steps...)
					row.before(t, f, run)
				}
				heal := a.strike(t, f)
				if run == nil {
					run = f.Begin(row.steps...)
				}
				row.during(t, f, run)
				require.Eventually(t, func() bool { return logs.FilterMessageSnippet("does not answer: nothing takes effect").Len() > 0 }, enough, 20*time.Millisecond)
				require.Len(t, f.World.Effects(), row.effects, "nothing takes effect while the store is away")
				heal()
				if row.after != nil {
					row.after(t, f, run)
				}
				report := f.Verified(run)
				require.Equal(t, evidence.Completed, report.Verdict, report.Cause)
				require.Len(t, f.World.Effects(), len(row.steps), "each effect once")
				require.Empty(t, f.Progress(run).Waiting)
				require.LessOrEqual(t, logs.FilterMessageSnippet("does not answer: nothing takes effect").Len(), 2, "once for each role")
				require.NotZero(t, logs.FilterMessageSnippet("answers again").Len())
				// New ones start as well.
				require.Equal(t, evidence.Completed, f.Verified(f.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))).Verdict)
			})
		}
	}
}

func begun(t *testing.T, f *workertest.Fixture, _ client.WorkflowRun) { f.World.Await(t) }

// released lets the step end, and waits until the execution waits.
func released(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) {
	f.World.Release()
	awaitWaiting(t, f, run)
}

// TestT22OutageBeyondThePatience: an execution does not wait for ever. It halts,
// its seal says so, and nothing happened meanwhile.
func TestT22OutageBeyondThePatience(t *testing.T) {
	if !alone(t) {
		return
	}
	wait, pay := workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a")
	rows := []struct {
		name    string
		terms   evidence.Terms
		steps   []evidence.Step
		begun   bool // before the store goes
		release bool
		verdict evidence.Verdict
		halt    string // the check that failed
		effects int
	}{
		{"while Authorize asks", onAndOn, []evidence.Step{pay}, false, false, evidence.Denied, "", 0},
		{"while Decide wants to decide", onAndOn, []evidence.Step{wait, pay}, true, true, evidence.Halted, "store.unavailable", 1},
		// What its first attempt did before the lease was over, nobody can look up.
		{"while a step runs", quick, []evidence.Step{wait, pay}, true, false, evidence.Unresolved, "probe.store", 0},
	}
	for _, a := range ailments {
		for _, row := range rows {
			t.Run(a.name+"/"+row.name, func(t *testing.T) {
				options := []workertest.Option{workertest.WithTerms(row.terms), waiting(time.Second)}
				if a.use != nil {
					options = append(options, a.use)
				}
				f := workertest.New(t, options...)
				steps := row.steps
				if !row.begun {
					steps = []evidence.Step{workertest.Step("b", "desk.pay", `{"amount":1}`)}
				}
				var run client.WorkflowRun
				if row.begun {
					run = f.Begin(steps...)
					f.World.Await(t)
				}
				heal := a.strike(t, f)
				if !row.begun {
					run = f.Begin(steps...)
				}
				if row.release {
					f.World.Release()
				}
				_, _ = f.Wait(run)
				require.Len(t, f.World.Effects(), row.effects)
				heal()
				report := f.Verified(run)
				require.Equal(t, row.verdict, report.Verdict, report.Cause)
				if row.halt != "" {
					require.Equal(t, row.halt, haltOf(t, f, run).Check)
				}
				require.NotEqual(t, evidence.StateDone, states(report)["b"])
				require.Len(t, f.World.Effects(), row.effects)
			})
		}
	}
}
