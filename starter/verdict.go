package starter

import (
	"errors"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// The verdicts as errors. A [VerdictError] is one of them, by [errors.Is].
var (
	// ErrDenied means that policy, or a check before it, said no.
	ErrDenied = errors.New("denied")
	// ErrHalted means that a check failed and everything was stopped.
	ErrHalted = errors.New("halted")
	// ErrFailed means that a step failed in the ordinary way.
	ErrFailed = errors.New("failed")
	// ErrUnresolved means that an effect may or may not have happened. A
	// person must look.
	ErrUnresolved = errors.New("unresolved")
	// ErrCancelled means that the execution was asked to stop.
	ErrCancelled = errors.New("cancelled")
)

// A VerdictError is a verdict other than completed. Its receipt is believed.
type VerdictError struct {
	Receipt *contract.Receipt
}

// Error names the execution, the verdict and the cause.
func (e *VerdictError) Error() string {
	return fmt.Sprintf("execution %s is %s: %s", e.Receipt.Execution, e.Receipt.Verdict, e.Receipt.Cause)
}

// Is reports whether target is the error for the receipt's verdict.
func (e *VerdictError) Is(target error) bool {
	switch e.Receipt.Verdict {
	case evidence.Denied:
		return target == ErrDenied
	case evidence.Halted:
		return target == ErrHalted
	case evidence.Failed:
		return target == ErrFailed
	case evidence.Unresolved:
		return target == ErrUnresolved
	case evidence.Cancelled:
		return target == ErrCancelled
	}
	return false
}

// verdictOf is the reverse of [contract.ErrorType]. It returns no verdict for
// the type of an execution without a seal, and for every unknown one.
func verdictOf(errorType string) evidence.Verdict {
	for _, v := range []evidence.Verdict{evidence.Denied, evidence.Halted, evidence.Failed, evidence.Unresolved, evidence.Cancelled} {
		if contract.ErrorType(v) == errorType {
			return v
		}
	}
	return ""
}
