package store

import (
	"errors"
	"fmt"
)

// The errors of a [Store]. Every error that its methods return wraps one of
// them; those of [Open] and [OpenReadOnly] also [ErrVersion].
var (
	// ErrConflict means that the store already holds something else there:
	// the chain does not end where the caller says, or the outcome differs.
	ErrConflict = errors.New("conflicts with what is stored")
	// ErrNonceUsed means that another run has consumed the nonce.
	ErrNonceUsed = errors.New("nonce was used by another run")
	// ErrTaken means that the slot was taken, or the handover consumed, before,
	// whoever did it.
	ErrTaken = errors.New("taken before")
	// ErrOrders means that the chain of [Orders] is longer than the taker of a
	// slot has read.
	ErrOrders = errors.New("orders have come since")
	// ErrSuperseded means that a later run continues the chain, and only that
	// one may write. It is final: the caller belongs to the past.
	ErrSuperseded = errors.New("a later run has taken over")
	// ErrNoRun means that the store has no chain for the run, or one without the
	// decision: it was not decided here.
	ErrNoRun = errors.New("the store does not know the run")
	// ErrNoSlot means that an outcome or an attestation has no slot to belong
	// to.
	ErrNoSlot = errors.New("no effect slot was taken for the step")
	// ErrStale means that a lease or an attestation is not newer than what is
	// stored.
	ErrStale = errors.New("not newer than what is stored")
	// ErrNone means that there is nothing to return.
	ErrNone = errors.New("nothing is stored")
	// ErrCorrupt means that what is stored is not what was written.
	ErrCorrupt = errors.New("stored evidence was changed")
	// ErrUnavailable means that the store could not answer, or could not put
	// a write on disk: file read-only, gone or replaced, disk full, another
	// process holding the lock, store closed, context over while waiting,
	// server away, restarted, set not to flush, or without rights for this user,
	// a write that was taken and not made.
	// Whoever needs the write must not go on without it.
	ErrUnavailable = errors.New("evidence store is unavailable")
	// ErrVersion means that the file or database has a schema that this program does not
	// know, or is not an evidence store at all.
	ErrVersion = errors.New("not an evidence store of a known version")
)

// errReadOnly is why a store from [OpenReadOnly] refuses writes.
var errReadOnly = errors.New("it was opened for reading only")

// errClosed is why a closed store refuses everything.
var errClosed = errors.New("it is closed")

// errNotWritten is why a write is not acknowledged that the database did not
// refuse.
var errNotWritten = errors.New("the database took a write of one row and did not make it")

// unavailable turns an error of the database, or of a context, into one that
// wraps both [ErrUnavailable] and err. It returns nil for nil.
func unavailable(what string, err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: couldn't %s: %w", ErrUnavailable, what, err)
}
