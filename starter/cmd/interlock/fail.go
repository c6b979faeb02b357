package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/policy"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/config"
)

// The exit codes that belong to no verdict and no answer.
const (
	exitFailed = 1 // could not do it: I/O, server away
	exitUsage  = 2 // wrong usage or configuration
)

// errUsage means that the command line, or a file it names, cannot be used as
// it is.
var errUsage = errors.New("wrong usage")

func usage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// A usageError is [errUsage] whose text is that of its cause alone.
type usageError struct{ error }

func (e *usageError) Is(target error) bool { return target == errUsage }
func (e *usageError) Unwrap() error        { return e.error }

// A hinted error knows what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

func withHint(err error, hint string) error { return &hinted{err, hint} }

// codes maps errors to exit codes. The first that matches counts.
var codes = []struct {
	err  error
	code int
}{
	{starter.ErrDenied, 10},
	{starter.ErrHalted, 11},
	{starter.ErrFailed, 12},
	{starter.ErrUnresolved, 13},
	{starter.ErrCancelled, 14},
	{evidence.ErrNotAuthentic, 20},
	{evidence.ErrIncomplete, 21},
	{evidence.ErrUngoverned, 22},
	{errUsage, exitUsage},
	{config.ErrConfig, exitUsage},
	{starter.ErrConfig, exitUsage},
	{starter.ErrNoPrincipal, exitUsage},
	{starter.ErrNoOperator, exitUsage},
	{starter.ErrNothingToResolve, exitUsage},
	{starter.ErrNoApprover, exitUsage},
	{starter.ErrNotPending, exitUsage},
	{starter.ErrNotAsked, exitUsage},
	{starter.ErrNoRevoker, exitUsage},
	{starter.ErrNoOrder, exitUsage},
	{starter.ErrResolved, exitUsage},
	{evidence.ErrTrust, exitUsage},
	{evidence.ErrUntrusted, exitUsage},
	{evidence.ErrField, exitUsage},
	{keyfile.ErrExposed, exitUsage},
	{keyfile.ErrReplaceable, exitUsage},
	{keyfile.ErrKey, exitUsage},
	{policy.ErrBundle, exitUsage},
	{policy.ErrCases, exitUsage},
	{catalogue.ErrCatalogue, exitUsage},
}

// codeOf is the one place where an error becomes an exit code.
func codeOf(err error) int {
	// What is not believed may wrap an error of the table, but it is no verdict
	// and no misuse.
	for _, e := range []error{starter.ErrForgedReceipt, starter.ErrNoReceipt, starter.ErrUnproven} {
		if errors.Is(err, e) {
			return exitFailed
		}
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return exitFailed
}

// hints are what to do next about errors that do not say so themselves.
var hints = []struct {
	err  error
	hint string
}{
	{starter.ErrUnanswered, "start a control plane worker: interlockd worker --roles control, or interlockd dev"},
	{starter.ErrNotSealed, "wait for the verdict: interlock watch ID"},
	{starter.ErrOtherRequest, "choose another id, or look at the one that is there: interlock status ID"},
	{starter.ErrForgedReceipt, "treat it as refused; keep what there is: interlock proof ID, interlock history ID"},
	{starter.ErrNoReceipt, "treat it as refused; see how it ended: interlock history ID"},
	{starter.ErrNoPrincipal, "set keys.principal in interlock.yaml"},
	{starter.ErrNoOperator, "set keys.operator in interlock.yaml, or use --key"},
	{starter.ErrNothingToResolve, "see what is open: interlock status ID"},
	{starter.ErrUnproven, "do not approve it; keep what there is: interlock proof ID, interlock history ID"},
	{starter.ErrNoApprover, "set keys.approver in interlock.yaml, or use --key"},
	{starter.ErrNotPending, "see what waits: interlock pending"},
	{starter.ErrNotAsked, "see who may approve: interlock pending"},
	{starter.ErrNotCounted, "look again at what waits: interlock pending"},
	{starter.ErrNoRevoker, "set keys.revoker in interlock.yaml, or use --sign-with"},
	{starter.ErrNoOrder, "see which are: interlock orders"},
	{starter.ErrResolved, "what was recorded first stands; see it: interlock status ID"},
	{fs.ErrExist, "name another file, or replace it with --force"},
}

func hintOf(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	for _, c := range hints {
		if errors.Is(err, c.err) {
			return c.hint
		}
	}
	return ""
}

// complain writes an error for people, or for programs.
func (a *app) complain(err error) {
	if a.json() {
		a.encode(a.err, struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Exit  int    `json:"exit"`
		}{err.Error(), hintOf(err), codeOf(err)})
		return
	}
	fmt.Fprintf(a.err, "interlock: %s\n", plainLines(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.err, "next: %s\n", hint)
	}
}
