package starter

import (
	"context"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/interlock-run/interlock/evidence"
)

// History returns the Temporal history of a run as JSON, as `temporal workflow
// show --output json` writes it and a workflow replayer reads it. An empty run
// is the newest. A history has one event as soon as an execution exists, and
// is complete once that has ended.
func (r *Reader) History(ctx context.Context, id, run string) ([]byte, error) {
	events := r.client.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var h history.History
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, failed(id, err)
		}
		h.Events = append(h.Events, event)
	}
	data, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(&h)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the history of execution %s: %w", id, err)
	}
	return append(data, '\n'), nil
}

// presented returns the signed request that a run was started with.
func (r *Reader) presented(ctx context.Context, id, run string) (evidence.Envelope, error) {
	var signed evidence.Envelope
	began, err := r.began(ctx, id, run)
	if err != nil {
		return signed, err
	}
	if err := r.data.FromPayloads(began.GetInput(), &signed); err != nil {
		return signed, fmt.Errorf("couldn't read the request of execution %s: %w", id, err)
	}
	return signed, nil
}

// before returns the run that a run continues, or "".
func (r *Reader) before(ctx context.Context, id, run string) (string, error) {
	began, err := r.began(ctx, id, run)
	return began.GetContinuedExecutionRunId(), err
}

// began returns how a run was started.
func (r *Reader) began(ctx context.Context, id, run string) (*history.WorkflowExecutionStartedEventAttributes, error) {
	events := r.client.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil, fmt.Errorf("%w: %s has no history", ErrNotFound, id)
	}
	event, err := events.Next()
	if err != nil {
		return nil, failed(id, err)
	}
	return event.GetWorkflowExecutionStartedEventAttributes(), nil
}
