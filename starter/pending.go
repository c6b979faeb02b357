package starter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// ErrUnproven means that what an execution is said to wait for is not what
// records say that the trust root believes. None of it is shown.
var ErrUnproven = errors.New("what it waits for is not proven")

// An ExecutionError is an execution of which [Starter.Pending] could not say
// what it waits for.
type ExecutionError struct {
	Execution string
	Err       error
}

// Error names the execution and says why.
func (e *ExecutionError) Error() string { return fmt.Sprintf("execution %s: %v", e.Execution, e.Err) }

// Unwrap returns why.
func (e *ExecutionError) Unwrap() error { return e.Err }

// pendingAtOnce is how many executions are asked at the same time.
const pendingAtOnce = 8

// Pending returns every step that waits for people, or for its time, in the
// running executions of the control plane's queue, the shortest wait first.
// Each is verified as [Starter.PendingOf] says.
//
// Which executions run is what Temporal says: that nothing is pending is not
// proven. One that ends meanwhile is left out. Those that could not be asked
// ([ErrUnanswered]) or not be believed ([ErrUnproven]) are in the error, which
// joins an [ExecutionError] for each; what is returned beside such an error is
// proven all the same.
func (s *Starter) Pending(ctx context.Context) ([]Waiting, error) {
	ids, err := s.running(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([][]Waiting, len(ids))
	failures := make([]error, len(ids))
	var asking sync.WaitGroup
	turn := make(chan struct{}, pendingAtOnce)
	for i, id := range ids {
		turn <- struct{}{}
		asking.Go(func() {
			defer func() { <-turn }()
			if ctx.Err() == nil {
				answers[i], failures[i] = s.pendingOf(ctx, id)
			}
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	all := slices.Concat(answers...)
	slices.SortStableFunc(all, func(a, b Waiting) int { return cmp.Compare(a.Until, b.Until) })
	return all, errors.Join(failures...)
}

// pendingOf is PendingOf for an execution that may have ended meanwhile.
func (s *Starter) pendingOf(ctx context.Context, id string) ([]Waiting, error) {
	all, err := s.PendingOf(ctx, id)
	if err == nil || errors.Is(err, ErrNotFound) {
		return all, nil
	}
	return nil, &ExecutionError{Execution: id, Err: err}
}

// running returns the ids of the executions that Temporal says are running,
// save those that no control plane of this queue would answer for.
func (s *Starter) running(ctx context.Context) ([]string, error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", contract.Workflow)
	var ids []string
	var page []byte
	for {
		answer, err := s.c.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 200, NextPageToken: page})
		if err != nil {
			return nil, fmt.Errorf("couldn't list the running executions: %w", err)
		}
		for _, x := range answer.GetExecutions() {
			if queue := x.GetTaskQueue(); queue == "" || queue == s.c.Queue {
				ids = append(ids, x.GetExecution().GetWorkflowId())
			}
		}
		if page = answer.GetNextPageToken(); len(page) == 0 {
			slices.Sort(ids)
			return slices.Compact(ids), nil
		}
	}
}

// PendingOf returns the steps of one execution that wait for people, or for
// their time, in the order of its plan; none if none waits.
//
// Nothing that Temporal says is believed. The records must be signed by keys
// that the trust root allows, must follow each other as they say, must be those
// of a governed execution with this id (by [evidence.Lineage]), and meant for
// this trust domain and namespace, or PendingOf returns [ErrUnproven]. Newer
// records can be held back: then what is said of a step answers an old decision,
// and does not count.
//
// It returns [ErrNotFound] if there is no such execution, and [ErrUnanswered]
// without a control plane worker.
func (s *Starter) PendingOf(ctx context.Context, id string) ([]Waiting, error) {
	records, err := s.Records(ctx, id)
	if err != nil {
		return nil, err
	}
	l, err := s.open(id, records)
	if err != nil {
		return nil, err
	}
	return waitings(l, evidence.TimeOf(s.c.Now())), nil
}

// open reads the records so far of the execution with the given id, or returns
// [ErrUnproven].
func (s *Starter) open(id string, records []evidence.Envelope) (*evidence.Lineage, error) {
	var l evidence.Lineage
	var chain evidence.Chain
	for i, e := range records {
		rec, err := s.c.Trust.Open(e)
		if err != nil {
			return nil, unproven("record %d: %w", i, err)
		}
		if at, ok := placeOf(rec.Predicate); ok && at != chain.Next() {
			return nil, unproven("record %d (%s) does not follow the records before it", i, rec.Kind())
		}
		if err := l.Add(rec); err != nil {
			return nil, unproven("record %d: %w", i, err)
		}
		chain.Append(rec.Digest)
	}
	if k, marked := s.c.Trust.Compromised(records...); marked { // whatever time it states: it may have been made now
		return nil, unproven("the %s key %s (%s), which signed a part of it, is compromised", k.Role, k.ID, k.Name)
	}
	switch req := l.Request(); {
	case l.Count() > 0 && l.Subject().Execution != id:
		return nil, unproven("the records are those of execution %.200q", l.Subject().Execution)
	case req != nil && req.Audience != s.c.Trust.Domain():
		return nil, unproven("the request is meant for trust domain %.200q", req.Audience)
	case s.c.Namespace != "" && l.Grant() != nil && l.Binding().Namespace != s.c.Namespace:
		return nil, unproven("the execution is one of namespace %.200q", l.Binding().Namespace)
	}
	return &l, nil
}

func unproven(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnproven, fmt.Errorf(format, args...))
}

// placeOf returns the place in the chain that a record states for itself.
func placeOf(p evidence.Predicate) (evidence.Position, bool) {
	switch p := p.(type) {
	case *evidence.Grant:
		return p.Position, true
	case *evidence.Decision:
		return p.Position, true
	case *evidence.Handover:
		return p.Position, true
	case *evidence.Takeover:
		return p.Position, true
	case *evidence.Halt:
		return p.Position, true
	case *evidence.Rejection:
		return p.Position, true
	case *evidence.Seal:
		return p.Position, true
	}
	return evidence.Position{}, false
}
