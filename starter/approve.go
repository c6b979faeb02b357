package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// The errors of [Starter.Approve] and [Starter.Refuse].
var (
	// ErrNoApprover means that something was to be said by a starter that has
	// no approver's key.
	ErrNoApprover = errors.New("no approver's key to sign with")
	// ErrNotPending means that the step does not wait for anybody's word, any
	// more or at all.
	ErrNotPending = errors.New("nothing waits for approval")
	// ErrNotAsked means that no rule asks for this person's word, or that it
	// is the person who asked for the execution.
	ErrNotAsked = errors.New("not asked")
	// ErrNotCounted means that a signed word was not taken as evidence. It
	// changed nothing. See [RefusedError] for the cause.
	ErrNotCounted = errors.New("it does not count")
)

// A RefusedError is what the control plane did not take as evidence, and why:
// [ErrNotCounted] or [ErrOrderRefused], by [errors.Is]. The cause is its word,
// as Temporal passes it on.
type RefusedError struct {
	Err   error
	Cause contract.Cause
}

// Error gives the reason.
func (e *RefusedError) Error() string { return fmt.Sprintf("%v: %s", e.Err, e.Cause.Reason) }

// Unwrap returns which of the errors it is.
func (e *RefusedError) Unwrap() error { return e.Err }

// answerFor is how long an execution may take to say what became of a message.
const answerFor = 30 * time.Second

// Approve signs with the approver's key that the step may be done, as w shows
// it and not otherwise, and waits until that is evidence. The note is for
// people, one line; it may be empty.
//
// Approve returns:
//
//   - [ErrNoApprover] without an approver's key;
//   - [ErrUnproven] for a Waiting that [Starter.Pending] did not make;
//   - [ErrNotAsked] if nobody asked this person, or the person asked for the
//     execution;
//   - [ErrNotPending] if the wait is over, as it is after a refusal and at the
//     end of the execution;
//   - [evidence.ErrField] if the note is too long, or not one line;
//   - [ErrNotCounted], with its cause, if the person spoke before, or the
//     control plane did not take it, as it does not if the step was decided
//     anew since. Look again at what waits before trying again;
//   - [ErrUnanswered], or any other error, if nobody answered: it may still
//     count. Approving again is harmless then.
//
// That it counts is the control plane's word, as Temporal passes it on. The
// proof of the execution shows it.
func (s *Starter) Approve(ctx context.Context, w Waiting, note string) (*contract.Heard, error) {
	return s.say(ctx, &w, evidence.Approve, note)
}

// Refuse signs that the step must not be done. One refusal is enough: the step
// is denied, whatever others say. The rest is as with [Starter.Approve].
func (s *Starter) Refuse(ctx context.Context, w Waiting, note string) (*contract.Heard, error) {
	return s.say(ctx, &w, evidence.Refuse, note)
}

func (s *Starter) say(ctx context.Context, w *Waiting, word evidence.Word, note string) (*contract.Heard, error) {
	now := evidence.TimeOf(s.c.Now())
	if err := s.maySay(w, word, now); err != nil {
		return nil, err
	}
	about, a := w.Statement(s.approver.Name, s.approver.Holder(), word, note, now)
	signed, err := s.c.Approver.Sign(about, a)
	if err != nil {
		return nil, fmt.Errorf("couldn't sign the approval: %w", err)
	}
	return s.SubmitApproval(ctx, w.Execution, signed)
}

// maySay refuses to sign what could not count.
func (s *Starter) maySay(w *Waiting, word evidence.Word, now evidence.Time) error {
	person := s.approver.Holder()
	switch {
	case s.c.Approver == nil:
		return ErrNoApprover
	case w.decided == nil:
		return fmt.Errorf("%w: it was not read from records", ErrUnproven)
	case w.Effect != evidence.StepUp:
		return fmt.Errorf("%w: step %s of execution %s is deferred, nobody is asked", ErrNotPending, w.Step, w.Execution)
	case now >= w.Until:
		return fmt.Errorf("%w: step %s of execution %s waited until %v", ErrNotPending, w.Step, w.Execution, w.Until)
	case person == w.Requester:
		return fmt.Errorf("%w: %s asked for execution %s, and cannot approve or refuse a step of it", ErrNotAsked, person, w.Execution)
	case !w.asks(person):
		return fmt.Errorf("%w: no rule asks %s about step %s of execution %s", ErrNotAsked, person, w.Step, w.Execution)
	}
	if old := w.spoke(person); old != nil && word == evidence.Approve {
		return &RefusedError{ErrNotCounted, contract.Cause{Check: "approval.said", Reason: fmt.Sprintf("%s said %s before, on %v", person, old.Word, old.At)}}
	}
	return nil
}

