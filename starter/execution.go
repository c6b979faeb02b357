package starter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// patience is how long one call waits for the end of an execution. The
// server's word of it is lost now and then, and then comes 20 s late; asking
// again gets it at once.
const patience = 5 * time.Second

// errContinuation means that Temporal says that a run was continued, but not as
// which.
var errContinuation = errors.New("the run that it continued as could not be found")

// An Execution is one run of a governed execution. It is safe for concurrent
// use.
type Execution struct {
	client  client.Client
	trust   *evidence.Trust
	request evidence.Digest

	mu  sync.Mutex
	run client.WorkflowRun // the newest that is known
}

// current returns the newest run that is known.
func (x *Execution) current() client.WorkflowRun {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.run
}

// follow moves on to the run that the newest one continued as. It returns
// false if there is none.
func (x *Execution) follow(ctx context.Context) (bool, error) {
	run := x.current()
	last := x.client.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !last.HasNext() {
		return false, nil
	}
	event, err := last.Next()
	if err != nil {
		return false, failed(run.GetID(), err)
	}
	next := event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	if next == "" {
		return false, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.run = x.client.GetWorkflow(ctx, run.GetID(), next)
	return true, nil
}

// ID returns the id of the execution, which is that of its request and its
// Temporal workflow.
func (x *Execution) ID() string { return x.current().GetID() }

// Run returns the id of the Temporal run.
func (x *Execution) Run() string { return x.current().GetRunID() }

// Request returns the digest of the signed request.
func (x *Execution) Request() evidence.Digest { return x.request }

// Cancel asks the execution to stop. It does not wait until it has: the steps
// that run are cancelled, and [Execution.Wait] returns the verdict.
func (x *Execution) Cancel(ctx context.Context) error {
	for {
		err := x.client.CancelWorkflow(ctx, x.ID(), x.Run())
		if err == nil {
			return nil
		}
		// It may have continued as another run since it was looked at.
		if followed, _ := x.follow(ctx); !followed {
			return fmt.Errorf("couldn't cancel execution %s: %w", x.ID(), err)
		}
	}
}

// Wait waits for the verdict, for as long as ctx lasts. It returns:
//
//   - a receipt and no error if the execution completed;
//   - a receipt and a [VerdictError] for every other verdict;
//   - [ErrNoReceipt] if it ended without one, and [ErrForgedReceipt] if it
//     ended with one that is not to be believed;
//   - any other error if the end could not be waited for; the execution may
//     still be running.
//
// A receipt is returned only after its seal was opened under the trust root,
// names this request, workflow and run, and agrees with the rest of the
// receipt and with the way in which the workflow ended. What came before the
// seal is not checked: that takes the proof.
func (x *Execution) Wait(ctx context.Context) (*contract.Receipt, error) {
	receipt, told, err := x.end(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.believe(receipt); err != nil {
		return nil, err
	}
	switch {
	case receipt.Verdict != told:
		return nil, fmt.Errorf("%w: execution %s ended as %s, its seal says %s", ErrForgedReceipt, x.ID(), told, receipt.Verdict)
	case receipt.Verdict == evidence.Completed:
		return receipt, nil
	}
	return receipt, &VerdictError{Receipt: receipt}
}

// end returns what the workflow ended with, and the verdict that this way of
// ending stands for. Neither is believed yet.
func (x *Execution) end(ctx context.Context) (*contract.Receipt, evidence.Verdict, error) {
	var receipt contract.Receipt
	err := x.last(ctx, &receipt)
	told := evidence.Completed
	if err != nil {
		told, err = x.told(ctx, err, &receipt)
	}
	if err == nil && len(receipt.Seal.Payload) == 0 {
		err = fmt.Errorf("%w: execution %s ended as %s, without a seal", ErrNoReceipt, x.ID(), told)
	}
	return &receipt, told, err
}

// last waits for the result of the last run of an execution.
func (x *Execution) last(ctx context.Context, receipt *contract.Receipt) error {
	for {
		err := get(ctx, x.current(), receipt)
		if !workflow.IsContinueAsNewError(err) {
			return err
		}
		if followed, err := x.follow(ctx); err != nil || !followed {
			return errors.Join(err, errContinuation)
		}
	}
}

// get waits for the result of this very run. A run that goes on as another
// one has no verdict of its own.
func get(ctx context.Context, run client.WorkflowRun, result any) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, patience)
		err := run.GetWithOptions(attempt, result, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
		again := timedOut(err)
		if again {
			// The server's deadline may pass a moment before ours.
			<-attempt.Done()
		}
		cancel()
		if !again || ctx.Err() != nil {
			return err
		}
	}
}

// timedOut reports whether err is that of a call that waited in vain.
func timedOut(err error) bool {
	var late *serviceerror.DeadlineExceeded
	return !ended(err) && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late))
}

// ended reports whether err is about the execution, and not about asking.
func ended(err error) bool {
	var failure *temporal.WorkflowExecutionError
	return errors.As(err, &failure)
}

// told reads the receipt out of the error that a workflow ended with.
func (x *Execution) told(ctx context.Context, err error, receipt *contract.Receipt) (evidence.Verdict, error) {
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	switch {
	case ctx.Err() != nil && !ended(err):
		return "", fmt.Errorf("stopped waiting for execution %s: %w", x.ID(), context.Cause(ctx))
	case isService(err):
		return "", fmt.Errorf("couldn't wait for execution %s: %w", x.ID(), err)
	case errors.As(err, &app) && verdictOf(app.Type()) != "" && app.HasDetails() && app.Details(receipt) == nil:
		return verdictOf(app.Type()), nil
	case errors.As(err, &cancelled) && cancelled.HasDetails() && cancelled.Details(receipt) == nil:
		return evidence.Cancelled, nil
	}
	return "", fmt.Errorf("%w: execution %s: %w", ErrNoReceipt, x.ID(), err)
}
