package activities_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// A moody store fails where it is told to, the first times that it is asked.
// What it does otherwise is real.
type moody struct {
	base
	err   error        // ErrUnavailable if nil
	times atomic.Int32 // how often still
	where string
}

func failsAt(where string, times int32, err error) func(*plane) {
	return func(p *plane) {
		f := &moody{base: p.store, where: where, err: err}
		f.times.Store(times)
		p.store = f
		p.build() // reads anew
	}
}

func (f *moody) fail(where string) error {
	if where != f.where || f.times.Add(-1) < 0 {
		return nil
	}
	if f.err != nil {
		return f.err
	}
	return store.ErrUnavailable
}

func (f *moody) Renew(ctx context.Context, run store.Run, l evidence.Lease, e evidence.Envelope) error {
	if err := f.fail("Renew"); err != nil {
		return err
	}
	return f.base.Renew(ctx, run, l, e)
}

func (f *moody) Slots(ctx context.Context, run store.Run) ([]store.Slot, error) {
	if err := f.fail("Slots"); err != nil {
		return nil, err
	}
	return f.base.Slots(ctx, run)
}

func (f *moody) Records(ctx context.Context, run store.Run, from uint64) ([]store.Record, error) {
	if err := f.fail("Records"); err != nil {
		return nil, err
	}
	return f.base.Records(ctx, run, from)
}

func (f *moody) Begin(ctx context.Context, run store.Run, n *store.Nonce, e ...evidence.Envelope) (evidence.Position, error) {
	if err := f.fail("Begin"); err != nil {
		return evidence.Position{}, err
	}
	return f.base.Begin(ctx, run, n, e...)
}

func (f *moody) Append(ctx context.Context, run store.Run, at evidence.Position, e ...evidence.Envelope) (evidence.Position, error) {
	if err := f.fail("Append"); err != nil {
		return evidence.Position{}, err
	}
	return f.base.Append(ctx, run, at, e...)
}

const always = 1 << 30

// probing makes the probe of a plane say so the first times, and be ok then.
func probing(times int32, want, got string, err error) func(*plane) {
	var asked atomic.Int32
	return func(p *plane) {
		p.probe = func() (string, string, error) {
			if asked.Add(1) <= times {
				return want, got, err
			}
			return "same", "same", nil
		}
	}
}

// TestT22WatchTellsAwayFromBad: Watch waits for a store that does not answer,
// and for nothing else. The patience of the rows that must halt at once is
// longer than the test may take.
func TestT22WatchTellsAwayFromBad(t *testing.T) {
	const long, brief = activities.MaxOutage, 50 * time.Millisecond
	both := func(a, b func(*plane)) func(*plane) { return func(p *plane) { a(p); b(p) } }
	tests := []struct {
		name   string
		outage time.Duration
		lease  int64 // 60 s if 0
		change func(*plane)
		halt   string
	}{
		{name: "renewals, for a while", outage: long, change: failsAt("Renew", 3, nil)},
		{name: "renewals, for longer than the window", outage: long, change: failsAt("Renew", 10, nil)},
		{name: "the roll call, for a while", outage: long, change: failsAt("Slots", 3, nil)},
		{name: "the chain, for a while", outage: long, change: failsAt("Records", 3, nil)},
		{name: "a probe, for a while", outage: long, change: probing(3, "", "", store.ErrUnavailable)},

		{name: "renewals, for longer than a step worker may be silent", outage: long, lease: 500, change: both(begun, failsAt("Renew", 40, nil))},

		{name: "renewals, for too long", outage: brief, lease: 500, change: failsAt("Renew", always, nil), halt: "probe.store"},
		{name: "the roll call, for too long", outage: brief, lease: 500, change: failsAt("Slots", always, nil), halt: "probe.store"},
		{name: "the chain, for too long", outage: brief, lease: 500, change: failsAt("Records", always, nil), halt: "probe.store"},
		{name: "a probe, for too long", outage: brief, lease: 500, change: probing(always, "", "", store.ErrUnavailable), halt: "probe.store"},
		{name: "no patience, renewals", change: failsAt("Renew", 1, nil), halt: "probe.store"},
		{name: "no patience, the chain", change: failsAt("Records", 1, nil), halt: "probe.store"},
		{name: "no patience, a probe", change: probing(1, "", "", store.ErrUnavailable), halt: "probe.store"},

		{name: "bad", outage: long, change: probing(always, "a", "b", nil), halt: "probe.p"},
		{name: "bad, while the store is away", outage: long, change: both(probing(always, "a", "b", nil), failsAt("Slots", always, nil)), halt: "probe.p"},
		{name: "bad, beside a probe that the store does not answer", outage: long, change: both(probing(always, "a", "b", nil), unanswered), halt: "probe.p"},
		{name: "unanswered for another reason", outage: long, change: probing(always, "", "", errors.New("x")), halt: "probe.p"},
		{name: "an edited chain", outage: long, change: failsAt("Records", always, store.ErrCorrupt), halt: "store.head"},
		{name: "a store that was cut back", outage: long, change: elsewhere, halt: "store.head"},
		{name: "a store that does not know the run", outage: long, change: failsAt("Renew", always, store.ErrNoRun), halt: "probe.store"},
		{name: "a later run has taken over", outage: long, change: failsAt("Renew", always, store.ErrSuperseded), halt: "probe.store"},
		{name: "an edited chain, and then no answer", outage: long, change: failsAt("Records", always, errors.Join(store.ErrCorrupt, store.ErrUnavailable)), halt: "store.head"},
		{name: "a later run, and then no answer", outage: long, change: failsAt("Renew", always, errors.Join(store.ErrSuperseded, store.ErrUnavailable)), halt: "probe.store"},
		{name: "a roll that cannot be called", outage: long, change: failsAt("Slots", always, store.ErrCorrupt), halt: "probe.workers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t)
			p.outage = tt.outage
			if tt.lease > 0 {
				p.terms.LeaseMS = tt.lease
			}
			p.build()
			ticket := p.granted()
			tt.change(p)
			out, err := call[contract.WatchOutput](p, p.act.Watch, contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding})
			require.NoError(t, err)
			require.Equal(t, tt.halt, out.Halt.Check, out.Halt.Reason)
			if tt.halt == "" {
				require.NotNil(t, out.Signal)
			}
		})
	}
}

