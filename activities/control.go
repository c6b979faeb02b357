package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// ErrConfig means that a worker lacks something without which it must not
// start.
var ErrConfig = errors.New("incomplete configuration")

// firstEpoch is the epoch of a run that took over from no other.
const firstEpoch = 1

// ControlConfig holds what [NewControl] needs. Every field is required unless
// it says otherwise.
type ControlConfig struct {
	Trust     *evidence.Trust
	Authority *evidence.Signer // signs grants, decisions, signals, halts; not with Authorities
	Recorder  *evidence.Signer // signs seals; not with Recorders
	Policy    Policy
	Catalogue *catalogue.Catalogue
	Store     Records
	Probes    []Probe        // at least one that is quick
	Queue     string         // task queue of the steps
	Terms     evidence.Terms // see [CheckTerms]
	Log       *zap.Logger
	Process   evidence.Process // what signals say that this process is

	// Authorities and Recorders are for keys that replace each other while the
	// control plane runs, in place of Authority and Recorder.
	Authorities, Recorders *evidence.Ring
	// SearchAttributes says that the Temporal server knows the search
	// attributes of package contract. Off by default: setting one that a
	// server does not know would block executions.
	SearchAttributes bool
	// MaxEvents is how many events a workflow's history may have before the
	// execution continues as new, as soon as no step runs. 4,000 by default,
	// which is about when Temporal suggests it. At ten times as many it halts.
	MaxEvents int
	// MaxBytes is the same for the size of the history: 8 MiB by default. At four
	// times as many it halts.
	MaxBytes int
	// Outage is how long executions wait for an evidence store that does not
	// answer, before they halt, or, at the beginning, are denied; Watch waits for
	// as long after the end of the last lease. No lease is renewed meanwhile and
	// nothing takes effect. At most [MaxOutage]. By default they do not wait.
	Outage time.Duration
	// Skew is how far a principal's clock may be ahead. 10 s by default.
	Skew time.Duration
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Control has the activities of the control plane. Its methods are safe for
// concurrent use.
type Control struct {
	c       ControlConfig
	cache   cache
	orders  *orderBook
	rosters rosters
	sight   sight
	// requests makes the requests of the actions over HTTP, by action.
	requests map[string]*executor.Requests
}

// NewControl returns the activities of a control plane, or [ErrConfig] with
// everything that is missing.
func NewControl(c ControlConfig) (*Control, error) {
	if c.Skew == 0 {
		c.Skew = 10 * time.Second
	}
	if c.MaxEvents == 0 {
		c.MaxEvents = 4000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Authorities, c.Recorders = ringOf(c.Authorities, c.Authority), ringOf(c.Recorders, c.Recorder)
	if err := c.check(); err != nil {
		return nil, err
	}
	requests, err := requestsOf(c.Catalogue)
	if err != nil {
		return nil, err
	}
	return &Control{
		c: c, orders: newOrderBook(c.Store, c.Trust, c.Log), rosters: rosters{runs: map[store.Run]*roster{}},
		cache: newCache(), sight: sight{log: c.Log}, requests: requests,
	}, nil
}

func (c *ControlConfig) check() error {
	quick := 0
	for _, p := range c.Probes {
		if p.Quick {
			quick++
		}
	}
	err := errors.Join(
		missing(c.Trust == nil, "a trust root"),
		missing(c.Authorities == nil, "an authority key"),
		missing(c.Recorders == nil, "a recorder key"),
		missing(c.Policy == nil, "a policy"),
		missing(c.Catalogue == nil, "a catalogue"),
		missing(c.Store == nil, "a store"),
		missing(quick == 0, "a quick integrity probe"),
		missing(c.Queue == "", "the task queue of the steps"),
		missing(c.Log == nil, "a logger"),
		outside(c.MaxEvents < minEvents || c.MaxEvents > maxEvents, "a history of %d events; want %d to %d", c.MaxEvents, minEvents, maxEvents),
		outside(c.MaxBytes < minBytes || c.MaxBytes > maxBytes, "a history of %d bytes; want %d to %d", c.MaxBytes, minBytes, maxBytes),
		missing(c.Process.Executable.IsZero(), "what this process is"),
		outside(c.Outage < 0 || c.Outage > MaxOutage, "an outage of %v; want 0s to %v", c.Outage, MaxOutage),
		CheckTerms(c.Terms),
	)
	if err != nil {
		return err
	}
	now := evidence.TimeOf(c.Now())
	_, errA := c.Authorities.Pick(c.Trust, evidence.RoleAuthority, "", now)
	_, errR := c.Recorders.Pick(c.Trust, evidence.RoleRecorder, "", now)
	return errors.Join(errA, errR)
}

// CheckTerms reports whether an execution can be governed by t: a lease of
// 500 ms to an hour, measured at least three times in a lease, with a window
// no shorter than an interval. It returns [ErrConfig].
func CheckTerms(t evidence.Terms) error {
	switch {
	case t.LeaseMS < 500 || t.LeaseMS > time.Hour.Milliseconds():
		return fmt.Errorf("%w: a lease of %d ms; want 500 ms to 1 h", ErrConfig, t.LeaseMS)
	case t.IntervalMS < 20 || t.IntervalMS > t.LeaseMS/3:
		return fmt.Errorf("%w: an interval of %d ms; want 20 ms to a third of the lease (%d ms)", ErrConfig, t.IntervalMS, t.LeaseMS/3)
	case t.WindowMS < t.IntervalMS || t.WindowMS > time.Hour.Milliseconds():
		return fmt.Errorf("%w: a window of %d ms; want the interval (%d ms) to 1 h", ErrConfig, t.WindowMS, t.IntervalMS)
	}
	return nil
}

// The bounds of [ControlConfig.MaxEvents] and [ControlConfig.MaxBytes]. Temporal
// ends a run without asking at 51,200 events or 50 MiB.
const (
	minEvents   = 40
	maxEvents   = 5000
	eventsLimit = 10
	minBytes    = 1 << 20
	maxBytes    = 10 << 20
	bytesLimit  = 4
)

func outside(is bool, format string, args ...any) error {
	if is {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	return nil
}

func missing(is bool, what string) error {
	if is {
		return fmt.Errorf("%w: %s is missing", ErrConfig, what)
	}
	return nil
}

// runOf returns the run that an activity belongs to. It comes from Temporal's
// task and not from the activity's input.
func runOf(ctx context.Context) store.Run {
	info := activity.GetInfo(ctx)
	return store.Run{Namespace: info.Namespace, Workflow: info.WorkflowExecution.ID, Run: info.WorkflowExecution.RunID}
}

// onlyLocal refuses to run as a regular activity. Only workflow code in this
// process can start a local one; a regular one can be started by anybody who
// may write to the namespace, with any input, in anybody's run.
func onlyLocal(ctx context.Context) error {
	if activity.GetInfo(ctx).IsLocalActivity || !defence.Stands(defence.OnlyLocal) {
		return nil
	}
	return temporal.NewNonRetryableApplicationError("this is a local activity of the control plane", contract.ErrTypeRefused, nil,
		contract.Cause{Check: "guard.local", Reason: "it was called as a regular activity"})
}

// bindingOf returns the binding of everything that is signed for a run.
func (c *Control) bindingOf(run store.Run, epoch uint64) evidence.Binding {
	return evidence.Binding{Namespace: run.Namespace, Workflow: run.Workflow, Run: run.Run, Epoch: epoch, Queue: c.c.Queue}
}

// now returns the time for the next record of a lineage, which is never older
// than the record before it.
func (c *Control) now(l *evidence.Lineage) evidence.Time {
	return max(evidence.TimeOf(c.c.Now()), l.Last())
}

// pinned returns what the probes of an execution compare with.
func (c *Control) pinned(run store.Run, l *evidence.Lineage, head evidence.Position) Pinned {
	p := Pinned{Run: run, Policy: c.c.Policy.Ref().Digest, Catalogue: c.c.Catalogue.Digest(), Head: head}
	if g := l.Grant(); g != nil {
		p.Policy, p.Catalogue = g.Policy.Digest, g.Catalogue
	}
	return p
}

// storeError makes an error of the store one that Temporal retries, and that
// the workflow recognises when the retries are used up. That another run has
// taken over is final.
func storeError(err error) error {
	if errors.Is(err, store.ErrSuperseded) {
		return refuse("epoch", "a later run has taken over")
	}
	return temporal.NewApplicationErrorWithCause("the evidence store did not answer", contract.ErrTypeStore, err)
}
