package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

const (
	// heartbeat is what the actions declare: longer than anything that is
	// measured, so that Temporal gives no step to somebody else meanwhile.
	heartbeat = 30 * time.Second
	patience  = 2 * time.Minute // for everything but the end of the step
)

// held is the one step of the executions.
const held = "held"

// A lane is a stage on which one run follows the other, without any process
// being started again: what was healed must be well.
type lane struct {
	lease time.Duration
	stage *rig.Stage
	proxy *rig.Proxy // between the step worker and Temporal
}

func openLane(ctx context.Context, r *rig.Rig, name string, lease time.Duration) (*lane, error) {
	proxy, err := rig.OpenProxy(r.Temporal())
	if err != nil {
		return nil, err
	}
	s, err := r.Stage(ctx, name, rig.Options{Lease: lease, Interval: intervalOf(lease), Heartbeat: heartbeat, StepsVia: proxy.Address})
	if err != nil {
		return nil, errors.Join(err, proxy.Close())
	}
	l := &lane{lease: lease, stage: s, proxy: proxy}
	if err := s.Start(ctx, nil, rig.Control, rig.Steps); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// intervalOf is the time between two measurements.
func intervalOf(lease time.Duration) time.Duration { return lease / 10 }

// tooLong is when a step is taken to run on for ever.
func tooLong(lease time.Duration) time.Duration { return 2*lease + 2*time.Second }

func (l *lane) close() error { return errors.Join(l.stage.Close(), l.proxy.Close()) }

// A result is what became of one run.
type result struct {
	took    time.Duration // from the fault to the end of the step's context
	ended   bool          // false: it ran on for tooLong
	verdict evidence.Verdict
	cause   string
	effects int
	wrong   []string
	err     error // why the run could not be made
}

// measure makes one run.
func (l *lane) measure(ctx context.Context, f fault, n int) (res result) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it was given %v", patience))
	defer cancel()
	h := newHolder()
	l.stage.World.Meet(h.before, nil)
	// A step that can be repeated, and one that cannot, in turn.
	step := rig.Notify(held)
	if n%2 == 1 {
		step = rig.Letter(held)
	}
	x, err := l.stage.Agent.Start(ctx, rig.Request(fmt.Sprintf("%s-%s-%d", l.stage.Name, f.name, n), f.what, step))
	if err != nil {
		return result{err: err}
	}
	if res.err = h.reached(ctx); res.err != nil {
		return res
	}
	if res.err = l.stage.Renewed(ctx, x); res.err != nil {
		return res
	}
	res.err = l.strike(ctx, f, h, &res)
	if res.err == nil {
		res.err = l.conclude(ctx, x, &res)
	}
	return res
}

// strike lets the fault happen some time after the lease was renewed, measures,
// and heals.
func (l *lane) strike(ctx context.Context, f fault, h *holder, res *result) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.gone:
		return errors.New("the step ended before the fault")
	case <-time.After(l.lease/4 + rand.N(l.lease/2)): // the guard has read the renewal by then
	}
	began := time.Now()
	heal, err := f.inject(l)
	if err != nil {
		return err
	}
	select {
	case <-h.gone:
		res.ended, res.took = true, h.at.Sub(began)
	case <-time.After(tooLong(l.lease)):
		res.took = tooLong(l.lease)
	}
	close(h.release)
	return heal()
}

// conclude waits for the verdict, and holds the desk's books against the proof.
func (l *lane) conclude(ctx context.Context, x *starter.Execution, res *result) error {
	receipt, err := x.Wait(ctx)
	var verdict *starter.VerdictError
	if err != nil && !errors.As(err, &verdict) {
		res.wrong = append(res.wrong, fmt.Sprintf("no seal: %v", err))
		return nil
	}
	res.verdict, res.cause = receipt.Verdict, receipt.Cause
	proof, err := l.stage.Agent.Proof(ctx, x.ID())
	if err != nil {
		return err
	}
	facts, err := rig.FactsOf(l.stage.Trust, proof)
	if err != nil {
		res.wrong = append(res.wrong, err.Error())
		return nil
	}
	books, err := l.stage.World.Books(ctx)
	if err != nil {
		return err
	}
	books = books.Of(evidence.IdempotencyKey(x.Request(), held))
	res.effects, res.wrong = len(books.Effects), rig.Compare(facts, books)
	return nil
}

// A holder keeps the first call of a step waiting until the caller hangs up.
// Nothing of that call is ever done.
type holder struct {
	arrived chan struct{}
	gone    chan struct{} // closed when the caller has hung up
	at      time.Time     // when it did; set before gone is closed
	release chan struct{}
}

func newHolder() *holder {
	return &holder{arrived: make(chan struct{}), gone: make(chan struct{}), release: make(chan struct{})}
}

var errHeld = errors.New("the call was held until it was given up")

func (h *holder) before(ctx context.Context, c rig.Call) error {
	if c.N > 1 {
		return nil
	}
	close(h.arrived)
	select {
	case <-ctx.Done():
		h.at = time.Now()
		close(h.gone)
	case <-h.release:
	}
	return errHeld
}

func (h *holder) reached(ctx context.Context) error {
	select {
	case <-h.arrived:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the step did not reach the desk: %w", context.Cause(ctx))
	}
}
