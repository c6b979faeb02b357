package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// ErrConfig means that a worker lacks something without which it must not
// start.
var ErrConfig = errors.New("the worker cannot start like this")

// Config holds what [New] needs. Control, Steps, or both must be set.
type Config struct {
	Client    client.Client   // stays the caller's; must use the namespace that executions run in
	Trust     *evidence.Trust // required
	TrustFile string          // path to read new versions of Trust from; without it Trust stays what it is
	Catalogue string          // path of the catalogue; required
	Store     string          // the evidence store, as [store.Open] takes it: a path or a PostgreSQL URL; required
	Queues    Queues          // see there for the defaults
	Control   *Control        // the role of control plane
	Steps     *Steps          // the role of step worker
	Log       *zap.Logger     // required
	Near      Near            // where else keys and credentials of others could be

	// Health is the address, such as 127.0.0.1:9090, at which Run answers GET and
	// HEAD of /healthz (the process lives: 200) and /readyz (200, or 503 while the
	// store takes no write, Temporal does not answer, or a quick probe of a role
	// fails; JSON with the state of each check and since when). Anybody who
	// reaches it may ask. Optional: empty for none. See [Worker.Health] for
	// answering on a server of one's own.
	Health string
	// TogetherUnsafe lets the process read the keys and credentials of every
	// role. For development only: whoever takes over such a process has them
	// all. Without it, New makes sure that the roles are apart: see [Near].
	TogetherUnsafe bool
}

// Queues are the task queues.
type Queues struct {
	Control string // "interlock" by default
	Steps   string // "interlock-steps" by default
}

// Control is what the control plane needs besides. Every field is required
// but SearchAttributes and those that say so.
type Control struct {
	Authority *evidence.Signer // not with Authorities
	Recorder  *evidence.Signer // not with Recorders
	Policy    string           // path of the policy bundle
	Terms     evidence.Terms
	// Authorities and Recorders are for keys that replace each other while the
	// worker runs, in place of Authority and Recorder. They are loaded again when
	// the trust root moves, and every 10 s.
	Authorities, Recorders *evidence.Ring
	// SearchAttributes says that the namespace has the search attributes of
	// package contract.
	SearchAttributes bool
	// MaxEvents is how many events a history may have before an execution
	// continues as new. Optional: 4,000 by default, 40 to 5,000.
	MaxEvents int
	// MaxBytes is the same for the size of the history. Optional: 8 MiB by
	// default, 1 to 10 MiB.
	MaxBytes int
	// Outage is how long executions wait for an evidence store that does not
	// answer. Optional: by default they do not, and halt. See
	// [activities.ControlConfig].
	Outage time.Duration
	// Probes are asked besides the built-in ones. Optional.
	Probes []activities.Probe
}

// Steps is what a step worker needs besides.
type Steps struct {
	Key     *evidence.Signer             // required, without Keys
	Keys    *evidence.Ring               // keys of this worker that replace each other, in place of Key
	Name    string                       // of the key in the trust root; required
	Secrets executor.Secrets             // required if the catalogue names secrets
	Funcs   map[string]executor.Executor // the Go functions that the catalogue names
	// Wait is how long a step waits for a live lease, and for an evidence store
	// that does not answer. Optional: 30 s by default. Not less than the control
	// plane's Outage, or steps give up first.
	Wait time.Duration
	// Activities registers the Temporal activities that the catalogue names.
	// Required if it names one. A team that has a Temporal worker already
	// uses [NewGuard] instead.
	Activities func(sdk.ActivityRegistry)
}

// A Worker polls Temporal for the work of its roles.
type Worker struct {
	store   *store.Store
	workers []sdk.Worker
	drain   func() // waits for the step worker's last writes
	trust   *follower
	log     *zap.Logger
	process evidence.Process
	health  *health
	listens net.Listener // for health; nil for none
	polls   atomic.Bool  // it runs, and was not told to stop
}

// New returns a worker that is ready to run, or [ErrConfig] with everything
// that is wrong. It opens the evidence store and proves that it can write to
// it; the caller must call Run or Close.
func New(ctx context.Context, c Config) (*Worker, error) {
	set(&c.Queues.Control, "interlock")
	set(&c.Queues.Steps, "interlock-steps")
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.apart(); err != nil {
		return nil, err
	}
	cat, err := readCatalogue(c.Catalogue)
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, c.Store, c.groups()...)
	if err != nil {
		return nil, err
	}
	w := &Worker{store: st, log: c.Log, drain: func() {}}
	if w.trust, err = follow(ctx, c.follower(st)); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if err := w.build(c, cat); err != nil {
		w.trust.stop()
		return nil, errors.Join(err, st.Close())
	}
	if err := w.listen(c.Health); err != nil {
		w.trust.stop()
		return nil, errors.Join(err, st.Close())
	}
	return w, nil
}

