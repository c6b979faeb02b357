package activities

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// Seal ends an execution's chain. It records what arrived last, measures once
// more, writes the halt if a check failed, works out the verdict from the
// records, and signs the seal. Asked again it returns the same seal.
//
// Before it judges, the recorder takes the effect slot of every step that was
// allowed and has none: what has not begun by then never will, whichever
// worker holds the order.
//
// If in.All is set, the store did not take the seal or was not the one the
// workflow knows: the seal is then made from those records, each verified
// anew, and is kept in the Temporal history only. It says the worst that those
// records allow: halted, and every step without an outcome unresolved.
func (c *Control) Seal(ctx context.Context, in contract.SealInput) (*contract.SealOutput, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	if len(in.All) > 0 {
		return c.sealUnstored(ctx, in)
	}
	for range 3 {
		out, err := c.sealStored(ctx, in)
		if !errors.Is(err, store.ErrConflict) {
			return out, err
		}
	}
	return nil, c.storeError(store.ErrConflict)
}

func (c *Control) sealStored(ctx context.Context, in contract.SealInput) (*contract.SealOutput, error) {
	crash.Point("seal.begin")
	x, err := c.open(ctx, runOf(ctx))
	if err != nil {
		return nil, c.storeError(err)
	}
	defer x.letGo()
	fresh := x.fresh
	err = x.agrees(in.Head)
	if err == nil && x.lineage.Sealed() == nil {
		err = c.end(ctx, x.execution, in)
	}
	if err == nil {
		crash.Point("seal.signed")
		err = c.commit(ctx, x.execution, nil)
	}
	if err != nil {
		x.abandon()
		if errors.Is(err, errHead) && !fresh {
			err = store.ErrConflict // the copy may be an old one: read again
		}
		if errors.Is(err, store.ErrConflict) {
			return nil, err
		}
		return nil, c.storeError(err)
	}
	crash.Point("seal.stored")
	out := sealed(x.execution, in)
	c.cache.drop(x.run) // a sealed execution is not asked for again
	c.rosters.drop(x.run)
	x.release()
	return out, nil
}

// end adds everything that comes after the last decision.
func (c *Control) end(ctx context.Context, x *execution, in contract.SealInput) error {
	halt := in.Halt
	began := map[string]bool{}
	if x.lineage.Grant() != nil {
		if bad := c.receive(x, in.Fresh); bad != nil && halt.Check == "" {
			halt = *bad
		}
		contradicted, err := c.recover(ctx, x, began)
		if err != nil {
			return err
		}
		if contradicted != nil && halt.Check == "" {
			halt = *contradicted
		}
		crash.Point("seal.fenced")
		halt = c.orderBehind(ctx, x, halt)
		bad, err := c.trip(ctx, x, in.Head)
		if err != nil {
			return err
		}
		if bad != nil && halt.Check == "" {
			halt = *bad
		}
	}
	return c.close(x, halt, func(step string) bool { return began[step] })
}

// orderBehind adds the order for which an execution was stopped, where it is
// not in the chain yet: a guard or Watch may have heard of it first.
func (c *Control) orderBehind(ctx context.Context, x *execution, halt contract.Cause) contract.Cause {
	if !isOrder(halt.Check) && !isOrder(x.lineage.Tripped()) {
		return halt
	}
	orders, err := c.orders.read(ctx)
	if err != nil {
		return halt // it is stopped all the same
	}
	if cause := c.obey(x, orders); cause != nil && (halt.Check == "" || isOrder(halt.Check)) {
		return *cause
	}
	return halt
}

func isOrder(check string) bool {
	return check == evidence.CauseRevoked || check == evidence.CauseKilled
}

