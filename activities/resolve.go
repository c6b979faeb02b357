package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// Resolve adds a signed resolution to the chain of the execution that it is
// about, which ended before. Which run that is says the operator's signature;
// Temporal's task belongs to another workflow. Asked again with the same
// resolution it returns the same answer; another one for the same step is
// refused, and so is whatever [evidence.Lineage] does not let follow the seal.
//
// Only what the store holds can be resolved: an execution that was sealed
// without the store has no chain there that a record could be added to.
func (c *Control) Resolve(ctx context.Context, signed evidence.Envelope) (*contract.Resolved, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	rec, err := c.openResolution(ctx, signed)
	if err != nil {
		return nil, err
	}
	for range 3 {
		out, err := c.resolve(ctx, rec)
		if !errors.Is(err, store.ErrConflict) {
			return out, err
		}
	}
	return nil, storeError(store.ErrConflict)
}

// openResolution returns a resolution by an operator who is trusted now, and
// who meant it for this workflow.
func (c *Control) openResolution(ctx context.Context, signed evidence.Envelope) (*evidence.Record, error) {
	now := evidence.TimeOf(c.c.Now())
	rec, err := openNow(c.c.Trust, signed, now)
	if err != nil {
		return nil, notResolved("resolution.untrusted", "it is not signed by an operator who is trusted now: "+sentence(err), nil)
	}
	p, ok := rec.Predicate.(*evidence.Resolution)
	here := runOf(ctx)
	switch {
	case !ok:
		return nil, notResolved("resolution.kind", fmt.Sprintf("a %s was presented as a resolution", rec.Kind()), nil)
	case p.Binding.Namespace != here.Namespace || contract.ResolveID(p.Binding.Run, p.Step) != here.Workflow:
		// Under another id, whoever asks for the proof would not find it.
		return nil, notResolved("resolution.workflow", "it is not for the workflow id that it was presented under", nil)
	case p.At > now.Add(c.c.Skew):
		return nil, notResolved("resolution.future", fmt.Sprintf("it is dated %v, in the future", p.At), nil)
	}
	return rec, nil
}

// resolve adds the resolution to what the store holds, and to nothing older:
// this is rare, and another control plane may have sealed or resolved.
func (c *Control) resolve(ctx context.Context, rec *evidence.Record) (*contract.Resolved, error) {
	p := rec.Predicate.(*evidence.Resolution)
	x, err := c.open(ctx, store.Run{Namespace: p.Binding.Namespace, Workflow: p.Binding.Workflow, Run: p.Binding.Run})
	if err != nil {
		return nil, storeError(err)
	}
	defer x.letGo() // the copy is not needed again
	if !x.fresh {
		if err := x.read(ctx); err != nil {
			return nil, storeError(err)
		}
	}
	if x.has(rec.Digest) {
		return x.resolved(p.Step), nil
	}
	if err := x.resolvable(p); err != nil {
		return nil, err
	}
	if err := x.add(rec); err != nil {
		return nil, notResolved("resolution.refused", sentence(err), nil)
	}
	err = c.commit(ctx, x.execution, nil)
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, err
	case err != nil:
		return nil, storeError(err)
	}
	c.c.Log.Info("step resolved", zap.String("execution", p.Binding.Workflow), zap.String("run", p.Binding.Run),
		zap.String("step", p.Step), zap.String("found", string(p.Found)), zap.String("operator", p.Operator))
	return x.resolved(p.Step), nil
}

// resolvable reports what speaks against adding p, where it can be said more
// clearly than by the rules of [evidence.Lineage], which come next.
func (x *execution) resolvable(p *evidence.Resolution) error {
	switch old := x.lineage.Resolution(p.Step); {
	case x.lineage.Count() == 0:
		return notResolved("resolution.unstored", fmt.Sprintf(
			"the evidence store has no records of execution %.200s, run %.60s: they are in another store, or the execution was sealed without it", p.Binding.Workflow, p.Binding.Run), nil)
	case x.lineage.Sealed() == nil:
		return notResolved("resolution.unsealed", fmt.Sprintf(
			"the seal of execution %.200s is not in the evidence store: it is not made yet, or was made without the store, and nothing can follow it", p.Binding.Workflow), nil)
	case old != nil:
		return notResolved(contract.CheckResolved, fmt.Sprintf(
			"already resolved: %s %s, by %s on %v", old.Step, old.Found, old.Operator, old.At), x.resolved(p.Step))
	}
	return nil
}

// resolved returns the resolution of a step that is in the chain.
func (x *execution) resolved(step string) *contract.Resolved {
	for i := x.end(); i < len(x.envs); i++ {
		rec, err := x.envs[i].Decode()
		if err != nil {
			continue
		}
		if p, ok := rec.Predicate.(*evidence.Resolution); ok && p.Step == step {
			return &contract.Resolved{
				Execution: p.Binding.Workflow, Run: p.Binding.Run, Step: step, Seq: uint64(i), Link: x.links[i],
				Open: x.lineage.Open(), Resolution: x.envs[i],
			}
		}
	}
	return nil
}

// end returns how many records the chain has up to its seal, and with it.
func (x *execution) end() int {
	return min(int(x.lineage.Sealed().Seq)+1, len(x.envs))
}

// notResolved is the refusal of a resolution. If the step was resolved before,
// old is what was recorded then.
func notResolved(check, reason string, old *contract.Resolved) error {
	details := []any{contract.Cause{Check: check, Reason: reason}}
	if old != nil {
		details = append(details, *old)
	}
	return temporal.NewNonRetryableApplicationError("the resolution is refused: "+reason, contract.ErrTypeRefused, nil, details...)
}
