// Package workertest runs real workers against the real Temporal development
// server, for tests: a control plane, a step worker, a policy, a catalogue and
// an outside world that counts what was done to it.
package workertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker"
)

// Policy admits what alice asks for, allows what the rules say, and denies
// the action desk.forbidden.
const Policy = `name: desk
version: 1
rules:
  - {id: alice-asks, phase: admit, effect: allow, when: 'request.principal == "alice"'}
  - {id: no-sabotage, phase: admit, effect: deny, when: 'request.purpose == "sabotage"', message: sabotage is not a purpose}
  - {id: the-desk, phase: step, actions: ["desk.*"], effect: allow, when: "true"}
  - {id: forbidden, phase: step, actions: [desk.forbidden], effect: deny, when: "true", message: nobody may}
  - {id: small-amounts, phase: step, actions: [desk.pay], effect: deny, when: "args.amount > 100"}
`

// Catalogue declares the actions of a [World].
const Catalogue = `version: 1
actions:
  desk.read: {description: Looks something up., effect: read, timeout: 10s, attempts: 2, backoff: 10ms, args: {type: object, additionalProperties: false, properties: {id: {type: string}}}, func: do}
  desk.note: {description: Writes a note., effect: write, idempotent: true, timeout: 10s, attempts: 2, backoff: 10ms, args: {type: object, additionalProperties: false, properties: {text: {type: string}}}, func: do}
  desk.pay: {description: Pays., effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false, required: [amount], properties: {amount: {type: integer}}}, func: do}
  desk.forbidden: {description: Is never allowed., effect: write, timeout: 10s, args: {type: object, additionalProperties: false}, func: do}
  desk.fail: {description: Fails., effect: write, idempotent: true, timeout: 10s, attempts: 2, backoff: 10ms, args: {type: object, additionalProperties: false}, func: fail}
  desk.lose: {description: Fails and nobody knows how., effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false}, func: fail}
  desk.wait: {description: Acts when it is let go and not before., effect: write, idempotent: true, timeout: 60s, heartbeat: 2s, args: {type: object, additionalProperties: false}, func: wait}
  desk.stamp: {description: Acts at once and answers when it is let go. The same key acts once., effect: write, idempotent: true, timeout: 60s, heartbeat: 2s, args: {type: object, additionalProperties: false}, func: strike}
  desk.strike: {description: Acts at once and answers when it is let go., effect: irreversible, timeout: 60s, heartbeat: 2s, args: {type: object, additionalProperties: false}, func: strike}
`

// A Fixture is one set of workers with everything they need.
type Fixture struct {
	T       testing.TB
	Dir     string
	Client  client.Client
	Trust   *evidence.Trust
	World   *World
	Config  worker.Config // as the workers were started with
	Queue   string        // of the control plane
	stop    context.CancelFunc
	stopped chan error
}

// An Option changes a fixture before its workers start.
type Option func(*Fixture)

// WithPolicy uses another bundle.
func WithPolicy(yaml string) Option { return func(f *Fixture) { f.Write("policy.yaml", yaml) } }

// WithTerms uses other times.
func WithTerms(t evidence.Terms) Option { return func(f *Fixture) { f.Config.Control.Terms = t } }

// WithConfig changes the configuration.
func WithConfig(change func(*worker.Config)) Option {
	return func(f *Fixture) { change(&f.Config) }
}

// New starts a control plane and a step worker. They stop with the test.
func New(t testing.TB, options ...Option) *Fixture {
	t.Helper()
	server := devservertest.Shared(t)
	c, err := server.Client(t.Context(), client.Options{Identity: "interlock-test", Logger: quiet{}})
	require.NoError(t, err)
	f := &Fixture{T: t, Dir: t.TempDir(), Client: c, World: NewWorld(), Trust: trust(t)}
	f.Queue = "control-" + filepath.Base(f.Dir) + fmt.Sprint(time.Now().UnixNano())
	f.Write("policy.yaml", Policy)
	f.Write("actions.yaml", Catalogue)
	f.Config = worker.Config{
		Client: c, Trust: f.Trust, Catalogue: f.Path("actions.yaml"), Store: f.Path("evidence.db"),
		Queues: worker.Queues{Control: f.Queue, Steps: f.Queue + "-steps"},
		Log:    zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
		Control: &worker.Control{
			Authority: evidencetest.Signer(evidencetest.Authority), Recorder: evidencetest.Signer(evidencetest.Recorder),
			Policy: f.Path("policy.yaml"), Terms: evidence.Terms{LeaseMS: 10_000, IntervalMS: 1_000, WindowMS: 60_000},
		},
		Steps: &worker.Steps{Key: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker, Funcs: f.World.Funcs()},
	}
	for _, o := range options {
		o(f)
	}
	f.Start()
	t.Cleanup(func() { f.World.Release(); f.Stop(); c.Close() })
	return f
}