// recover fences the steps that have not begun, adds the outcomes that a
// worker stored but that never came back through Temporal, and notes which
// steps had taken their effect slot. It returns a failed check if the store
// holds another end of a step than came back.
func (c *Control) recover(ctx context.Context, x *execution, began map[string]bool) (contradicted *contract.Cause, err error) {
	slots, err := c.fence(ctx, x)
	if err != nil {
		return nil, err
	}
	for _, s := range slots {
		began[s.Step] = s.Worker != fenced
		if s.Outcome == nil || x.has(s.Outcome.Digest()) {
			continue
		}
		if ended := x.lineage.Ended(s.Step); ended != nil {
			if c.contradicts(ended, *s.Outcome) && contradicted == nil {
				contradicted = &contract.Cause{Check: "outcome.contradicted", Reason: fmt.Sprintf("step %q ended in two ways: %s came back, another is stored", s.Step, ended.Status)}
			}
			continue
		}
		if bad := c.receive(x, []evidence.Envelope{*s.Outcome}); bad != nil {
			c.c.Log.Warn("stored outcome not believed", zap.String("execution", x.run.Workflow),
				zap.String("step", s.Step), zap.String("check", bad.Check), zap.String("reason", bad.Reason))
		}
	}
	return contradicted, nil
}

// contradicts reports whether a stored outcome that can be believed says
// otherwise than the one that came back. Two attempts at a step that can be
// repeated may both have signed one, and whoever owns Temporal chooses which
// comes back.
func (c *Control) contradicts(ended *evidence.Outcome, stored evidence.Envelope) bool {
	rec, err := openUnmarked(c.c.Trust, stored)
	if err != nil {
		return false
	}
	o, ok := rec.Predicate.(*evidence.Outcome)
	return ok && o.Decision == ended.Decision && o.Status != ended.Status
}

// fence takes what could still begin, and returns all slots: those of steps that
// have not begun; and, where there is a slot without an outcome, the one that
// keeps its step from beginning again. That its outcome reached the
// chain is no end to the slot: the worker may have died before it stored it.
func (c *Control) fence(ctx context.Context, x *execution) ([]store.Slot, error) {
	fences, run := x.open(), x.run
	var slots []store.Slot
	err := answering(ctx, func() error {
		before, err := c.c.Store.Slots(ctx, run)
		if err != nil {
			return err
		}
		for _, s := range append(fences, sealing(fences, before)...) {
			if !defence.Stands(defence.SealFence) {
				break
			}
			if _, err := c.c.Store.Fence(ctx, s); err != nil && !errors.Is(err, store.ErrTaken) {
				return err
			}
		}
		slots, err = c.c.Store.Slots(ctx, run)
		return err
	})
	if err != nil {
		return nil, err
	}
	return slots, nil
}

// fenced is the worker of a slot that the recorder took so that nobody else
// can. It is no worker's name.
const fenced = "(sealed)"

// anyOrders takes a slot whatever orders have come: to keep a step from
// beginning.
const anyOrders = math.MaxInt64

// sealing returns the slot that the recorder takes last, of a step that no plan
// can have, if a step could still begin or begin again: from then on none does,
// and no lease is renewed.
func sealing(fences, slots []store.Slot) []store.Slot {
	open := slices.Clone(fences) // one of these may be taken by a worker right now
	for _, s := range slots {
		if s.Outcome == nil {
			open = append(open, s)
		}
	}
	if len(open) == 0 {
		return nil
	}
	like := open[0]
	return []store.Slot{{Run: like.Run, Step: fenced, Decision: like.Decision, Key: like.Key, Worker: fenced, At: like.At}}
}

func isSealing(s store.Slot) bool { return s.Step == fenced }

