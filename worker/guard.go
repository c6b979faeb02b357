package worker

import (
	"context"
	"errors"

	"go.temporal.io/sdk/interceptor"
	sdk "go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// GuardConfig holds what [NewGuard] needs. Every field is required unless it
// says otherwise.
type GuardConfig struct {
	Trust     *evidence.Trust
	TrustFile string           // path to read new versions of Trust from; optional
	Key       *evidence.Signer // signs outcomes; not with Keys
	Keys      *evidence.Ring   // in place of Key, see [Steps]
	Name      string           // of the key in the trust root
	Catalogue string           // path of the catalogue
	Store     string           // the evidence store, the control plane's: a path or a PostgreSQL URL, see [store.Open]
	Log       *zap.Logger

	// Secrets and Funcs are for the actions of the catalogue that are not
	// activities; see [Steps] and [Guard.Register].
	Secrets executor.Secrets
	Funcs   map[string]executor.Executor

	// Near names more places where keys of other roles could be. Optional.
	Near Near
}

// A Guard is a Temporal worker interceptor that makes the activities of a
// worker governed actions:
//
//	w := sdk.New(client, "interlock-steps", sdk.Options{Interceptors: []interceptor.WorkerInterceptor{guard}})
//
// An activity behind it runs only as a step of a governed execution: with a
// signed decision that names, in the catalogue, this type of activity, bound to
// this run and queue, under a live lease, once. Every other call is refused and
// calls nothing: from another workflow, from a client, as a local activity, on
// another queue. That goes for every activity of the worker, also those that
// the catalogue does not name; give ungoverned ones a worker of their own.
// Workflows and Nexus operations of the worker are not guarded.
//
// An activity takes one argument besides its context, and gets the decided
// arguments in it, decoded by encoding/json: one that the type has no field for
// fails the step. Its context ends when the lease does. [executor.CallFrom] gives it its
// idempotency key. An error that it returns leaves the effect unknown, unless
// it is or wraps an [executor.Error] that knows better; a non-retryable
// application error ends the attempts. An activity that returns
// activity.ErrResultPending cannot be governed.
//
// Put the guard last among the interceptors. No other option of the worker is
// needed: the lease is enforced whatever they are. With the SDK's own heartbeat
// throttle an activity hears of its cancellation up to 0.8 of the action's
// heartbeat time later; MaxHeartbeatThrottleInterval of 50 ms, as in [Options],
// spares it that. A WorkerStopTimeout gives steps the time to end before Close
// closes the store under them. An activity's own heartbeats and their details work as
// without the guard.
//
// A Guard is safe for concurrent use, by more than one worker.
type Guard struct {
	interceptor.WorkerInterceptor
	steps  *activities.Steps
	store  *store.Store
	health *health
	trust  *follower
}

// NewGuard returns a guard, or [ErrConfig] with everything that is wrong. It
// opens the evidence store and proves that it can write to it; the caller must
// call Close.
func NewGuard(ctx context.Context, c GuardConfig) (*Guard, error) {
	err := errors.Join(
		missing(!defence.Deployable(), "a build with its defences (without the tag undefended)"),
		missing(c.Trust == nil, "a trust root"),
		missing(c.Catalogue == "", "the path of the catalogue"),
		missing(c.Store == "", "the path or URL of the evidence store"),
		missing(c.Log == nil, "a logger"),
	)
	if err != nil {
		return nil, err
	}
	s := &Steps{Key: c.Key, Keys: c.Keys, Name: c.Name, Secrets: c.Secrets, Funcs: c.Funcs}
	role := Config{Trust: c.Trust, TrustFile: c.TrustFile, Catalogue: c.Catalogue, Steps: s, Near: c.Near, Log: c.Log}
	if err := errors.Join(everyRole(c.Trust), role.apart()); err != nil {
		return nil, err
	}
	cat, err := readCatalogue(c.Catalogue)
	if err != nil {
		return nil, err
	}
	process, err := thisProcess("steps")
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, c.Store, store.GroupSteps)
	if err != nil {
		return nil, err
	}
	trust, err := follow(ctx, role.follower(st))
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	steps, err := newSteps(trust, s, c.Catalogue, cat, st, process, c.Log)
	if err != nil {
		trust.stop()
		return nil, errors.Join(err, st.Close())
	}
	g := &Guard{WorkerInterceptor: steps.Interceptor(), steps: steps, store: st, trust: trust}
	g.health = newHealth(append(probed("steps", steps.Quick), &check{name: "store", ask: st.Ping})...)
	return g, nil
}

// Ready returns nil if the guard would let a step begin: the store takes a
// write, and the quick probes are ok. Otherwise it returns [ErrNotReady] with
// the names of what is not so. The answer may be a second old. Whether Temporal
// answers is for the worker that the guard belongs to.
func (g *Guard) Ready(ctx context.Context) error {
	_, err := g.health.look(ctx)
	return err
}

// Register registers what carries out the other actions of the catalogue,
// over HTTP or by a function. It is needed only if there are such actions.
func (g *Guard) Register(w sdk.ActivityRegistry) { register(w, contract.RunStep, g.steps.RunStep) }

// Close waits for the last outcomes to be stored and closes the store. Call it
// after the worker has stopped.
func (g *Guard) Close() error {
	g.steps.Drain()
	g.trust.stop()
	return g.store.Close()
}