// Beside starts a second control plane and step worker on the same queues, the
// same store and the same world.
func Beside(f *Fixture) *Fixture {
	f.T.Helper()
	other := *f
	other.Start()
	f.T.Cleanup(other.Stop)
	return &other
}

// trust is the trust root of package evidencetest, valid whenever the test
// runs.
func trust(t testing.TB) *evidence.Trust {
	keys := evidencetest.Keys()
	for i := range keys {
		keys[i].From = evidence.TimeOf(time.Now().Add(-time.Hour))
		keys[i].Until = 0
	}
	trust, err := evidence.NewTrust(evidencetest.Domain, keys)
	require.NoError(t, err)
	return trust
}

// Start starts the workers, again after Stop.
func (f *Fixture) Start() {
	f.T.Helper()
	w, err := worker.New(context.Background(), f.Config)
	require.NoError(f.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	f.stop, f.stopped = cancel, make(chan error, 1)
	go func() { f.stopped <- w.Run(ctx) }()
}

// Stop stops the workers, if they run.
func (f *Fixture) Stop() {
	if f.stop != nil {
		f.stop()
		<-f.stopped
		f.stop = nil
	}
}

// Path returns the path of a file of the fixture.
func (f *Fixture) Path(name string) string { return filepath.Join(f.Dir, name) }

// Write writes a file of the fixture.
func (f *Fixture) Write(name, content string) {
	f.T.Helper()
	require.NoError(f.T, os.WriteFile(f.Path(name), []byte(content), 0o600))
}

// A World is what the actions act on. It is safe for concurrent use.
type World struct {
	mu      sync.Mutex
	effects []executor.Call
	began   chan executor.Call
	release chan struct{}
	once    sync.Once
}

// NewWorld returns a world in which nothing has happened.
func NewWorld() *World {
	return &World{began: make(chan executor.Call, 1024), release: make(chan struct{})}
}

// Effects returns every effect there was, in order.
func (w *World) Effects() []executor.Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]executor.Call(nil), w.effects...)
}

// Count returns how often an action had its effect.
func (w *World) Count(action string) (n int) {
	for _, c := range w.Effects() {
		if c.Action == action {
			n++
		}
	}
	return n
}

// Await waits until another desk.wait has begun, or desk.strike or
// desk.stamp has acted.
func (w *World) Await(t testing.TB) executor.Call {
	t.Helper()
	select {
	case c := <-w.began:
		return c
	case <-time.After(patience):
		t.Fatal("no desk.wait, desk.strike or desk.stamp began")
		return executor.Call{}
	}
}

// Release lets every desk.wait, desk.strike and desk.stamp go on.
func (w *World) Release() { w.once.Do(func() { close(w.release) }) }

// Funcs returns the executors.
func (w *World) Funcs() map[string]executor.Executor {
	return map[string]executor.Executor{
		"do": executor.Func(func(_ context.Context, c executor.Call) (json.RawMessage, error) {
			w.happened(c)
			return c.Args, nil
		}),
		"fail": executor.Func(func(context.Context, executor.Call) (json.RawMessage, error) {
			return nil, &executor.Error{Cause: "world.broken", Answered: true}
		}),
		"wait":   executor.Func(w.wait),
		"strike": executor.Func(w.strike),
	}
}

func (w *World) strike(ctx context.Context, c executor.Call) (json.RawMessage, error) {
	w.happened(c)
	w.began <- c
	select {
	case <-w.release:
		return json.RawMessage(`{"struck":true}`), nil
	case <-ctx.Done():
		return nil, &executor.Error{Cause: "world.interrupted", Err: context.Cause(ctx)}
	}
}

func (w *World) wait(ctx context.Context, c executor.Call) (json.RawMessage, error) {
	w.began <- c
	select {
	case <-w.release:
		w.happened(c)
		return json.RawMessage(`{"waited":true}`), nil
	case <-ctx.Done():
		return nil, &executor.Error{Cause: "world.interrupted", NoEffect: true, Err: context.Cause(ctx)}
	}
}

func (w *World) happened(c executor.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects = append(w.effects, c)
}

// quiet drops the SDK's own logging, which a test has no use for.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
