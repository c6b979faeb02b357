package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// seal ends the chain. Where the store does not answer, or is not the one
// that was written to, the seal is made from the workflow's own records, and
// says so by its cause.
func (x *execution) seal(ctx workflow.Context, halt contract.Cause) (*contract.Receipt, error) {
	x.phase = "sealing"
	in := contract.SealInput{Head: x.chain.Next(), Fresh: x.fresh, Halt: halt}
	if x.unstored {
		in.All, in.Request = x.records, &x.presented
	}
	var out contract.SealOutput
	x.outage = outage{} // nothing runs any more, and a seal that is in the store is worth another wait
	err := x.patiently(ctx, func() workflow.Future {
		return workflow.ExecuteLocalActivity(checking(ctx, "seal the evidence"), contract.Seal, in)
	}, &out)
	if err != nil && !x.unstored && len(x.records) > 0 && !isType(err, contract.ErrTypeUnsealed) {
		in.All, in.Request = x.records, &x.presented
		if in.Halt.Check == "" {
			in.Halt = contract.Cause{Check: "store.unavailable", Reason: "the evidence store did not take the seal"}
		}
		err = workflow.ExecuteLocalActivity(checking(ctx, "seal the evidence without the store"), contract.Seal, in).Get(ctx, &out)
	}
	if err != nil {
		return nil, err
	}
	if out.Anew {
		x.chain, x.records = evidence.Chain{}, nil
	}
	x.appendEntries(out.Entries)
	return x.sealed(ctx, out), nil
}

func (x *execution) sealed(ctx workflow.Context, out contract.SealOutput) *contract.Receipt {
	x.phase, x.verdict, x.cause = "sealed", out.Verdict, out.Cause
	x.details(ctx, string(out.Verdict)+": "+out.Cause)
	updates := []temporal.SearchAttributeUpdate{temporal.NewSearchAttributeKeyKeyword(contract.AttributeVerdict).ValueSet(string(out.Verdict))}
	if out.Verdict == evidence.Halted {
		updates = append(updates, temporal.NewSearchAttributeKeyKeyword(contract.AttributeHaltCause).ValueSet(out.Cause))
	}
	x.attributes(ctx, updates...)
	head := x.chain.Next()
	return &contract.Receipt{
		Execution: x.id, Run: x.run, Request: x.request, Verdict: out.Verdict, Cause: out.Cause,
		Records: head.Seq, Head: head.Prev, Seal: x.records[len(x.records)-1],
	}
}