// SubmitApproval submits an approval or a refusal that is signed already (see
// [Waiting.Statement]) and waits until it is evidence. Submitting the same
// bytes again is harmless and gives the same answer. What the execution, with
// the given id, waits for is not looked at here: it is the control plane that
// refuses. Its errors are those of [Starter.Approve], and [evidence.ErrUntrusted]
// if the trust root would not believe the signature.
func (s *Starter) SubmitApproval(ctx context.Context, id string, signed evidence.Envelope) (*contract.Heard, error) {
	rec, err := s.c.Trust.Open(signed)
	if err != nil {
		return nil, fmt.Errorf("the approval would not be believed: %w", err)
	}
	a, ok := rec.Predicate.(*evidence.Approval)
	if !ok {
		return nil, fmt.Errorf("%w: a %s is no approval", evidence.ErrStatement, rec.Kind())
	}
	if a.Binding.Workflow != id {
		return nil, fmt.Errorf("%w: it is about execution %.200q, not %s", evidence.ErrField, a.Binding.Workflow, id)
	}
	asking, cancel := context.WithTimeout(ctx, answerFor)
	defer cancel()
	heard, err := s.deliver(asking, id, signed)
	if err != nil && ctx.Err() == nil && asking.Err() != nil {
		return nil, fmt.Errorf("%w: what became of the approval of execution %s: %w", ErrUnanswered, id, err)
	}
	return heard, err
}

// deliver sends a message until a run has heard it. The server may be passing
// the execution on to its next run.
func (s *Starter) deliver(ctx context.Context, id string, signed evidence.Envelope) (*contract.Heard, error) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		heard, again, err := s.tell(ctx, id, signed)
		if !again {
			return heard, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// tell sends a message once, and also says whether to send it again. Each time
// it is an Update of its own, so that no answer to an earlier one comes back.
func (s *Starter) tell(ctx context.Context, id string, signed evidence.Envelope) (heard *contract.Heard, again bool, err error) {
	update, err := s.c.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: contract.MessageName, Args: []any{signed}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var out contract.Heard
	if err == nil {
		err = update.Get(ctx, &out)
	}
	if err != nil {
		again, err = untold(id, err)
		return nil, again, err
	}
	switch {
	case out.Counted:
		return &out, false, nil
	case out.Cause.Check == contract.CauseContinues:
		return nil, true, &RefusedError{ErrNotCounted, out.Cause}
	case out.Cause.Check == contract.CauseOver:
		return nil, false, fmt.Errorf("%w: execution %s: %s", ErrNotPending, id, out.Cause.Reason)
	}
	return nil, false, &RefusedError{ErrNotCounted, out.Cause}
}

// untold explains why there is no answer to a message, and says whether to
// send it again.
func untold(id string, err error) (again bool, why error) {
	var none *serviceerror.NotFound
	var closing *serviceerror.Aborted
	var app *temporal.ApplicationError
	switch {
	case errors.As(err, &none):
		return false, fmt.Errorf("%w: execution %s has ended, or there is none", ErrNotPending, id)
	case errors.As(err, &closing), errors.As(err, &app) && app.Type() == updateCutOff:
		return true, fmt.Errorf("the run of execution %s ended before it answered: %w", id, err)
	case errors.As(err, &app):
		return false, &RefusedError{ErrNotCounted, contract.Cause{Check: "message.turned_away", Reason: app.Message()}}
	}
	return false, fmt.Errorf("couldn't send it to execution %s: %w", id, err)
}

// updateCutOff is the type of the server's error for an Update that was
// accepted by a run that then ended without answering it.
const updateCutOff = "AcceptedUpdateCompletedWorkflow"