// open returns a fence for each step that was allowed and has no outcome.
func (x *execution) open() (fences []store.Slot) {
	for _, s := range x.lineage.Request().Steps {
		d, rec := x.lineage.Decided(s.ID)
		if d == nil || !d.Effect.Allows() || x.lineage.Ended(s.ID) != nil {
			continue
		}
		fences = append(fences, store.Slot{Run: x.run, Step: s.ID, Decision: rec.Digest, Key: d.Key, Worker: fenced, At: d.At})
	}
	return fences
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
			Binding: l.Binding(), Check: checkName(halt.Check), Reason: clip(halt.Reason),
		}
		if err := c.sign(x, c.c.Authorities, h); err != nil {
			if l.Tripped() != "" {
				return err
			}
			// A seal without its halt is better than neither: the authority's
			// key may just have ended. But it must not say completed.
			if verdict, _, _ := l.Judge(began); verdict == evidence.Completed {
				return err
			}
			c.c.Log.Error("halt not signed", zap.String("execution", x.run.Workflow), zap.String("check", h.Check), zap.Error(err))
		}
	}
	verdict, cause, steps := l.Judge(began)
	return c.sign(x, c.c.Recorders, &evidence.Seal{
		Position: x.chain.Next(), At: c.now(l), Request: l.Subject().Digest, Grant: l.GrantDigest(),
		Binding: l.Binding(), Verdict: verdict, Cause: cause, Steps: steps,
	})
}

// checkForm is what the name of a check looks like. Some come over the wire.
var checkForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,79}$`)

func checkName(s string) string {
	if checkForm.MatchString(s) {
		return s
	}
	return "halt.unnamed"
}

// known returns what the store holds of the execution, if it can be read and
// goes on from head; otherwise the workflow's own records.
func (c *Control) known(ctx context.Context, run store.Run, in contract.SealInput) []evidence.Envelope {
	x, err := c.open(ctx, run)
	if err != nil {
		return in.All
	}
	defer x.letGo()
	defer x.release()
	if x.agrees(in.Head) != nil {
		return in.All
	}
	return slices.Clone(x.envs)
}

// sealUnstored makes the seal from records that need not be in the store.
func (c *Control) sealUnstored(ctx context.Context, in contract.SealInput) (*contract.SealOutput, error) {
	x := newExecution(runOf(ctx))
	for i, e := range c.known(ctx, x.run, in) {
		rec, err := c.reopen(e)
		if err == nil {
			err = x.add(rec)
		}
		if err != nil {
			return c.disown(ctx, x.run, in, fmt.Sprintf("record %d cannot be sealed: %v", i, err))
		}
	}
	if err := x.agrees(in.Head); err != nil || x.lineage.Binding() != c.bindingOf(x.run, x.lineage.Binding().Epoch) {
		return c.disown(ctx, x.run, in, "the records are not those of this run")
	}
	if x.lineage.Sealed() != nil {
		return sealed(x, in), nil
	}
	if x.lineage.HandedOver() != nil { // the store, which does not answer, decides who has the execution
		return nil, temporal.NewNonRetryableApplicationError("the run has handed over, and another may have taken over", contract.ErrTypeUnsealed, nil)
	}
	halt := in.Halt
	if x.lineage.Grant() != nil {
		if bad := c.receive(x, in.Fresh); bad != nil && halt.Check == "" {
			halt = *bad
		}
		if bad := compromised(c.c.Trust, x.envs...); bad != nil && halt.Check == "" {
			halt = *bad
		}
		if halt.Check == "" {
			halt = contract.Cause{Check: "store.unavailable", Reason: "the evidence store did not take the seal"}
		}
	}
	if err := c.close(x, halt, func(string) bool { return true }); err != nil {
		return nil, err
	}
	return sealed(x, in), nil
}

func sealed(x *execution, in contract.SealInput) *contract.SealOutput {
	s := x.lineage.Sealed()
	entries := x.since(in.Head, in.Fresh)
	if after := len(x.envs) - x.end(); after > 0 { // resolved already: the workflow's chain ends with its seal
		entries = entries[:max(len(entries)-after, 0)]
	}
	return &contract.SealOutput{
		Entries: entries, Request: s.Request, Run: s.Binding.Run,
		Verdict: s.Verdict, Cause: s.Cause,
	}
}
