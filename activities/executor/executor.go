// Package executor holds what acts on the outside world: Go functions that a
// team registers, and HTTP requests that the catalogue describes. (What is done
// by a Temporal activity has its executor in package activities.)
//
// An executor is called by the guard of a step worker only, after the
// decision was verified and the effect slot was taken. Its context ends when
// the lease does; it must stop then.
package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// A Call is one attempt at a step.
type Call struct {
	Execution string          // id of the execution
	Step      string          // id of the step
	Action    string          // name of the action
	Args      json.RawMessage // a JSON object, valid by the catalogue's schema
	Key       string          // idempotency key: the same in every attempt
	Attempt   int32           // from 1
}

type callKey struct{}

// WithCall returns a context from which [CallFrom] gets c.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the attempt that a Temporal activity behind the guard is
// called for: its idempotency key, above all, which the activity must pass on
// to whatever it calls. It is false where the activity is not governed.
func CallFrom(ctx context.Context) (Call, bool) {
	c, ok := ctx.Value(callKey{}).(Call)
	return c, ok
}

// An Executor carries out one action.
//
// Execute returns the result as one JSON value. It must pass on c.Key to
// whatever it calls, stop when ctx is done, and be safe for concurrent use. An
// error should be an [Error]; any other is taken to mean that nothing is known
// about the effect.
type Executor interface {
	Execute(ctx context.Context, c Call) (json.RawMessage, error)
}

// A Preparer is an [Executor] that can say what a call will send before it is
// sent. The executor of an action over HTTP must be one: the guard compares
// the digest with the decision's, and then has this very request sent.
//
// Prepare sends nothing. Send sends p, which Prepare returned for c, and
// nothing else, not even after an error; otherwise it is like Execute.
type Preparer interface {
	Executor
	Prepare(c Call) (*Prepared, error)
	Send(ctx context.Context, c Call, p *Prepared) (json.RawMessage, error)
}

// Func makes an [Executor] of a function.
type Func func(ctx context.Context, c Call) (json.RawMessage, error)

// Execute calls f.
func (f Func) Execute(ctx context.Context, c Call) (json.RawMessage, error) { return f(ctx, c) }

// An Error says what is known about a failed call. The zero Error knows
// nothing: the effect may have happened.
type Error struct {
	// Cause is a stable code for evidence, such as "http.500". It holds no
	// secret, address or text from outside.
	Cause string
	// NoEffect means that the outside world surely did not change.
	NoEffect bool
	// Answered means that the outside world itself said that the call failed:
	// there is nothing left to hear from it.
	Answered bool
	// Permanent means that trying again cannot help.
	Permanent bool
	// Err has the details, for logs only.
	Err error
}

// Error returns the details.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Cause
	}
	return fmt.Sprintf("%s: %v", e.Cause, e.Err)
}

// Unwrap returns the details.
func (e *Error) Unwrap() error { return e.Err }

// Explain returns what is known about err. An error that is not an [Error],
// or lacks a cause, may have had an effect.
func Explain(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Cause != "":
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Cause: "executor.interrupted", Err: err}
	}
	return &Error{Cause: "executor.error", Err: err}
}
