package starter

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// maxSummary is the most, in bytes, of a purpose that the Temporal UI shows.
const maxSummary = 200

// Start signs r as [Starter.Sign] does and submits it as [Starter.Submit]
// does. To retry it, call it again with the same r.
func (s *Starter) Start(ctx context.Context, r *evidence.Request) (*Execution, error) {
	signed, err := s.Sign(r)
	if err != nil {
		return nil, err
	}
	return s.Submit(ctx, r.ID, signed)
}

// Submit starts the execution of a request that is signed already. The id
// must be the request's own: the control plane denies any other. Nothing else
// is checked here; it is the control plane that refuses, with evidence.
//
// Submitting twice starts once: the second call returns the execution that
// there is, running or ended. If that one is of another request, Submit
// returns [ErrOtherRequest], and never the other's execution.
func (s *Starter) Submit(ctx context.Context, id string, signed evidence.Envelope) (*Execution, error) {
	run, err := s.c.Client.ExecuteWorkflow(ctx, s.options(id, signed), contract.Workflow, signed)
	var exists *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &exists) {
		return s.existing(ctx, id, exists.RunId, signed.Digest())
	}
	if err != nil {
		return nil, fmt.Errorf("couldn't start execution %s: %w", id, err)
	}
	return s.execution(run, signed.Digest()), nil
}

// options asks Temporal to fail where an execution exists, rather than to
// return that one (USE_EXISTING), because the SDK does not say which of the two
// it did: every start would need a second call to find out whose execution it
// was handed. So only a repeated one does.
func (s *Starter) options(id string, signed evidence.Envelope) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       id,
		TaskQueue:                                s.c.Queue,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
		StaticSummary:                            summary(signed),
	}
}

// summary is what the Temporal UI shows for an execution.
func summary(signed evidence.Envelope) string {
	rec, err := signed.Decode()
	if err != nil {
		return ""
	}
	r, ok := rec.Predicate.(*evidence.Request)
	if !ok {
		return ""
	}
	text := r.Purpose
	for len(text) > maxSummary {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return text
}

// existing returns the execution that has the id, if it is of this request.
func (s *Starter) existing(ctx context.Context, id, run string, request evidence.Digest) (*Execution, error) {
	presented, err := s.presented(ctx, id, run)
	if err != nil {
		return nil, fmt.Errorf("execution %s exists, but whose it is could not be found out: %w", id, err)
	}
	if got := presented.Digest(); got != request {
		return nil, fmt.Errorf("%w: execution %s runs request %s, not %s", ErrOtherRequest, id, got.Short(), request.Short())
	}
	return s.execution(s.c.Client.GetWorkflow(ctx, id, run), request), nil
}

// Attach returns the execution that was started with the given id, if it is
// of the request with the given digest, or [ErrOtherRequest] or [ErrNotFound].
// The digest is that of the signed request: [evidence.Envelope.Digest].
func (s *Starter) Attach(ctx context.Context, id string, request evidence.Digest) (*Execution, error) {
	found, err := s.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.existing(ctx, id, found.Run, request)
}

func (s *Starter) execution(run client.WorkflowRun, request evidence.Digest) *Execution {
	return &Execution{client: s.c.Client, trust: s.c.Trust, run: run, request: request}
}