func (c *Config) check() error {
	return errors.Join(
		missing(!defence.Deployable(), "a build with its defences (without the tag undefended)"),
		missing(c.Client == nil, "a Temporal client"),
		missing(c.Trust == nil, "a trust root"),
		missing(c.Catalogue == "", "the path of the catalogue"),
		missing(c.Store == "", "the path or URL of the evidence store"),
		missing(c.Log == nil, "a logger"),
		missing(c.Control == nil && c.Steps == nil, "a role: control, steps or both"),
		everyRole(c.Trust),
	)
}

// groups are those whose work this process does.
func (c *Config) groups() (groups []string) {
	if c.Control != nil {
		groups = append(groups, store.GroupControl)
	}
	if c.Steps != nil {
		groups = append(groups, store.GroupSteps)
	}
	return groups
}

// openStore opens the evidence store, and proves that the work of groups can be
// written to it.
func openStore(ctx context.Context, target string, groups ...string) (*store.Store, error) {
	st, err := store.Open(ctx, target, store.For(groups...))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := st.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: the evidence store takes no writes: %w", ErrConfig, err), st.Close())
	}
	return st, nil
}

// listen takes the address of the health checks.
func (w *Worker) listen(address string) (err error) {
	if address == "" {
		return nil
	}
	if w.listens, err = net.Listen("tcp", address); err != nil {
		return fmt.Errorf("%w: health: %w", ErrConfig, err)
	}
	return nil
}

// Health answers /healthz and /readyz as described at [Config].
func (w *Worker) Health() http.Handler { return w.health }

// Ready returns nil if w can do its work: it runs, the store takes a write,
// Temporal answers, and the quick probes of its roles are ok. Otherwise it
// returns [ErrNotReady] with the names of what is not so. The answer may be a
// second old.
func (w *Worker) Ready(ctx context.Context) error {
	_, err := w.health.look(ctx)
	return err
}

func (w *Worker) build(c Config, cat *catalogue.Catalogue) (err error) {
	if w.process, err = thisProcess(c.roles()); err != nil {
		return err
	}
	w.health = newHealth(
		&check{name: "polling", ask: w.polling},
		&check{name: "store", ask: w.store.Ping},
		&check{name: "temporal", ask: func(ctx context.Context) error {
			_, err := c.Client.CheckHealth(ctx, &client.CheckHealthRequest{})
			return err
		}},
	)
	var errs []error
	if c.Control != nil {
		errs = append(errs, w.addControl(c, cat))
	}
	if c.Steps != nil {
		errs = append(errs, w.addSteps(c, cat))
	}
	return errors.Join(errs...)
}

func (w *Worker) polling(context.Context) error {
	if !w.polls.Load() {
		return ErrNotReady
	}
	return nil
}

// Run works until ctx is done, then stops polling, waits for what runs to
// stop, and closes the store.
func (w *Worker) Run(ctx context.Context) error {
	if w.listens != nil {
		defer w.health.serve(w.listens)()
	}
	for i, sw := range w.workers {
		if err := sw.Start(); err != nil {
			w.stop(w.workers[:i])
			return errors.Join(fmt.Errorf("couldn't start polling: %w", err), w.Close())
		}
	}
	// What SHA3-512SUMS of a release says of the program that was built.
	w.log.Info("working", zap.Stringer("executable", w.process.Executable), zap.String("build", w.process.Build))
	w.polls.Store(true)
	<-ctx.Done()
	w.polls.Store(false)
	w.stop(w.workers)
	return w.Close()
}

func (w *Worker) stop(workers []sdk.Worker) {
	for _, sw := range workers {
		sw.Stop()
	}
}

// Close closes the store of a worker that does not run.
func (w *Worker) Close() error {
	w.drain()
	if w.listens != nil {
		_ = w.listens.Close() // it may be closed
	}
	w.trust.stop()
	return w.store.Close()
}

func readCatalogue(path string) (*catalogue.Catalogue, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: couldn't read the catalogue: %w", ErrConfig, err)
	}
	cat, err := catalogue.Parse(path, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return cat, nil
}

func missing(is bool, what string) error {
	if is {
		return fmt.Errorf("%w: %s is missing", ErrConfig, what)
	}
	return nil
}

func set(field *string, to string) {
	if *field == "" {
		*field = to
	}
}
