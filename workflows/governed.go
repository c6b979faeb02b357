package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// GovernedExecution carries out a signed request under governance. Its
// workflow id is the request's id.
//
// It fails closed. Nothing runs before a grant, and no step before a decision
// that allows it; the first failed check, denial or failure cancels everything
// that runs, nothing is scheduled after it, and the seal is made on every way
// out, cancellation included.
//
// It returns a receipt only if the verdict is completed. For every other
// verdict it returns an application error of the type that
// [contract.ErrorType] names (a cancelled execution a canceled error), with
// the receipt as its details, so that a caller who forgets to look still
// stops. Without a seal the type is [contract.ErrTypeUnsealed].
//
// A history that grows large is continued as new, when no step runs; from is
// then what the earlier run left, and nil in the first.
func GovernedExecution(ctx workflow.Context, request evidence.Envelope, from *contract.Handover) (*contract.Receipt, error) {
	x := newExecution(ctx)
	if err := x.answerQueries(ctx); err != nil {
		return nil, err
	}
	if err := x.listen(ctx); err != nil {
		return nil, err
	}
	ticket, halt := x.admit(ctx, request, from)
	if ticket != nil {
		var next *contract.Handover
		if halt, next = x.runAll(ctx, ticket, from != nil && from.Cancelled); next != nil {
			return nil, workflow.NewContinueAsNewError(ctx, contract.Workflow, request, next)
		}
	}
	// Cancelling an execution must not cancel its evidence.
	sealing, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	x.closeInbox(sealing)
	receipt, err := x.seal(sealing, halt)
	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError("the execution has no seal: treat it as refused", contract.ErrTypeUnsealed, err)
	}
	return x.conclude(ctx, receipt)
}

// conclude maps the verdict to the way the workflow ends. An unknown verdict
// is an error like every other that is not completed.
func (x *execution) conclude(ctx workflow.Context, r *contract.Receipt) (*contract.Receipt, error) {
	switch r.Verdict {
	case evidence.Completed:
		return r, nil
	case evidence.Cancelled:
		if ctx.Err() != nil {
			return nil, temporal.NewCanceledError(r)
		}
	}
	return nil, temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("execution %s is %s: %s", r.Execution, r.Verdict, r.Cause),
		contract.ErrorType(r.Verdict), nil, r)
}

// admit asks for the grant, or for what is left of it. It returns a ticket if
// there is one.
func (x *execution) admit(ctx workflow.Context, request evidence.Envelope, from *contract.Handover) (*contract.Ticket, contract.Cause) {
	// Also for one that is cancelled before it begins: its end is evidence.
	asking, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var a contract.Admission
	err := x.patiently(asking, func() workflow.Future { return x.ask(asking, request, from) }, &a)
	if from == nil && patienceOf(err) > 0 { // a denial is a chain of its own, which is not how a handover ends
		err = workflow.ExecuteLocalActivity(checking(asking, "authorize, or deny"), contract.Deny, request).Get(asking, &a)
	}
	if err != nil {
		// Without an answer there is no record that could be sealed.
		return nil, contract.Cause{Check: "authorize.error", Reason: "authorization did not answer"}
	}
	x.request, x.presented = request.Digest(), request
	if from != nil && a.Ticket != nil { // a denial begins a chain of its own
		x.chain = evidence.ChainAt(from.Head)
	}
	x.appendEntries(a.Entries)
	if a.Ticket == nil {
		// A denial for want of a store is in no store: seal it from here.
		x.unstored = a.Cause.Check == "store.unavailable"
		x.details(ctx, "denied: "+a.Cause.Reason)
		return nil, contract.Cause{}
	}
	x.admitted(ctx, a.Ticket)
	return a.Ticket, contract.Cause{}
}

func (x *execution) ask(ctx workflow.Context, request evidence.Envelope, from *contract.Handover) workflow.Future {
	if from == nil {
		return workflow.ExecuteLocalActivity(checking(ctx, "authorize the request"), contract.Authorize, request)
	}
	in := contract.TakeOverInput{Request: request, Handover: *from}
	return workflow.ExecuteLocalActivity(checking(ctx, "take over from the earlier run"), contract.TakeOver, in)
}
