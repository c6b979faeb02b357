package starter

import (
	"fmt"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// believe reports whether r is the receipt of x, or [ErrForgedReceipt]. It
// checks, in this order:
//
//  1. the seal opens under the trust root, and is a seal;
//  2. the seal is about this request, workflow and run;
//  3. the receipt repeats what the seal says;
//  4. the receipt's head is the link of the seal.
func (x *Execution) believe(r *contract.Receipt) error {
	rec, err := x.trust.Open(r.Seal)
	if k, marked := x.trust.Compromised(r.Seal); err == nil && marked { // nothing in a receipt dates its seal
		err = fmt.Errorf("%w: %w: %s (%s)", evidence.ErrUntrusted, evidence.ErrCompromised, k.ID, k.Name)
	}
	if err != nil {
		return x.forged("%w", err)
	}
	// A key of another role may sign other records, but those seal nothing.
	seal, ok := rec.Predicate.(*evidence.Seal)
	if !ok {
		return x.forged("a %s stands in place of the seal", rec.Kind())
	}
	about := evidence.Subject{Execution: x.ID(), Digest: x.request}
	switch {
	case seal.Request != x.request || rec.Subject != about:
		return x.forged("the seal is about request %s of %.60q, not %s", seal.Request.Short(), rec.Subject.Execution, x.request.Short())
	case seal.Binding.Workflow != x.ID() || seal.Binding.Run != x.Run():
		return x.forged("the seal is bound to run %.60q of %.60q, not %s", seal.Binding.Run, seal.Binding.Workflow, x.Run())
	case r.Execution != x.ID() || r.Run != x.Run() || r.Request != x.request:
		return x.forged("it names another execution than its seal: %.60q, run %.60q", r.Execution, r.Run)
	case r.Verdict != seal.Verdict || r.Cause != seal.Cause:
		return x.forged("it says %.60q (%.60q), its seal %s (%.60q)", r.Verdict, r.Cause, seal.Verdict, seal.Cause)
	}
	chain := evidence.ChainAt(seal.Position)
	if head := chain.Append(rec.Digest); r.Head != head || r.Records != chain.Next().Seq {
		return x.forged("it counts %d records ending in %s, its seal %d ending in %s", r.Records, r.Head.Short(), chain.Next().Seq, head.Short())
	}
	return nil
}

func (x *Execution) forged(format string, args ...any) error {
	return fmt.Errorf("%w: execution %s: %w", ErrForgedReceipt, x.ID(), fmt.Errorf(format, args...))
}
