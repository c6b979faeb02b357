package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// Seal ends an execution's chain. It records what arrived last, measures once
// more, writes the halt if a check failed, works out the verdict from the
// records, and signs the seal. Asked again it returns the same seal.
//
// If in.All is set, the store did not answer or was not the one the workflow
// knows: the seal is then made from those records alone, each verified anew,
// and is kept in the Temporal history only.
func (c *Control) Seal(ctx context.Context, in contract.SealInput) (*contract.SealOutput, error) {
	if len(in.All) > 0 {
		return c.sealUnstored(ctx, in)
	}
	for range 3 {
		out, err := c.sealStored(ctx, in)
		if !errors.Is(err, store.ErrConflict) {
			return out, err
		}
	}
	return nil, storeError(store.ErrConflict)
}

func (c *Control) sealStored(ctx context.Context, in contract.SealInput) (*contract.SealOutput, error) {
	x, err := c.open(ctx, runOf(ctx))
	if err != nil {
		return nil, storeError(err)
	}
	err = x.agrees(in.Head)
	if err == nil && x.lineage.Sealed() == nil {
		err = c.end(ctx, x, in)
	}
	if err == nil {
		err = c.commit(ctx, x, nil)
	}
	if err != nil {
		c.abandon(x)
		if errors.Is(err, store.ErrConflict) {
			return nil, err
		}
		return nil, storeError(err)
	}
	defer x.mu.Unlock()
	defer c.cache.drop(x.run) // a sealed execution is not asked for again
	return sealed(x, in), nil
}

// end adds everything that comes after the last decision.
func (c *Control) end(ctx context.Context, x *execution, in contract.SealInput) error {
	halt := in.Halt
	began := map[string]bool{}
	if x.lineage.Grant() != nil {
		if bad := c.receive(x, in.Fresh); bad != nil && halt.Check == "" {
			halt = *bad
		}
		if err := c.recover(ctx, x, began); err != nil {
			return err
		}
		if bad := c.trip(ctx, x, in.Head); bad != nil && halt.Check == "" {
			halt = *bad
		}
	}
	return c.close(x, halt, func(step string) bool { return began[step] })
}

// recover adds the outcomes that a worker stored but that never came back
// through Temporal, and notes which steps took their effect slot.
func (c *Control) recover(ctx context.Context, x *execution, began map[string]bool) error {
	if !x.open() {
		return nil
	}
	slots, err := c.c.Store.Slots(ctx, x.run)
	if err != nil {
		return err
	}
	for _, s := range slots {
		began[s.Step] = true
		if s.Outcome == nil || x.has(s.Outcome.Digest()) {
			continue
		}
		if bad := c.receive(x, []evidence.Envelope{*s.Outcome}); bad != nil {
			c.c.Log.Warn("stored outcome not believed", zap.String("execution", x.run.Workflow),
				zap.String("step", s.Step), zap.String("check", bad.Check), zap.String("reason", bad.Reason))
		}
	}
	return nil
}

// open reports whether some step was allowed and has no outcome.
func (x *execution) open() bool {
	return slices.ContainsFunc(x.lineage.Request().Steps, func(s evidence.Step) bool {
		d, _ := x.lineage.Decided(s.ID)
		return d != nil && d.Effect.Allows() && x.lineage.Ended(s.ID) == nil
	})
}

// close adds the halt, if a check failed, and the seal.
func (c *Control) close(x *execution, halt contract.Cause, began func(string) bool) error {
	l := &x.lineage
	if check := l.Tripped(); check != "" && halt.Check == "" {
		halt = contract.Cause{Check: check, Reason: l.Stopped()}
	}
	if halt.Check != "" && l.Grant() != nil && l.Halted() == nil {
		h := &evidence.Halt{
			Position: x.chain.Next(), At: c.now(l), Grant: l.GrantDigest(),
			Binding: l.Binding(), Check: halt.Check, Reason: halt.Reason,
		}
		if err := c.sign(x, c.c.Authority, h); err != nil {
			return err
		}
	}
	verdict, cause, steps := l.Judge(began)
	return c.sign(x, c.c.Recorder, &evidence.Seal{
		Position: x.chain.Next(), At: c.now(l), Request: l.Subject().Digest, Grant: l.GrantDigest(),
		Binding: l.Binding(), Verdict: verdict, Cause: cause, Steps: steps,
	})
}

// sealUnstored makes the seal from the workflow's own records.
func (c *Control) sealUnstored(ctx context.Context, in contract.SealInput) (*contract.SealOutput, error) {
	x := &execution{run: runOf(ctx)}
	x.reset()
	for i, e := range in.All {
		rec, err := c.c.Trust.Open(e)
		if err == nil {
			err = x.add(rec)
		}
		if err != nil {
			return nil, temporal.NewNonRetryableApplicationError(fmt.Sprintf("record %d cannot be sealed", i), contract.ErrTypeUnsealed, err)
		}
	}
	if err := x.agrees(in.Head); err != nil || x.lineage.Binding() != c.bindingOf(x.run) {
		return nil, temporal.NewNonRetryableApplicationError("the records are not those of this run", contract.ErrTypeUnsealed, err)
	}
	halt := in.Halt
	if x.lineage.Grant() != nil {
		if bad := c.receive(x, in.Fresh); bad != nil && halt.Check == "" {
			halt = *bad
		}
	}
	began := func(step string) bool { return slices.Contains(in.Ordered, step) }
	if err := c.close(x, halt, began); err != nil {
		return nil, err
	}
	return sealed(x, in), nil
}

func sealed(x *execution, in contract.SealInput) *contract.SealOutput {
	s := x.lineage.Sealed()
	return &contract.SealOutput{
		Entries: x.since(in.Head, in.Fresh), Request: s.Request, Run: s.Binding.Run,
		Verdict: s.Verdict, Cause: s.Cause,
	}
}