// begun takes the slot of a step whose worker never attests. It may be silent
// for one lease.
func begun(p *plane) {
	_, err := p.store.Fence(p.t.Context(), store.Slot{
		Run: testRun, Step: "a", Decision: evidence.FileDigest([]byte("d")), Key: "k", Worker: evidencetest.Worker, At: 1,
	})
	require.NoError(p.t, err)
}

// unanswered adds a probe that asks a store that is away.
func unanswered(p *plane) {
	p.more = []activities.Probe{{Name: "q", Quick: true, Measure: func(context.Context, activities.Pinned) (string, string, error) {
		return "", "", store.ErrUnavailable
	}}}
	p.build()
}

// elsewhere gives the control plane another store than the one it wrote to.
func elsewhere(p *plane) {
	st, err := store.Open(p.t.Context(), p.t.TempDir()+"/other.db")
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = st.Close() })
	p.store = st
	p.build()
}

// requireAway checks that err tells the workflow how patient to be.
func requireAway(t *testing.T, err error, patience time.Duration) {
	t.Helper()
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "%v", err)
	require.Equal(t, contract.ErrTypeStore, app.Type())
	require.True(t, app.NonRetryable(), "the waiting is the workflow's")
	var o contract.Outage
	require.NoError(t, app.Details(&o))
	require.Equal(t, patience.Milliseconds(), o.PatienceMS)
}

// TestT22ControlSaysHowLongToWait: in an outage every activity says so, and
// asked again it does what it would have done.
func TestT22ControlSaysHowLongToWait(t *testing.T) {
	const patience = time.Minute
	t.Run("Authorize", func(t *testing.T) {
		for name, change := range map[string]func(*plane){
			"reading": failsAt("Records", 1, nil), "storing": failsAt("Begin", 1, nil), "a probe": probing(1, "", "", store.ErrUnavailable),
		} {
			p := newPlane(t)
			p.outage = patience
			change(p)
			p.build()
			request := p.request(nil)
			_, err := call[contract.Admission](p, p.act.Authorize, request)
			requireAway(t, err, patience)
			a, err := call[contract.Admission](p, p.act.Deny, request) // it is back
			require.NoError(t, err, name)
			require.NotNil(t, a.Ticket, name)
			require.Equal(t, patience.Milliseconds(), a.Ticket.OutageMS)
			again, err := call[contract.Admission](p, p.act.Authorize, request)
			require.NoError(t, err)
			require.Equal(t, a.Ticket.Grant, again.Ticket.Grant, "one grant")
		}
	})
	t.Run("Deny", func(t *testing.T) {
		p := newPlane(t)
		p.outage = patience
		failsAt("Begin", always, nil)(p)
		a, err := call[contract.Admission](p, p.act.Deny, p.request(nil))
		require.NoError(t, err)
		require.Nil(t, a.Ticket)
		require.Equal(t, "store.unavailable", a.Cause.Check)
	})
	t.Run("Decide", func(t *testing.T) {
		for _, change := range []func(*plane){failsAt("Append", 1, nil), failsAt("Records", 1, nil), probing(1, "", "", store.ErrUnavailable)} {
			p := newPlane(t)
			p.outage = patience
			p.build()
			p.granted()
			change(p)
			_, err := p.decide([]string{"a"})
			requireAway(t, err, patience)
			out, err := p.decide([]string{"a"})
			require.NoError(t, err)
			require.Len(t, out.Allowed, 1)
		}
	})
	t.Run("Decide, without patience", func(t *testing.T) {
		p := newPlane(t)
		p.granted()
		failsAt("Append", 1, nil)(p)
		_, err := p.decide([]string{"a"})
		var app *temporal.ApplicationError
		require.True(t, errors.As(err, &app), "%v", err)
		require.Equal(t, contract.ErrTypeStore, app.Type())
		require.False(t, app.NonRetryable(), "Temporal tries it again")
		require.False(t, app.HasDetails())
	})
	t.Run("Decide, where something is bad as well", func(t *testing.T) {
		p := newPlane(t)
		p.outage = patience
		p.build()
		p.granted()
		probing(always, "a", "b", nil)(p)
		unanswered(p)
		out, err := p.decide([]string{"a"})
		require.NoError(t, err)
		require.Equal(t, "probe.p", out.Stop.Check)
	})
	t.Run("Seal", func(t *testing.T) {
		for _, change := range []func(*plane){failsAt("Append", 1, nil), failsAt("Records", 1, nil), failsAt("Slots", 1, nil), probing(1, "", "", store.ErrUnavailable)} {
			p := newPlane(t)
			p.outage = patience
			p.build()
			p.granted()
			change(p)
			_, err := call[contract.SealOutput](p, p.act.Seal, contract.SealInput{Head: p.head})
			requireAway(t, err, patience)
			p.sealed(t, contract.SealInput{}, evidence.Cancelled, evidence.CauseCancelled)
		}
	})
}

