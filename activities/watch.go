package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// window is one call of Watch: what it measured so far.
type window struct {
	c        *Control
	run      store.Run
	in       contract.WatchInput
	grant    evidence.Digest
	expires  evidence.Time
	terms    evidence.Terms // the grant's
	subject  evidence.Subject
	from     evidence.Time
	measured uint64
	lease    evidence.Lease
	pinned   Pinned
	request  *evidence.Request
	past     []evidence.Past // as it was when the window began
	roster   *roster
	signed   []evidence.Envelope // the chain, as it was when the window began
	last     *evidence.Envelope
}

// Watch keeps proving that an execution may go on. Every interval it asks all
// probes and the integrity rules, and only if all is well it signs a signal
// with a new lease and stores it, where the guards read it. It returns the
// last signal when the window is over, and at once when a check fails.
//
// It heartbeats after each renewal: if this process dies, freezes or loses
// Temporal, nobody renews, and the steps stop by themselves when their lease
// ends.
func (c *Control) Watch(ctx context.Context, in contract.WatchInput) (*contract.WatchOutput, error) {
	crash.Point("watch.begin")
	w, halt, err := c.newWindow(ctx, in)
	if err != nil || halt != nil {
		return haltWatch(nil, halt), err
	}
	// Not while the execution is held: who calls the roll holds the roster, and
	// may ask for the execution.
	lease := time.Duration(w.terms.LeaseMS) * time.Millisecond
	w.roster = c.rosters.forWindow(w.run, in.Number, lease)
	w.roster.gave(w.lease, lease)
	end := time.NewTimer(time.Duration(w.terms.WindowMS) * time.Millisecond)
	defer end.Stop()
	tick := time.NewTicker(time.Duration(w.terms.IntervalMS) * time.Millisecond)
	defer tick.Stop()
	for {
		halt, err := w.measure(ctx)
		if err != nil || halt != nil {
			return haltWatch(w.last, halt), err
		}
		activity.RecordHeartbeat(ctx, w.lease.Number)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			return &contract.WatchOutput{Signal: w.last}, nil
		case <-tick.C:
		}
	}
}

func haltWatch(signal *evidence.Envelope, halt *contract.Cause) *contract.WatchOutput {
	if halt == nil {
		return nil
	}
	return &contract.WatchOutput{Signal: signal, Halt: *halt}
}

// newWindow reads the execution from the store. The lock is held only while
// it is read: Watch must not keep Decide waiting.
func (c *Control) newWindow(ctx context.Context, in contract.WatchInput) (*window, *contract.Cause, error) {
	run := runOf(ctx)
	x, err := c.open(ctx, run)
	if err != nil {
		return nil, unread(err), nil
	}
	defer x.letGo()
	if !x.fresh { // another control plane may have gone on with it
		if err := x.read(ctx); err != nil {
			return nil, unread(err), nil
		}
	}
	defer x.release()
	g := x.lineage.Grant()
	if g == nil {
		return nil, &contract.Cause{Check: "store.head", Reason: "the store does not know the execution"}, nil
	}
	if s := x.lineage.Signals(); in.Number <= s || in.Number > s+2 { // one may be on its way
		return nil, &contract.Cause{Check: "watch.number", Reason: fmt.Sprintf("signal %d is not the next, after %d", in.Number, s)}, nil
	}
	if x.lineage.Sealed() != nil {
		return nil, nil, temporal.NewNonRetryableApplicationError("the execution is sealed", contract.ErrTypeRefused, nil)
	}
	if x.lineage.Binding() != in.Binding || in.Binding != c.bindingOf(run, in.Binding.Epoch) || g.Policy != c.c.Policy.Ref() {
		return nil, &contract.Cause{Check: "policy.pinned", Reason: "the grant is of another run, or the policy in force is not the one of the grant"}, nil
	}
	if halt := compromised(c.c.Trust, x.envs...); halt != nil {
		return nil, halt, nil
	}
	lease, err := c.newestLease(ctx, x.execution, x.lineage.Lease())
	if err != nil {
		return nil, &contract.Cause{Check: "probe.store", Reason: "the evidence store did not answer"}, nil
	}
	return &window{
		c: c, run: run, in: in, lease: lease, signed: slices.Clone(x.envs),
		request: x.lineage.Request(), past: x.lineage.Past(),
		grant: x.lineage.GrantDigest(), expires: g.Expires, terms: g.Terms, subject: x.lineage.Subject(),
		from: c.now(&x.lineage), pinned: c.pinned(run, &x.lineage, in.Head),
	}, nil, nil
}

