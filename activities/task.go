package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/activities/executor"
)

// The causes of a step that is a team's own activity, where the activity does
// not name one with an [executor.Error].
const (
	// causeArgument means that the activity does not take what was decided.
	// It was not called.
	causeArgument = "activity.argument"
	// causeError means that the activity returned an error.
	causeError = "activity.error"
	// causeAsync means that the activity went on after it had returned, where
	// no guard can follow it.
	causeAsync = "activity.async"
)

// A task is one call of a team's own activity. It is the [executor.Executor]
// of its step.
type task struct {
	name      string
	next      interceptor.ActivityInboundInterceptor
	args      []any // as the call brought them: their types are looked at, and nothing else
	heartbeat *heartbeat
}

// Execute calls the activity with the decided arguments.
func (t *task) Execute(ctx context.Context, c executor.Call) (json.RawMessage, error) {
	arg, err := t.argument(c.Args)
	if err != nil {
		return nil, &executor.Error{Cause: causeArgument, NoEffect: true, Permanent: true, Err: err}
	}
	result, err := t.next.ExecuteActivity(executor.WithCall(ctx, c), &interceptor.ExecuteActivityInput{Args: []any{arg}})
	if err != nil {
		return nil, explained(err)
	}
	return resultOf(result), nil
}

// resultOf encodes what an activity returned: null if that is nothing. A result
// that is no JSON is none; the step has acted all the same.
func resultOf(result any) json.RawMessage {
	if _, encoded := result.(*commonpb.Payloads); encoded {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(result); err != nil {
		return nil
	}
	return b.Bytes()
}

// argument decodes the decided bytes into a new value of the parameter's type.
// An argument that the type has no place for is an error: leaving it out in
// silence would do something else than what was decided.
func (t *task) argument(decided []byte) (any, error) {
	if len(t.args) != 1 || t.args[0] == nil {
		return nil, fmt.Errorf("the activity %s must take one argument besides its context", t.name)
	}
	if _, dynamic := t.args[0].(converter.EncodedValues); dynamic {
		return nil, fmt.Errorf("%s is not registered: a dynamic activity cannot be governed", t.name)
	}
	value := reflect.New(reflect.TypeOf(t.args[0]))
	dec := json.NewDecoder(bytes.NewReader(decided))
	dec.DisallowUnknownFields()
	if err := errors.Join(dec.Decode(value.Interface()), atEnd(dec)); err != nil {
		return nil, fmt.Errorf("the argument of %s does not take the decided arguments: %w", t.name, err)
	}
	return value.Elem().Interface(), nil
}

// atEnd reports whether nothing follows the value that dec has read.
func atEnd(dec *json.Decoder) error {
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// explained is the one place where the error of a team's activity becomes what
// is known about it. An [executor.Error] in it is believed; of every other the
// effect is unknown.
func explained(err error) *executor.Error {
	e := &executor.Error{Cause: causeError, Err: err}
	var known *executor.Error
	var app *temporal.ApplicationError
	switch {
	case errors.As(err, &known) && known.Cause != "":
		e = &executor.Error{Cause: known.Cause, NoEffect: known.NoEffect, Answered: known.Answered, Permanent: known.Permanent, Err: err}
	case errors.Is(err, activity.ErrResultPending):
		e.Cause, e.Permanent = causeAsync, true
	case temporal.IsCanceledError(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Cause = "executor.interrupted"
	}
	if errors.As(err, &app) && app.NonRetryable() {
		e.Permanent = true
	}
	return e
}

// A heartbeat stands between an activity and Temporal, so that the guard's own
// heartbeats do not wipe out what the activity says with its own.
type heartbeat struct {
	interceptor.ActivityOutboundInterceptorBase
	mu     sync.Mutex // held while a heartbeat is handed on, so that an older one never comes after a newer
	spoken bool       // details are known
	last   []any
}

// RecordHeartbeat hands on the activity's own heartbeat, and keeps a copy.
func (h *heartbeat) RecordHeartbeat(ctx context.Context, details ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.spoken = copied(details), true
	h.Next.RecordHeartbeat(ctx, details...)
}

// again repeats the last heartbeat: the activity's, or else that of the
// attempt before. Details that cannot be sent twice make the SDK panic; they
// are left out then.
func (h *heartbeat) again(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() {
		if recover() != nil {
			h.last = nil
		}
	}()
	h.remember(ctx)
	h.Next.RecordHeartbeat(ctx, h.last...)
}

// remember makes sure that the last details are known, if there are any.
func (h *heartbeat) remember(ctx context.Context) {
	if !h.spoken {
		h.last, h.spoken = h.before(ctx), true
	}
}

// before returns the details with which the attempt before ended.
func (h *heartbeat) before(ctx context.Context) (details []any) {
	const most = 16
	var raw [most]converter.RawValue
	var into [most]any
	for i := range raw {
		into[i] = &raw[i]
	}
	if !h.Next.HasHeartbeatDetails(ctx) || h.Next.GetHeartbeatDetails(ctx, into[:]...) != nil {
		return nil
	}
	for _, r := range raw {
		if r.Payload() == nil {
			break
		}
		details = append(details, r)
	}
	return details
}

// copied encodes details, because the activity may change them later. What
// cannot be encoded here is left as it is.
func copied(details []any) []any {
	kept := make([]any, len(details))
	for i, d := range details {
		kept[i] = d
		if p, err := converter.GetDefaultDataConverter().ToPayload(d); err == nil {
			kept[i] = converter.NewRawValue(p)
		}
	}
	return kept
}

// details returns what the last heartbeat said, encoded; nil if that was
// nothing.
func (h *heartbeat) details(ctx context.Context) *commonpb.Payloads {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remember(ctx)
	if len(h.last) == 0 {
		return nil
	}
	p, err := converter.GetDefaultDataConverter().ToPayloads(h.last...)
	if err != nil {
		return nil
	}
	return p
}

// pulseOf returns how a step tells Temporal that it is alive, and what it said
// last.
func pulseOf(t *task) (func(context.Context), func(context.Context) *commonpb.Payloads) {
	if t == nil {
		return func(ctx context.Context) { activity.RecordHeartbeat(ctx) }, func(context.Context) *commonpb.Payloads { return nil }
	}
	return t.heartbeat.again, t.heartbeat.details
}
