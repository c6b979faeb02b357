package activities

import (
	"context"

	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// disown seals a run that holds records of another: somebody reset an
// execution, or copied it. Nothing was ever authorized in this run, so nothing
// can have run in it, and that is what its own chain says: a denial, sealed.
// A run that holds a single record of its own is not disowned, whatever became
// of the store: something may have run in it.
//
// A run that the store knows as the one that has the execution is no such run;
// its seal is tried again with what the store holds.
func (c *Control) disown(ctx context.Context, run store.Run, in contract.SealInput, why string) (*contract.SealOutput, error) {
	unsealed := temporal.NewNonRetryableApplicationError(why, contract.ErrTypeUnsealed, nil)
	if in.Request == nil || c.holdsOwn(run, in.All) {
		return nil, unsealed
	}
	x, err := c.open(ctx, run)
	if err != nil {
		return nil, c.storeError(err)
	}
	defer x.letGo()
	grant, count := x.lineage.Grant(), x.lineage.Count()
	x.release()
	switch {
	case grant != nil:
		if x.lineage.Binding().Run != run.Run {
			return nil, unsealed
		}
		in.All, in.Request = nil, nil
		return c.sealStored(ctx, in)
	case count == 0:
		refused := &refusal{cause: "run.unknown", reason: "this run was never authorized: it is a reset or a copy of another"}
		if _, err := c.deny(ctx, run, *in.Request, refused, true); err != nil {
			return nil, err
		}
		c.cache.drop(run)
	}
	out, err := c.sealStored(ctx, contract.SealInput{Head: evidence.Position{}})
	if err != nil {
		return nil, err
	}
	out.Anew = true
	return out, nil
}

// holdsOwn reports whether one of the records is bound to run, or cannot be
// read.
func (c *Control) holdsOwn(run store.Run, records []evidence.Envelope) bool {
	for _, e := range records {
		rec, err := c.reopen(e)
		if err != nil {
			return true
		}
		if b, ok := evidence.BindingOf(rec.Predicate); ok && b.Run == run.Run {
			return true
		}
	}
	return false
}
