package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// The causes of an [HTTP] executor's errors, besides "http." and the status
// code of an answer that is a failure. They stand in evidence: do not rename.
const (
	// CauseArgument means that the call does not fit the URL template, or
	// lacks a key. Nothing was sent.
	CauseArgument = "http.argument"
	// CauseSecret means that a secret could not be read. Nothing was sent.
	CauseSecret = "http.secret"
	// CauseHost means that a host was refused that the catalogue does not
	// name. Nothing was sent to it.
	CauseHost = "http.host"
	// CauseConnect means that there was no connection to send on.
	CauseConnect = "http.connect"
	// CauseLost means that there was a connection and no complete answer.
	CauseLost = "http.lost"
	// CauseInterrupted means that the context ended first.
	CauseInterrupted = "http.interrupted"
	// CauseRedirect means that the answer was a redirect that is not followed.
	CauseRedirect = "http.redirect"
	// CauseTooLarge means that the answer is longer than MaxAnswer.
	CauseTooLarge = "http.too_large"
	// CauseNotJSON means that the answer is not JSON, or not the one form of
	// it that two readers cannot take for different things.
	CauseNotJSON = "http.not_json"
)

var (
	errHost    = errors.New("the catalogue does not name this host")
	errNotHTTP = errors.New("the answer is not in the allowed form of HTTP")
)

// unfit refuses a call before anything is sent. No later attempt can differ.
func unfit(err error) *Error {
	return &Error{Cause: CauseArgument, NoEffect: true, Permanent: true, Err: err}
}

// broken explains a failed exchange of messages.
func (x *exchange) broken(err error) *Error {
	e := &Error{Cause: CauseLost, NoEffect: x.harmless(), Err: x.detail(err)}
	switch {
	case x.ctx.Err() != nil:
		e.Cause, e.Err = CauseInterrupted, x.ctx.Err()
	case errors.Is(err, errHost):
		e.Cause, e.Permanent = CauseHost, true
	case !x.connected.Load():
		e.Cause = CauseConnect
	}
	return e
}

// refused explains an answer that is a failure, or returns nil. A 409 to a
// later attempt may mean that an earlier one with the same key is still at
// work, so it says nothing about the effect.
func (x *exchange) refused(status int, attempt int32) *Error {
	e := &Error{
		Cause:    fmt.Sprintf("http.%d", status),
		NoEffect: x.harmless(),
		Answered: final(status, attempt),
		Err:      fmt.Errorf("the server answered with status %d", status),
	}
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		e.Cause, e.Permanent = CauseRedirect, true
	case status == 408 || status == 429 || status == 409 && attempt > 1:
	case status >= 400 && status < 500:
		e.NoEffect, e.Permanent = true, true
	}
	return e
}

// final reports whether a failing status is the last word of the service
// itself. A time-out, and what a gateway says of a service that it lost, are
// not; nor is a 409 to a later attempt.
func final(status int, attempt int32) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false
	case http.StatusConflict:
		return attempt == 1
	}
	return status >= 400
}

// unusable explains an answer that says success in a way that cannot be
// used. Another attempt would be told the same.
func (x *exchange) unusable(cause, detail string) *Error {
	return &Error{Cause: cause, NoEffect: x.harmless(), Permanent: true, Err: errors.New(detail)}
}

// harmless reports whether the outside world surely did not change: the
// action only reads, or never had a connection to be written to.
func (x *exchange) harmless() bool { return x.h.safe || !x.connected.Load() }

// detail returns what may be logged of err. Once the secrets were sent, only
// what the operating system said: a server can echo a secret in a malformed
// answer, and net/http quotes those.
func (x *exchange) detail(err error) error {
	var op *net.OpError
	switch {
	case !x.connected.Load():
		return err
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return errNotHTTP
}
