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
// # People in the loop
//
// Policy can ask for people: a step then waits until enough of them have
// approved, one has refused, or the wait is over. [Starter.Pending] lists what
// waits, for whom and until when, and exactly what would be done. Whatever shows
// that to people, a chat bot or a web form, hands their answer to
// [Starter.Approve] or [Starter.Refuse]:
//
//	waiting, err := s.PendingOf(ctx, id)
//	…
//	for _, w := range waiting {
//		ask(w.Action, w.Args, w.Purpose, w.Requester, w.Asks, w.Until)
//		heard, err := s.Approve(ctx, w, "seen the invoice") // or Refuse
//	}
//
// What is signed is what the [Waiting] says. Where the key is elsewhere, in a
// browser or an HSM, [Waiting.Statement] returns what is to be signed, and
// [Starter.SubmitApproval] takes the signed envelope. Whoever asked for an
// execution cannot approve it, and several keys of one person count as one; that
// is the control plane's to refuse, not this package's.
//
// [Starter.Revoke] stops one execution, [Starter.Kill] many, and
// [Starter.Restore] undoes such an order. [Starter.Orders] lists those in force.
//
// # What is believed
//
// The Temporal service is not trusted with verdicts. A receipt counts only
// after its seal was opened under the trust root and found to be about this
// request, this workflow and this run. What waits for approval is shown only if
// it stands in records that the trust root believes. What [Reader] returns (progress, records,
// history) is what Temporal says; only a proof that [evidence.Verify] accepts
// is evidence.
package starter
