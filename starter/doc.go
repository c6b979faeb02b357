// Package starter is how services ask for governed executions, and how they
// learn what became of them. It is embedded: it uses the Temporal client of
// its caller, and brings neither policy nor worker code along.
//
//	s, err := starter.New(starter.Config{Client: c, Trust: trust, Principal: key, Queue: "interlock"})
//	…
//	x, err := s.Start(ctx, &evidence.Request{
//		Purpose: "refund order o-1, see ticket 42",
//		Policy:  "refunds",
//		Steps:   []evidence.Step{{ID: "refund", Action: "orders.refund", Args: args}},
//	})
//	…
//	receipt, err := x.Wait(ctx)
//
// The error of [Execution.Wait] is nil only if the execution completed and its
// seal says so. Every other verdict is a [VerdictError]:
//
//	switch {
//	case err == nil: // completed
//	case errors.Is(err, starter.ErrDenied): // policy said no
//	case errors.Is(err, starter.ErrUnresolved): // a person must look
//	default: // whatever else: it did not complete
//	}
//
// # What is believed
//
// The Temporal service is not trusted with verdicts. A receipt counts only
// after its seal was opened under the trust root and found to be about this
// request, this workflow and this run. What [Reader] returns (progress, records,
// history) is what Temporal says; only a proof that [evidence.Verify] accepts
// is evidence.
package starter