// A flaky store loses the calls of a step worker, before or after they were
// carried out.
type flaky struct {
	activities.Effects
	times atomic.Int32
	where string
	after bool // the call is carried out and its answer lost
}

func (f *flaky) fails(where string) bool { return where == f.where && f.times.Add(-1) >= 0 }

func (f *flaky) Seen(ctx context.Context) (evidence.Time, error) {
	if f.fails("Seen") {
		return 0, store.ErrUnavailable
	}
	return f.Effects.Seen(ctx)
}

func (f *flaky) Take(ctx context.Context, s store.Slot) (store.Slot, error) {
	if !f.fails("Take") {
		return f.Effects.Take(ctx, s)
	}
	if f.after {
		_, _ = f.Effects.Take(ctx, s)
	}
	return store.Slot{}, store.ErrUnavailable
}

// orderedLate is a store that takes longer for a slot than a lease lasts, and
// into which an order comes when the slot is taken.
type orderedLate struct {
	activities.Effects
	t *testing.T
}

func (o *orderedLate) Take(ctx context.Context, slot store.Slot) (store.Slot, error) {
	taken, err := slow{o.Effects}.Take(ctx, slot)
	give(o.t, o.Effects.(*store.Store), evidence.Scope{Kind: evidence.ScopeAll})
	return taken, err
}

// TestT22StepsWaitForTheStore has a row for each place where a step can meet a
// store that is away. Nothing is done without the slot, and nothing twice.
func TestT22StepsWaitForTheStore(t *testing.T) {
	lose := func(where string, times int32, after bool, wait time.Duration) func(*activities.StepsConfig) {
		return func(c *activities.StepsConfig) {
			f := &flaky{Effects: c.Store, where: where, after: after}
			f.times.Store(times)
			c.Store, c.Wait = f, wait
		}
	}
	const enough, brief = time.Minute, 50 * time.Millisecond
	tests := []guardCase{
		{name: "asked for the time", action: "once", config: lose("Seen", 3, false, enough), status: evidence.StatusDone, calls: 1},
		{name: "asked for the slot", action: "once", config: lose("Take", 3, false, enough), status: evidence.StatusDone, calls: 1},
		{name: "asked for the slot, may repeat", action: "again", config: lose("Take", 3, false, enough), status: evidence.StatusDone, calls: 1},
		{name: "never back", action: "once", config: lose("Take", always, false, brief), errIs: contract.ErrTypeStore},
		{name: "never back, may repeat", action: "again", config: lose("Take", always, false, brief), errIs: contract.ErrTypeStore},
		// Whose slot it is that is taken cannot be told.
		{name: "the answer was lost", action: "once", config: lose("Take", 1, true, enough), status: evidence.StatusUnknown, cause: "step.interrupted"},
		{name: "the answer was lost, may repeat", action: "again", config: lose("Take", 1, true, enough), status: evidence.StatusDone, calls: 1},
		{name: "the lease ended meanwhile", action: "once", change: soon, config: func(c *activities.StepsConfig) { c.Store = slow{c.Store} },
			status: evidence.StatusCancelled, cause: evidence.CauseLapsed},
		{name: "the lease ended meanwhile, and was renewed", action: "once", change: soon, before: renewBy(evidencetest.Authority),
			config: func(c *activities.StepsConfig) { c.Store, c.Wait = slow{c.Store}, enough }, status: evidence.StatusDone, calls: 1},
		{name: "the lease ended meanwhile, and was renewed, and then an order came", action: "once", change: soon, before: renewBy(evidencetest.Authority),
			config: func(c *activities.StepsConfig) { c.Store, c.Wait = &orderedLate{Effects: c.Store, t: t}, enough }, status: evidence.StatusCancelled, cause: evidence.CauseKilled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}
