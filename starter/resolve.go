package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// The errors of [Starter.Resolve].
var (
	// ErrNoOperator means that a resolution was to be signed by a starter that
	// has no operator's key.
	ErrNoOperator = errors.New("no operator's key to sign with")
	// ErrNothingToResolve means that the step is not one that the seal of its
	// execution left unresolved.
	ErrNothingToResolve = errors.New("nothing to resolve")
	// ErrResolved means that the step was resolved before. What was recorded
	// then stands.
	ErrResolved = errors.New("already resolved")
	// ErrNotRecorded means that the control plane did not record a resolution.
	ErrNotRecorded = errors.New("the resolution was not recorded")
)

// resolveFor is how long a resolution may wait to be recorded. A control plane
// that starts days later must not record what its operator has forgotten.
const resolveFor = 5 * time.Minute

// Resolve signs what an operator found out about a step that the seal in proof
// left unresolved, and has it recorded after the seal. The note says, in a
// sentence, how it was found out.
//
// The proof must verify; what is signed names its records. Resolve returns:
//
//   - [ErrNoOperator] without an operator's key;
//   - the error of [evidence.Report.Err] if the proof does not verify;
//   - [ErrNothingToResolve] if the step is not unresolved, and [ErrResolved] if
//     it was resolved before, by whatever resolution;
//   - [evidence.ErrField] if the finding is unknown or the note missing or too
//     long;
//   - [ErrNotRecorded] if the control plane refuses, as it does where the
//     store does not hold the seal;
//   - any other error if the answer could not be waited for: the resolution may
//     still be recorded. Look at the proof before trying again.
func (s *Starter) Resolve(ctx context.Context, proof *evidence.Proof, step string, found evidence.Found, note string) (*contract.Resolved, error) {
	if s.c.Operator == nil {
		return nil, ErrNoOperator
	}
	l, err := s.unresolved(proof, step)
	if err != nil {
		return nil, err
	}
	signed, err := s.signResolution(l, step, found, note)
	if err != nil {
		return nil, err
	}
	return s.record(ctx, contract.ResolveID(l.Binding().Run, step), signed)
}

// unresolved reads a proof that verifies and in which the step is open.
func (s *Starter) unresolved(proof *evidence.Proof, step string) (*evidence.Lineage, error) {
	report := evidence.Verify(s.c.Trust, proof)
	if err := report.Err(); err != nil {
		return nil, fmt.Errorf("the proof is not verified: %w", err)
	}
	l, err := evidence.ReadUnverified(proof.Records)
	if err != nil { // it was verified, so this cannot be
		return nil, fmt.Errorf("%w: the proof cannot be read: %w", ErrNothingToResolve, err)
	}
	if old := l.Resolution(step); old != nil {
		return nil, resolvedBefore(old)
	}
	if slices.Contains(l.Open(), step) {
		return l, nil
	}
	for _, end := range report.Steps {
		if end.ID == step {
			return nil, fmt.Errorf("%w: step %s of execution %s is %s", ErrNothingToResolve, step, report.Execution, end.State)
		}
	}
	return nil, fmt.Errorf("%w: execution %s, which is %s, has no step %.200q", ErrNothingToResolve, report.Execution, report.Verdict, step)
}

func resolvedBefore(old *evidence.Resolution) error {
	return fmt.Errorf("%w: step %s %s, by %s on %v: %q", ErrResolved, old.Step, old.Found, old.Operator, old.At, old.Note)
}

func (s *Starter) signResolution(l *evidence.Lineage, step string, found evidence.Found, note string) (evidence.Envelope, error) {
	r, err := l.Resolve(step)
	if err != nil {
		return evidence.Envelope{}, err
	}
	r.At = max(r.At, evidence.TimeOf(s.c.Now()))
	r.Operator, r.Found, r.Note = s.operator, found, note
	signed, err := s.c.Operator.Sign(l.Subject(), r)
	if err != nil {
		return evidence.Envelope{}, fmt.Errorf("couldn't sign the resolution: %w", err)
	}
	if _, err := s.c.Trust.Open(signed); err != nil {
		return evidence.Envelope{}, fmt.Errorf("couldn't sign the resolution so that it is believed: %w", err)
	}
	return signed, nil
}

// record has a resolution recorded, and believes only an answer that holds it.
func (s *Starter) record(ctx context.Context, id string, signed evidence.Envelope) (out *contract.Resolved, err error) {
	for range 3 {
		var mine bool
		if out, mine, err = s.recordOnce(ctx, id, signed); mine || !errors.Is(err, ErrNotRecorded) {
			break
		} // somebody else's was refused, which says nothing about this one
	}
	return out, err
}

// recordOnce also says whether the answer is to this resolution, or to one
// that somebody else presented at the same time.
func (s *Starter) recordOnce(ctx context.Context, id string, signed evidence.Envelope) (out *contract.Resolved, mine bool, err error) {
	run, mine, err := s.startResolving(ctx, id, signed)
	if err != nil {
		return nil, mine, err
	}
	out = &contract.Resolved{}
	if err := get(ctx, run, out); err != nil {
		return nil, mine, s.notRecorded(err)
	}
	if out.Resolution.Digest() != signed.Digest() {
		return nil, mine, s.anothers(out.Resolution)
	}
	return out, mine, nil
}

// startResolving starts the one workflow that may resolve the step, or returns
// the one that does, which is somebody else's.
func (s *Starter) startResolving(ctx context.Context, id string, signed evidence.Envelope) (run client.WorkflowRun, mine bool, err error) {
	run, err = s.c.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                s.c.Queue,
		WorkflowExecutionTimeout: resolveFor,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		// One that was refused must not stand in the way of the right one.
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, contract.ResolveWorkflow, signed)
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &exists):
		return s.c.Client.GetWorkflow(ctx, id, exists.RunId), false, nil
	case err != nil:
		return nil, true, fmt.Errorf("couldn't have the resolution recorded: %w", err)
	}
	return run, true, nil
}

// notRecorded explains why a resolution was not recorded.
func (s *Starter) notRecorded(err error) error {
	var app *temporal.ApplicationError
	var cause contract.Cause
	var old contract.Resolved
	switch {
	case !ended(err):
		return fmt.Errorf("couldn't wait until the resolution is recorded: %w", err)
	case !errors.As(err, &app) || app.Type() != contract.ErrTypeRefused || !app.HasDetails():
		return fmt.Errorf("%w: %w", ErrNotRecorded, err)
	case app.Details(&cause, &old) == nil && cause.Check == contract.CheckResolved:
		return s.anothers(old.Resolution)
	case app.Details(&cause) == nil:
		return fmt.Errorf("%w: %s", ErrNotRecorded, cause.Reason)
	}
	return fmt.Errorf("%w: %w", ErrNotRecorded, err)
}

// anothers says that somebody else's resolution was recorded, if it is one
// that is to be believed.
func (s *Starter) anothers(recorded evidence.Envelope) error {
	rec, err := s.c.Trust.Open(recorded)
	if err != nil {
		return fmt.Errorf("%w: another one is said to be, which is not to be believed: %w", ErrNotRecorded, err)
	}
	old, ok := rec.Predicate.(*evidence.Resolution)
	if !ok {
		return fmt.Errorf("%w: a %s is said to be in its place", ErrNotRecorded, rec.Kind())
	}
	return resolvedBefore(old)
}
