package activities

import (
	"cmp"
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
	orders   evidence.Position // up to where they were obeyed
	looked   bool              // orders were looked at in this window
	believed uint64            // the version of the trust root by which those were believed
	outage   bool              // the store did not answer when it was asked last
	giveUp   time.Time         // until when it may stay away; on the monotonic clock
}

// Watch keeps proving that an execution may go on. Every interval it asks all
// probes and the integrity rules, and only if all is well it signs a signal
// with a new lease and stores it, where the guards read it. It returns the
// last signal when the window is over, and at once when a check fails.
//
// A store that does not answer is waited for: until the last lease is over, and
// for the patience of the configuration beyond; by a Watch that begins in an
// outage, for the patience. No lease is extended meanwhile.
//
// It heartbeats after each renewal: if this process dies, freezes or loses
// Temporal, nobody renews, and the steps stop by themselves when their lease
// ends.
func (c *Control) Watch(ctx context.Context, in contract.WatchInput) (*contract.WatchOutput, error) {
	crash.Point("watch.begin")
	ctx = withPulse(ctx)
	w, halt, err := c.beginWindow(ctx, in)
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
	news, unfollow := c.orders.follow()
	defer unfollow()
	for over := false; ; {
		_, changed := news() // before the orders are read: what comes later wakes it
		halt, err := w.round(ctx)
		if err != nil || halt != nil {
			return haltWatch(w.last, halt), err
		}
		activity.RecordHeartbeat(ctx, w.lease.Number)
		if !over {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-end.C:
				over = true
			case <-tick.C:
				continue
			case <-changed: // an order must not wait for the next measurement
				continue
			}
		}
		if !w.outage { // else there is no news to end a window with
			return &contract.WatchOutput{Signal: w.last}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		case <-changed:
		}
	}
}

// round measures once, and is patient while the store does not answer. What
// else fails is bad news at once, also during an outage.
func (w *window) round(ctx context.Context) (*contract.Cause, error) {
	halt, err := w.measure(ctx)
	if !away(err) {
		w.outage = false
		return halt, err
	}
	w.outage = true
	w.c.sight.lost(err)
	if time.Now().Before(w.giveUp) {
		return nil, nil
	}
	return &contract.Cause{Check: "probe.store", Reason: "the evidence store did not answer for too long"}, nil
}

// trust notes for how long the store may stay away from now on. Without any
// patience, Watch does not wait for the end of the lease either.
func (w *window) trust(lease evidence.Lease) {
	w.giveUp = time.Now()
	if p := w.c.c.Outage; p > 0 {
		w.giveUp = w.giveUp.Add(max(between(evidence.TimeOf(w.c.c.Now()), lease.Until), 0) + p)
	}
}

// beginWindow is newWindow, once the store answers.
func (c *Control) beginWindow(ctx context.Context, in contract.WatchInput) (*window, *contract.Cause, error) {
	give := time.Now().Add(c.c.Outage)
	for {
		w, halt, err := c.newWindow(ctx, in)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case !away(err):
			return w, halt, err
		case !time.Now().Before(give):
			c.sight.lost(err)
			return nil, &contract.Cause{Check: "probe.store", Reason: "the evidence store did not answer"}, nil
		}
		c.sight.lost(err)
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(min(time.Duration(c.c.Terms.IntervalMS)*time.Millisecond, pulseEvery)):
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
		halt, err := unread(err)
		return nil, halt, err
	}
	defer x.letGo()
	if !x.fresh { // another control plane may have gone on with it
		if err := x.read(ctx); err != nil {
			halt, err := unread(err)
			return nil, halt, err
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
		halt, err := unread(err)
		return nil, halt, err
	}
	w := &window{
		c: c, run: run, in: in, lease: lease, signed: slices.Clone(x.envs),
		request: x.lineage.Request(), past: x.lineage.Past(),
		grant: x.lineage.GrantDigest(), expires: g.Expires, terms: g.Terms, subject: x.lineage.Subject(),
		from: c.now(&x.lineage), pinned: c.pinned(run, &x.lineage, in.Head),
	}
	w.trust(lease)
	return w, nil, nil
}

