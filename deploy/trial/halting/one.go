package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"

	"github.com/interlock-run/interlock/deploy/daemon"
	"github.com/interlock-run/interlock/deploy/trial/rig"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

// held is the one step of the executions.
const held = "held"

// A way is how an execution is revoked.
type way struct {
	name   string
	revoke func(ctx context.Context, id string) error
}

func (t *trial) ways() []way {
	return []way{
		{"revoke, by the library", func(ctx context.Context, id string) error {
			_, err := t.stage.Agent.Revoke(ctx, id, "a trial")
			return err
		}},
		{"revoke, and nobody tells the workflow", t.untold},
		{"interlock revoke, the process included", func(ctx context.Context, id string) error {
			out, err := exec.CommandContext(ctx, t.command[0], append(t.command[1:], "revoke", id, "--reason", "a trial")...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("interlock revoke: %w\n%s", err, out)
			}
			return nil
		}},
	}
}

// untold puts a kill of one action's executions into the store and sends no
// Signal: as if somebody kept it away.
func (t *trial) untold(ctx context.Context, id string) error {
	signed, err := t.stage.Agent.SignOrder(&evidence.Order{
		Does: evidence.Stop, Scope: evidence.Scope{Kind: evidence.ScopeExecution, Value: id}, Reason: "a trial",
	})
	if err != nil {
		return err
	}
	return t.stage.PutOrder(ctx, signed)
}

// makeCommand builds the command line, and gives it a configuration.
func (t *trial) makeCommand(ctx context.Context) error {
	root, err := daemon.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	path := t.stage.Path("interlock")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./starter/cmd/interlock")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("couldn't build the command line: %w\n%s", err, out)
	}
	file := t.stage.Path("agent/interlock.yaml")
	config := fmt.Sprintf("temporal: {address: %q, namespace: %q}\nqueues: {control: %q}\ntrust: %q\nkeys: {revoker: keys/trial-revoker.pem}\n",
		t.stage.Temporal(), t.stage.Namespace(), t.stage.Name, t.stage.Path("shared/trust.json"))
	t.command = []string{path, "--output", "json"}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	return os.Setenv("INTERLOCK_CONFIG", file)
}

// oneByOne revokes one execution after the other.
func (t *trial) oneByOne(ctx context.Context, w way, runs int) error {
	var took []time.Duration
	var errs []error
	for i := range runs {
		d, err := t.once(ctx, w, i)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, run %d: %w", w.name, i, err))
			continue
		}
		took = append(took, d)
	}
	if len(took) > 0 {
		t.row(w.name, took)
	}
	return errors.Join(errs...)
}

func (t *trial) once(ctx context.Context, w way, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it was given %v", patience))
	defer cancel()
	h := newHolders(1)
	t.stage.World.Meet(h.before, nil)
	defer close(h.release)
	// A step that can be repeated, and one that cannot, in turn.
	step := rig.Notify(held)
	if n%2 == 1 {
		step = rig.Letter(held)
	}
	x, err := t.stage.Agent.Start(ctx, rig.Request(fmt.Sprintf("one-%s-%d", evidence.FileDigest([]byte(w.name)).Short(), n), w.name, step))
	if err != nil {
		return 0, err
	}
	if err := h.arrived(ctx); err != nil {
		return 0, err
	}
	// In some runs the watch over the execution has begun by then, in some not.
	select {
	case <-time.After(rand.N(lease * 3 / 4)):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	began := time.Now()
	if err := w.revoke(ctx, x.ID()); err != nil {
		return 0, err
	}
	ended, err := h.gone(ctx)
	if err != nil {
		return 0, err
	}
	took := ended[0].Sub(began)
	t.say("%s: %v", w.name, took)
	return took, t.conclude(ctx, x)
}

// conclude waits for the verdict, and holds the desk's books against the proof,
// which must name the order.
func (t *trial) conclude(ctx context.Context, x *starter.Execution) error {
	receipt, err := x.Wait(ctx)
	var verdict *starter.VerdictError
	if err == nil || !errors.As(err, &verdict) {
		return fmt.Errorf("%w: it ended with %v", errBroken, err)
	}
	if v := receipt.Verdict; v != evidence.Halted && v != evidence.Unresolved {
		return fmt.Errorf("%w: the verdict is %s", errBroken, v)
	}
	proof, err := t.stage.Agent.Proof(ctx, x.ID())
	if err != nil {
		return err
	}
	report := evidence.Verify(t.stage.Trust, proof)
	if err := report.Err(); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if report.Order == nil {
		return fmt.Errorf("%w: the proof does not name the order", errBroken)
	}
	facts, err := rig.FactsOf(t.stage.Trust, proof)
	if err != nil {
		return err
	}
	books, err := t.stage.World.Books(ctx)
	if err != nil {
		return err
	}
	books = books.Of(evidence.IdempotencyKey(x.Request(), held))
	if wrong := rig.Compare(facts, books); len(wrong) > 0 || len(books.Effects) > 0 {
		return fmt.Errorf("%w: %v, %d effects", errBroken, wrong, len(books.Effects))
	}
	return nil
}
