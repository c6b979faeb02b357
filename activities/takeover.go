package activities

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/workflows/contract"
)

// handOver ends this run's part of an execution. No step may run.
func (c *Control) handOver(x *execution) (*contract.DecideOutput, error) {
	b := x.lineage.Binding()
	h := &evidence.Handover{
		Position: x.chain.Next(), At: c.now(&x.lineage), Grant: x.lineage.GrantDigest(), Binding: b, Epoch: b.Epoch + 1,
	}
	if err := c.sign(x, c.c.Authorities, h); err != nil {
		c.c.Log.Error("handover not possible", zap.String("execution", x.run.Workflow), zap.Error(err))
		return haltOutput("handover.impossible", err), nil
	}
	crash.Point("handover.signed")
	return &contract.DecideOutput{Handover: x.lineage.HandedOver().Digest}, nil
}

// TakeOver makes this run the one that goes on with an execution that another
// run handed over. What the workflow says of the handover is believed only as
// far as the store bears it out. A handover is consumed once: for a reset, a
// re-run or anybody else who comes with it again, the request is denied.
//
// A store that does not answer is an error, and no denial: that would be a
// chain of its own, by which nothing of the plan ever ran.
func (c *Control) TakeOver(ctx context.Context, in contract.TakeOverInput) (*contract.Admission, error) {
	if err := onlyLocal(ctx); err != nil {
		return nil, err
	}
	run := runOf(ctx)
	for range 3 {
		a, err := c.takeOver(ctx, run, in)
		if !errors.Is(err, store.ErrTaken) && !errors.Is(err, store.ErrConflict) {
			return a, err
		}
		// Another attempt of this run was faster, or another run was. The next
		// look at the store tells.
	}
	return nil, c.storeError(store.ErrConflict)
}

func (c *Control) takeOver(ctx context.Context, run store.Run, in contract.TakeOverInput) (*contract.Admission, error) {
	crash.Point("takeover.begin")
	x, err := c.open(ctx, run)
	if err != nil {
		return nil, c.storeError(err)
	}
	defer x.letGo()
	if x.lineage.Grant() != nil && x.lineage.Binding().Run == run.Run && x.agrees(in.Handover.Head) == nil {
		defer x.release()
		return c.admissionAfter(x.execution, in.Handover.Head), nil
	}
	if x.lineage.Refusal() != nil { // an earlier attempt was denied
		defer x.release()
		return c.admission(x.execution), nil
	}
	x.abandon()
	from := newExecution(store.Run{Namespace: run.Namespace, Workflow: run.Workflow, Run: in.Handover.Run})
	if err := c.read(ctx, from); err != nil && !errors.Is(err, errHead) {
		return nil, c.storeError(err)
	}
	if reason := unfitFor(from, in); reason != "" {
		return c.deny(ctx, run, in.Request, &refusal{cause: "handover.unknown", reason: reason}, true)
	}
	a, err := c.continueIn(ctx, from, run)
	if errors.Is(err, store.ErrSuperseded) {
		return c.deny(ctx, run, in.Request, &refusal{cause: "handover.used", reason: "another run has taken over"}, true)
	}
	if err != nil && !errors.Is(err, store.ErrTaken) && !errors.Is(err, store.ErrConflict) {
		return nil, c.storeError(err)
	}
	return a, err
}

// unfitFor says why there is nothing to take over, or returns "".
func unfitFor(from *execution, in contract.TakeOverInput) string {
	handed := from.lineage.HandedOver()
	switch {
	case handed == nil:
		return "the run that is named handed nothing over, or another run has taken over"
	case handed.Digest != in.Handover.Handover || from.chain.Next() != in.Handover.Head || from.agrees(in.Handover.Head) != nil:
		return "this is not the handover that the store holds"
	case from.lineage.Subject().Digest != in.Request.Digest():
		return "the handover belongs to another request"
	}
	return ""
}

// continueIn measures anew, and binds the rest of the execution to run.
func (c *Control) continueIn(ctx context.Context, from *execution, run store.Run) (*contract.Admission, error) {
	head, handed, g := from.chain.Next(), from.lineage.HandedOver(), from.lineage.Grant()
	known, err := c.lastLease(ctx, from)
	if err != nil {
		return nil, err
	}
	orders, err := c.orders.read(ctx) // obeyed by the first decision
	if err != nil {
		return nil, err
	}
	probes, err := survey(ctx, c.c.Probes, c.pinned(from.run, &from.lineage, head), false)
	if err != nil {
		return nil, err
	}
	at := c.now(&from.lineage)
	t := &evidence.Takeover{
		Orders:   orders.head,
		Position: head, At: at, Grant: from.lineage.GrantDigest(), Handover: handed.Digest,
		Binding: c.bindingOf(run, handed.Predicate.(*evidence.Handover).Epoch),
		Probes:  probes,
	}
	if compromised(c.c.Trust, from.envs...) != nil {
		t.Probes = append(t.Probes, evidence.Probe{Name: "keys", Status: evidence.ProbeBad, Want: "believed", Got: "compromised"})
	}
	if at >= g.Expires {
		t.Probes = append(t.Probes, evidence.Probe{Name: "grant", Status: evidence.ProbeBad, Want: "live", Got: "expired"})
	}
	if failed(t.Probes) == nil {
		t.Lease = newLease(known+1, leaseEnd(at, g.Expires, g.Terms))
	}
	if err := c.sign(from, c.c.Authorities, t); err != nil {
		return nil, fmt.Errorf("%w: couldn't sign the takeover: %w", store.ErrUnavailable, err)
	}
	crash.Point("takeover.signed")
	err = answering(ctx, func() error {
		_, err := c.c.Store.Continue(ctx, from.run, run, head, handed.Digest, from.envs[head.Seq])
		return err
	})
	if err != nil {
		return nil, err
	}
	crash.Point("takeover.stored")
	return c.admissionAfter(from, head), nil
}

// lastLease returns the number of the newest lease of any run of a chain.
func (c *Control) lastLease(ctx context.Context, x *execution) (uint64, error) {
	var stored evidence.Lease
	err := answering(ctx, func() (err error) {
		stored, _, err = c.c.Store.Lease(ctx, x.run)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNone) {
		return 0, err
	}
	return max(stored.Number, x.lineage.Lease().Number, x.lineage.Renewed()), nil
}