// unread is the check that fails when the store's chain cannot be read. An
// error means that the store does not answer.
func unread(err error) (*contract.Cause, error) {
	switch {
	case away(err):
		return nil, err
	case errors.Is(err, errHead), errors.Is(err, store.ErrCorrupt):
		return &contract.Cause{Check: "store.head", Reason: sentence(err)}, nil
	}
	return &contract.Cause{Check: "probe.store", Reason: "the evidence store cannot be read"}, nil
}

// measure asks everything once and renews the lease, or says what failed. An
// error may be that the store did not answer, and nothing else was wrong.
func (w *window) measure(ctx context.Context) (*contract.Cause, error) {
	now := max(evidence.TimeOf(w.c.c.Now()), w.from)
	if now >= w.expires {
		return &contract.Cause{Check: "grant.expired", Reason: fmt.Sprintf("the grant expired at %v", w.expires)}, nil
	}
	if halt, err := w.obey(ctx); halt != nil || err != nil || ctx.Err() != nil {
		return halt, cmp.Or(ctx.Err(), err)
	}
	probes, outage := survey(ctx, w.c.c.Probes, w.pinned, false)
	if halt := compromised(w.c.c.Trust, w.signed...); halt != nil { // after the probes, which may have read a new trust root
		return halt, nil
	}
	if _, err := w.key(now); err != nil {
		return &contract.Cause{Check: "key.authority", Reason: sentence(err)}, nil
	}
	if ctx.Err() != nil { // an interrupted probe says nothing about integrity
		return nil, ctx.Err()
	}
	if outage != nil {
		return nil, outage
	}
	w.measured++
	ruling := w.c.c.Policy.Decide(evidence.Facts{Phase: evidence.PhaseIntegrity, Now: now, Request: w.request, Lineage: w.past, Probes: probes})
	if failed(probes) == nil && !ruling.Effect.Allows() {
		probes = append(probes, evidence.Probe{Name: "policy.integrity", Status: evidence.ProbeBad, Want: "allow", Got: orUnknown(ruling.Cause)})
	}
	called, workers, outage := w.rollCall(ctx, now)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if outage != nil && failed(probes) == nil {
		return nil, outage
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

// renew signs and stores the next lease. A store that answers and does not take
// it has failed a check: nothing may be done that cannot be recorded.
//
// Where an earlier attempt at this window is still running somewhere, its
// renewals get in between; then the next number is tried.
func (w *window) renew(ctx context.Context, now evidence.Time, probes []evidence.Probe, workers []evidence.Attested) (*contract.Cause, error) {
	for range 3 {
		halt, err := w.renewOnce(ctx, now, probes, workers)
		if !errors.Is(err, store.ErrStale) {
			return halt, err
		}
		var stored evidence.Lease
		err = answering(ctx, func() (err error) {
			stored, _, err = w.c.c.Store.Lease(ctx, w.run)
			return err
		})
		if away(err) {
			return nil, err
		}
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
		w.trust(next)
		w.c.sight.back()
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, store.ErrStale), away(err):
		return nil, err
	}
	w.c.c.Log.Error("lease not renewed", zap.String("execution", w.run.Workflow), zap.Error(err))
	return &contract.Cause{Check: "probe.store", Reason: "the evidence store refused the renewal"}, nil
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
		Orders: w.orders,
	})
}

// obey reads the orders, and says which one stops the execution. They are held
// against its records only where there are new ones: that takes the execution
// from those who decide.
func (w *window) obey(ctx context.Context) (*contract.Cause, error) {
	orders, err := w.c.orders.read(ctx)
	if err != nil {
		halt, err := unread(err)
		return halt, err
	}
	if w.looked && orders.head == w.orders && orders.version == w.believed {
		return nil, nil
	}
	x, err := w.c.open(ctx, w.run)
	if err != nil {
		halt, err := unread(err)
		return halt, err
	}
	defer x.letGo()
	defer x.release()
	w.orders, w.believed, w.looked = orders.head, orders.version, true
	order := orders.stopping(knownOf(&x.lineage), w.c.concerned(&x.lineage))
	if order == nil || !defence.Stands(defence.OrdersObeyed) {
		return nil, nil
	}
	check, reason := causeOf(order)
	return &contract.Cause{Check: check, Reason: reason}, nil
}
