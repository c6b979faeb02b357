package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// StepsConfig holds what [NewSteps] needs. Every field is required unless it
// says otherwise.
type StepsConfig struct {
	Trust     *evidence.Trust
	Worker    *evidence.Signer // signs outcomes; not with Workers
	Name      string           // of the worker's key in the trust root
	Catalogue *catalogue.Catalogue
	Store     Effects
	Executors map[string]executor.Executor // by action, but for those that are Temporal activities; read only
	Log       *zap.Logger
	Process   evidence.Process // what attestations say that this process is
	Probes    []Probe          // at least one that is quick; asked before each step, and while it runs

	// Reach tells Temporal that an attempt is alive, with the heartbeat details
	// that are known, and returns an error if Temporal did not take that. It
	// must be safe for concurrent use.
	Reach func(context.Context, activity.Info, *commonpb.Payloads) error

	// Workers is for keys of this worker that replace each other while it runs,
	// in place of Worker.
	Workers *evidence.Ring
	// Skew is how far this worker's clock may be behind the largest time in
	// the store, and a decision's ahead of it. 2 s by default.
	Skew time.Duration
	// Poll is how often the store is asked for a lease by a step that has none
	// and waits for one. 250 ms by default.
	Poll time.Duration
	// Wait is how long a step waits for a live lease before it is refused, and
	// an attempt for a store that does not answer. 30 s by default: long enough
	// for a control plane to start again.
	Wait time.Duration
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Steps has the activity of a step worker. Its methods are safe for concurrent
// use.
type Steps struct {
	c       StepsConfig
	orders  *orderBook
	storing sync.WaitGroup // outcomes on their way to the store
	sight   sight
}

// Drain waits until every outcome is in the store, or could not be put there.
// It must be called after the worker has stopped and before the store closes.
func (s *Steps) Drain() { s.storing.Wait() }

// NewSteps returns the activity of a step worker, or [ErrConfig] with
// everything that is missing. An action of the catalogue without an executor
// is missing too: a worker that could only refuse should not take work.
func NewSteps(c StepsConfig) (*Steps, error) {
	if c.Poll == 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.Skew == 0 {
		c.Skew = 2 * time.Second
	}
	if c.Wait == 0 {
		c.Wait = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Workers = ringOf(c.Workers, c.Worker)
	err := errors.Join(
		missing(c.Trust == nil, "a trust root"),
		missing(c.Workers == nil, "a worker key"),
		missing(c.Name == "" || c.Name == fenced, "the worker's name"),
		missing(c.Catalogue == nil, "a catalogue"),
		missing(c.Store == nil, "a store"),
		missing(c.Log == nil, "a logger"),
		missing(c.Process.Executable.IsZero(), "what this process is"),
		missing(!slices.ContainsFunc(c.Probes, func(p Probe) bool { return p.Quick }), "a quick integrity probe of this process"),
		missing(c.Reach == nil, "the way to reach Temporal"),
	)
	if err != nil {
		return nil, err
	}
	for _, name := range c.Catalogue.Names() {
		a, _ := c.Catalogue.Action(name)
		err = errors.Join(err, missing(a.Activity == "" && c.Executors[name] == nil, "an executor for the action "+name))
	}
	s := &Steps{c: c}
	if _, kerr := s.key(evidence.TimeOf(c.Now())); kerr != nil {
		err = errors.Join(err, fmt.Errorf("%w: the worker key: %w", ErrConfig, kerr))
	}
	s.c.Executors = maps.Clone(c.Executors)
	s.orders, s.sight = newOrderBook(c.Store, c.Trust, c.Log), sight{log: c.Log}
	return s, err
}

// key returns the key that this worker signs with now.
func (s *Steps) key(now evidence.Time) (*evidence.Signer, error) {
	return s.c.Workers.Pick(s.c.Trust, evidence.RoleWorker, s.c.Name, now)
}

// RunStep carries out one step, behind the guard. It refuses unless the
// decision is signed by an authority, allows exactly this action with exactly
// these arguments in exactly this run, the lease is live, and the effect slot
// of the step can be taken. While the step runs, its context ends when the
// lease does.
//
// The answer is a signed outcome. An error means that there is none: either
// nothing began ([contract.ErrTypeRefused], [contract.ErrTypeStore]) or this
// attempt failed in a way that may be tried again ([contract.ErrTypeAttempt]).
func (s *Steps) RunStep(ctx context.Context, in contract.RunInput) (*contract.RunOutput, error) {
	if !defence.Stands(defence.SlotAfterSignature) {
		s.takeUnread(ctx, in)
	}
	return s.guard(ctx, in, nil)
}

// guard is the one way to an effect: RunStep's, and that of the team's activity
// t, which is nil for RunStep.
func (s *Steps) guard(ctx context.Context, in contract.RunInput, t *task) (*contract.RunOutput, error) {
	crash.Point("step.received")
	pulse, details := pulseOf(t)
	stop := beat(ctx, pulse)
	defer stop()
	var j *job
	var done *contract.RunOutput
	err := s.patient(ctx, func() (err error) {
		j, done, err = s.begin(ctx, in, t)
		return err
	})
	if done != nil || err != nil {
		return done, err
	}
	s.sight.back()
	crash.Point("slot.taken")
	var late error
	if j.lease.left() <= 0 {
		// It ended while the store took its time with the slot. The step has not
		// begun, so it can wait; without a live lease it does not begin.
		if late = j.awaitLease(ctx); late == nil {
			late = j.ordered(ctx)
		}
	}
	j.details = details
	return j.act(ctx, late)
}

// begin is everything that comes before the effect. It returns an output where
// nothing is left to do.
func (s *Steps) begin(ctx context.Context, in contract.RunInput, t *task) (*job, *contract.RunOutput, error) {
	j, err := s.verify(ctx, in, t)
	if err != nil && !away(err) {
		s.c.Log.Warn("step refused", zap.String("execution", activity.GetInfo(ctx).WorkflowExecution.ID), zap.Error(err))
	}
	if err != nil {
		return nil, nil, err
	}
	crash.Point("step.verified")
	if err := j.awaitLease(ctx); err != nil {
		out, err := j.refused(ctx, err)
		return nil, out, err
	}
	crash.Point("slot.before")
	done, err := j.take(ctx)
	return j, done, err
}

// A job is one attempt at a step whose decision was verified.
type job struct {
	s        *Steps
	run      store.Run
	subject  evidence.Subject
	decision *evidence.Decision
	digest   evidence.Digest      // of the decision
	signed   []evidence.Signature // by whose keys it began: the decision's, and this worker's
	orders   uint64               // how many orders were read before it began
	action   *catalogue.Action
	call     executor.Call
	send     sender
	details  func(context.Context) *commonpb.Payloads // what the step last said of its progress
	lease    *leaseholder
	attempt  int32 // as Temporal counts, but never 1 where the slot was taken before
	turn     int32 // orders attestations; grows with each attempt, whatever Temporal counts
	started  evidence.Time
}

// verify checks a decision against this worker's own trust root, catalogue and
// task, and refuses everything that it does not recognise.
func (s *Steps) verify(ctx context.Context, in contract.RunInput, t *task) (*job, error) {
	rec, err := openBehind(defence.DecisionSignature, s.c.Trust, in.Decision, evidence.TimeOf(s.c.Now()))
	if err != nil {
		return nil, refuse("decision", sentence(err))
	}
	d, ok := rec.Predicate.(*evidence.Decision)
	if !ok || defence.Stands(defence.DecisionAllows) && (d.Phase != evidence.PhaseStep || !d.Effect.Allows()) {
		return nil, refuse("decision", "it is not a decision that allows a step")
	}
	info := activity.GetInfo(ctx)
	run := runOf(ctx)
	here := evidence.Binding{Namespace: run.Namespace, Workflow: run.Workflow, Run: run.Run, Epoch: d.Binding.Epoch, Queue: info.TaskQueue}
	if defence.Stands(defence.DecisionBinding) && (d.Binding != here || here.Epoch < firstEpoch || here.Run == "" || info.IsLocalActivity ||
		rec.Subject.Execution != run.Workflow || rec.Subject.Digest != d.Request) {
		return nil, refuse("binding", "the decision is bound to another run, workflow, namespace or queue")
	}
	if defence.Stands(defence.DecisionArgs) && d.Args != evidence.ValueDigest(in.Args) || d.Key != evidence.IdempotencyKey(d.Request, d.Step) {
		return nil, refuse("arguments", "the arguments or the key are not the ones that were decided")
	}
	if d.Catalogue != s.c.Catalogue.Digest() {
		return nil, refuse("catalogue", "this worker's catalogue is not the one of the decision")
	}
	a, ok := s.c.Catalogue.Action(d.Action)
	if !ok {
		return nil, refuse("action", "this worker does not know "+d.Action)
	}
	exec := s.executorOf(a, t)
	if exec == nil {
		return nil, refuse("action", "this activity is not the one that does "+d.Action)
	}
	if err := a.CheckArgs(in.Args); err != nil {
		return nil, refuse("arguments", sentence(err))
	}
	seen, err := s.fit(ctx, run, d)
	if err != nil {
		return nil, err
	}
	key, err := s.key(evidence.TimeOf(s.c.Now()))
	if err != nil {
		return nil, refuse("key", sentence(err))
	}
	j := &job{s: s, run: run, subject: rec.Subject, decision: d, signed: []evidence.Signature{in.Decision.Signatures[0], {KeyID: key.KeyID()}}, digest: rec.Digest, action: a, attempt: info.Attempt, turn: 1, started: evidence.TimeOf(s.c.Now())}
	j.call = executor.Call{Execution: run.Workflow, Step: d.Step, Action: d.Action, Args: in.Args, Key: d.Key, Attempt: info.Attempt}
	send, sends, err := senderOf(a, exec, j.call)
	if err != nil {
		return nil, refuse("bytes", sentence(err))
	}
	if sends != d.Sends && defence.Stands(defence.ExactBytes) {
		return nil, refuse("bytes", "what is about to be sent is not what was decided")
	}
	j.send = send
	if err := j.obey(ctx); err != nil {
		return nil, err
	}
	j.lease = newLeaseholder(s, run, d, seen)
	return j, nil
}

// fit reports whether this process may act at all: it is the turn of this run
// in its chain, its clock goes with the store's, which has seen those of all
// others, and its quick probes are ok. It
// returns the largest time that the store has seen.
func (s *Steps) fit(ctx context.Context, run store.Run, d *evidence.Decision) (evidence.Time, error) {
	seen, err := s.c.Store.Seen(ctx)
	if err != nil && defence.Stands(defence.StoreAway) {
		return 0, storeError(err)
	}
	epoch, err := s.c.Store.Epoch(ctx, run)
	if err != nil && defence.Stands(defence.StoreAway) {
		return 0, storeError(err)
	}
	now := evidence.TimeOf(s.c.Now())
	switch {
	case epoch != d.Binding.Epoch && epoch > 0 && defence.Stands(defence.DecisionBinding):
		return 0, refuse("binding", fmt.Sprintf("the decision is bound to epoch %d, the run is in epoch %d", d.Binding.Epoch, epoch))
	case !defence.Stands(defence.Clock):
		seen = 0
	case now.Add(s.c.Skew) < seen:
		return 0, refuse("clock", "this worker's clock is behind the times that the store has seen")
	case d.At > now.Add(s.c.Skew):
		return 0, refuse("clock", "the decision is dated in the future")
	}
	if p := failed(measure(ctx, s.c.Probes, Pinned{Run: run, Catalogue: d.Catalogue}, true)); p != nil {
		return 0, refuse("probe."+p.Name, "a probe of this worker is "+string(p.Status))
	}
	return seen, nil
}

// refuse says that nothing began and that trying again will not help.
func refuse(check, reason string) error {
	return temporal.NewNonRetryableApplicationError("refused by the guard: "+reason, contract.ErrTypeRefused, nil,
		contract.Cause{Check: "guard." + check, Reason: reason})
}