// unread is the check that fails when the store's chain cannot be read.
func unread(err error) *contract.Cause {
	if errors.Is(err, errHead) || errors.Is(err, store.ErrCorrupt) {
		return &contract.Cause{Check: "store.head", Reason: sentence(err)}
	}
	return &contract.Cause{Check: "probe.store", Reason: "the evidence store did not answer"}
}

// measure asks everything once and renews the lease, or says what failed.
func (w *window) measure(ctx context.Context) (*contract.Cause, error) {
	now := max(evidence.TimeOf(w.c.c.Now()), w.from)
	if now >= w.expires {
		return &contract.Cause{Check: "grant.expired", Reason: fmt.Sprintf("the grant expired at %v", w.expires)}, nil
	}
	probes := measure(ctx, w.c.c.Probes, w.pinned, false)
	if halt := compromised(w.c.c.Trust, w.signed...); halt != nil { // after the probes, which may have read a new trust root
		return halt, nil
	}
	if _, err := w.key(now); err != nil {
		return &contract.Cause{Check: "key.authority", Reason: sentence(err)}, nil
	}
	if ctx.Err() != nil { // an interrupted probe says nothing about integrity
		return nil, ctx.Err()
	}
	w.measured++
	ruling := w.c.c.Policy.Decide(evidence.Facts{Phase: evidence.PhaseIntegrity, Now: now, Request: w.request, Lineage: w.past, Probes: probes})
	if failed(probes) == nil && !ruling.Effect.Allows() {
		probes = append(probes, evidence.Probe{Name: "policy.integrity", Status: evidence.ProbeBad, Want: "allow", Got: orUnknown(ruling.Cause)})
	}
	called, workers := w.rollCall(ctx, now)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if defence.Stands(defence.RollCall) {
		probes = append(probes, called)
	}
	p := failed(probes)
	if p == nil {
		return w.renew(ctx, now, probes, workers)
	}
	bad, err := w.sign(now, probes, workers, evidence.Lease{})
	if err != nil {
		return nil, err
	}
	w.last = &bad
	return &contract.Cause{Check: "probe." + p.Name, Reason: "an integrity probe is " + string(p.Status)}, nil
}

// renew signs and stores the next lease. A store that does not take it has
// failed a check: nothing may be done that cannot be recorded.
//
// Where an earlier attempt at this window is still running somewhere, its
// renewals get in between; then the next number is tried.
func (w *window) renew(ctx context.Context, now evidence.Time, probes []evidence.Probe, workers []evidence.Attested) (*contract.Cause, error) {
	for range 3 {
		halt, err := w.renewOnce(ctx, now, probes, workers)
		if !errors.Is(err, store.ErrStale) {
			return halt, err
		}
		stored, _, err := w.c.c.Store.Lease(ctx, w.run)
		if err != nil {
			break
		}
		w.lease = stored // only its number and end are used, to be exceeded
	}
	return &contract.Cause{Check: "probe.store", Reason: "the evidence store did not take the renewal"}, nil
}

func (w *window) renewOnce(ctx context.Context, now evidence.Time, probes []evidence.Probe, workers []evidence.Attested) (*contract.Cause, error) {
	next := newLease(w.lease.Number+1, leaseEnd(now, w.expires, w.terms))
	w.roster.gave(next, time.Duration(w.terms.LeaseMS)*time.Millisecond) // before any worker can answer it
	signed, err := w.sign(now, probes, workers, next)
	if err != nil {
		return nil, err
	}
	crash.Point("watch.signed")
	err = answering(ctx, func() error { return w.c.c.Store.Renew(ctx, w.run, next, signed) })
	switch {
	case err == nil:
		crash.Point("watch.stored")
		w.lease, w.last = next, &signed
		return nil, nil
	case errors.Is(err, store.ErrStale):
		return nil, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	w.c.c.Log.Error("lease not renewed", zap.String("execution", w.run.Workflow), zap.Error(err))
	return &contract.Cause{Check: "probe.store", Reason: "the evidence store did not take the renewal"}, nil
}

// key returns the key that this control plane signs leases with now.
func (w *window) key(now evidence.Time) (*evidence.Signer, error) {
	return w.c.c.Authorities.Pick(w.c.c.Trust, evidence.RoleAuthority, "", now)
}

func (w *window) sign(now evidence.Time, probes []evidence.Probe, workers []evidence.Attested, lease evidence.Lease) (evidence.Envelope, error) {
	key, err := w.key(now)
	if err != nil {
		return evidence.Envelope{}, err
	}
	return key.Sign(w.subject, &evidence.Signal{
		At: now, From: w.from, Grant: w.grant, Binding: w.in.Binding,
		Number: w.in.Number, Measured: w.measured, Probes: probes, Process: w.c.c.Process, Workers: workers, Lease: lease,
	})
}
