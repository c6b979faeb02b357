package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// awhile gives a lease of ten seconds, in which a guard that notices nothing
// would let the step run on.
func awhile(d *evidence.Decision) { d.Lease.Until = d.At + 10_000 }

// long gives a lease that no test outlives.
func long(d *evidence.Decision) { d.Lease.Until = d.At + 600_000 }

func unreachable(context.Context, activity.Info, *commonpb.Payloads) error {
	return errors.New("no route")
}

// neverAnswers is a Temporal behind a network that swallows everything.
func neverAnswers(ctx context.Context, _ activity.Info, _ *commonpb.Payloads) error {
	<-ctx.Done()
	return ctx.Err()
}

// failsAfter is a probe that is ok that often.
func failsAfter(times int32) activities.Probe {
	var asked atomic.Int32
	return activities.Probe{Name: "p", Quick: true, Measure: func(context.Context, activities.Pinned) (string, string, error) {
		if asked.Add(1) > times {
			return "a", "b", nil
		}
		return "a", "a", nil
	}}
}

func with(change func(*activities.StepsConfig)) func(*activities.StepsConfig) { return change }

// TestVigil has a row for each reason why a guard does not begin a step, or
// ends it while its lease still runs.
func TestVigil(t *testing.T) {
	probes := func(p activities.Probe) func(*activities.StepsConfig) {
		return with(func(c *activities.StepsConfig) { c.Probes = []activities.Probe{p} })
	}
	reach := func(f func(context.Context, activity.Info, *commonpb.Payloads) error) func(*activities.StepsConfig) {
		return with(func(c *activities.StepsConfig) { c.Reach = f })
	}
	clock := func(by, skew time.Duration) func(*activities.StepsConfig) {
		return with(func(c *activities.StepsConfig) {
			c.Skew = skew
			c.Now = func() time.Time { return time.Now().Round(0).Add(by) }
		})
	}
	var slept atomic.Bool
	asleep := with(func(c *activities.StepsConfig) {
		c.Now = func() time.Time {
			if slept.Load() {
				return time.Now().Round(0).Add(time.Hour)
			}
			return time.Now()
		}
	})
	tests := []guardCase{
		{name: "suspended while it runs", action: "once", change: long, config: asleep, status: evidence.StatusUnknown, cause: evidence.CauseLapsed, calls: 1,
			act: func(ctx context.Context, c executor.Call) (json.RawMessage, error) {
				slept.Store(true) // the monotonic clock did not notice
				return untilStopped(ctx, c)
			}},
		{name: "cut off, acts once", action: "once", change: awhile, act: untilStopped, config: reach(unreachable), status: evidence.StatusUnknown, cause: evidence.CauseCutOff, calls: 1},
		{name: "cut off in silence, acts once", action: "once", change: awhile, act: untilStopped, config: reach(neverAnswers), status: evidence.StatusUnknown, cause: evidence.CauseCutOff, calls: 1},
		{name: "cut off, may repeat", action: "again", change: awhile, act: untilStopped, config: reach(unreachable), errIs: contract.ErrTypeAttempt, calls: 1},
		{name: "unfit before it begins", action: "once", config: probes(failsAfter(0)), errIs: contract.ErrTypeRefused, cause: "guard.probe.p"},
		{name: "unfit while it runs, acts once", action: "once", change: awhile, act: untilStopped, config: probes(failsAfter(1)), status: evidence.StatusUnknown, cause: evidence.CauseUnfit, calls: 1},
		{name: "unfit while it runs, may repeat", action: "again", change: awhile, act: untilStopped, config: probes(failsAfter(1)), status: evidence.StatusUnknown, cause: evidence.CauseUnfit, calls: 1},
		{name: "unfit while it reads", action: "look", change: awhile, act: untilStopped, config: probes(failsAfter(1)), status: evidence.StatusCancelled, cause: evidence.CauseUnfit, calls: 1},

		// T20: what a clock may not do.
		{name: "clock behind the store's", action: "once", config: clock(-time.Hour, 0), errIs: contract.ErrTypeRefused, cause: "guard.clock"},
		{name: "decision from the future", action: "once", change: func(d *evidence.Decision) { d.At += 60_000 }, errIs: contract.ErrTypeRefused, cause: "guard.clock"},
		{name: "clock behind, and nobody minds", action: "once", change: soon, act: untilStopped, config: clock(-time.Hour, 2*time.Hour), status: evidence.StatusUnknown, cause: evidence.CauseLapsed, calls: 1},
		{name: "clock ahead", action: "once", change: soon, config: clock(time.Hour, 0), status: evidence.StatusRefused, cause: "lease"},
		{name: "store that cannot tell the time", action: "once", config: with(func(c *activities.StepsConfig) { c.Store = timeless{c.Store} }), errIs: contract.ErrTypeStore},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}

// timeless is a store that has lost its clock.
type timeless struct{ activities.Effects }

func (timeless) Seen(context.Context) (evidence.Time, error) { return 0, store.ErrUnavailable }

// TestT20LeaseOfASlowClock checks that a lease is not longer on a machine whose
// clock is behind, even where the store has never seen a right one.
func TestT20LeaseOfASlowClock(t *testing.T) {
	began := time.Now()
	guardCase{name: "slow", action: "once", change: soon, act: untilStopped, status: evidence.StatusUnknown, cause: evidence.CauseLapsed, calls: 1,
		config: func(c *activities.StepsConfig) {
			c.Store = unseen{c.Store}
			c.Skew = 2 * time.Hour
			c.Now = func() time.Time { return time.Now().Round(0).Add(-time.Hour) }
		}}.run(t)
	require.Less(t, time.Since(began), 30*time.Minute, "the lease of 300 ms lasted an hour more")
}

// unseen is a store to which nothing was written yet.
type unseen struct{ activities.Effects }

func (unseen) Seen(context.Context) (evidence.Time, error) { return 0, nil }

// TestGuardAttests checks what the guard of a running step puts into the
// store, and that an attempt ends once a later one is in charge.
func TestGuardAttests(t *testing.T) {
	var effects activities.Effects
	var said []evidence.Attestation
	attested := func(ctx context.Context, run func(store.Attestation) bool) error {
		st := effects.(*store.Store)
		for ctx.Err() == nil {
			found, err := st.Attestations(ctx, testRun)
			if err == nil && len(found) == 1 && run(found[0]) {
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return context.Cause(ctx)
	}
	guardCase{
		name: "overtaken", action: "again", change: long, errIs: contract.ErrTypeAttempt, calls: 1,
		config: func(c *activities.StepsConfig) { effects = c.Store },
		act: func(ctx context.Context, call executor.Call) (json.RawMessage, error) {
			err := attested(ctx, func(a store.Attestation) bool {
				rec, err := trust(t).Open(a.Signed)
				require.NoError(t, err)
				said = append(said, *rec.Predicate.(*evidence.Attestation))
				return a.Counter >= 2
			})
			require.NoError(t, err)
			e, err := evidencetest.Signer(evidencetest.Worker).Sign(evidence.Subject{Execution: "x", Digest: evidence.FileDigest(nil)}, &said[0])
			require.NoError(t, err)
			require.NoError(t, effects.Attest(ctx, store.Attestation{Run: testRun, Step: "s", Attempt: said[0].Attempt + 1, Counter: 1, Signed: e}))
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}.run(t)
	last := said[len(said)-1]
	require.Equal(t, "s", last.Step)
	require.Equal(t, uint64(2), last.Counter)
	require.Equal(t, evidence.ProbeOK, last.Probes[0].Status)
	require.False(t, last.Ended)
	require.NotZero(t, last.Process.Executable)
}

// TestT20ClockSetBack acts with a lease that ended half an hour ago, on a
// machine whose clock was set back by an hour.
func TestT20ClockSetBack(t *testing.T) {
	past := func(d *evidence.Decision) {
		d.At -= 3_630_000
		d.Lease.Until = d.At + 60_000
	}
	back := func(c *activities.StepsConfig) {
		c.Now = func() time.Time { return time.Now().Round(0).Add(-time.Hour) }
	}
	defencetest.Run(t, presented(guardCase{action: "once", change: past, config: back}), defence.Clock)
}
