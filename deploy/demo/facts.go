package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// facts are what is known of an execution that ended, and of one that is
// expected to.
type facts struct {
	// By the receipt, whose seal was verified.
	verdict evidence.Verdict
	cause   string
	// By the proof.
	granted bool
	allowed list // steps with a decision that allows them
	steps   list // "STEP STATE"
	// By the desk's access log and its ledger. STEP is the one whose
	// idempotency key the desk was given, or "stranger".
	calls   list // "STEP: METHOD PATH STATUS"
	effects list // "STEP: KIND ORDER CENTS"
}

type list []string

func (l list) String() string {
	if len(l) == 0 {
		return "none"
	}
	return strings.Join(l, ", ")
}

// gather asks all witnesses.
func (s *stage) gather(ctx context.Context, c *cast, r *contract.Receipt, proof *evidence.Proof) (facts, error) {
	f := facts{verdict: r.Verdict, cause: r.Cause}
	for i, e := range proof.Records {
		rec, err := e.Decode()
		if err != nil {
			return f, fmt.Errorf("record %d of the proof: %w", i, err)
		}
		f.add(rec.Predicate)
	}
	var err error
	if f.calls, err = s.shop.settled(ctx, c); err != nil {
		return f, err
	}
	f.effects, err = s.shop.effects(ctx, c)
	return f, err
}

// add adds what one record of the proof says.
func (f *facts) add(p evidence.Predicate) {
	switch p := p.(type) {
	case *evidence.Grant:
		f.granted = true
	case *evidence.Decision:
		if p.Effect.Allows() {
			f.allowed = append(f.allowed, p.Step)
		}
	case *evidence.Seal:
		for _, end := range p.Steps {
			f.steps = append(f.steps, end.ID+" "+string(end.State))
		}
	}
}

// differences names every way in which f is not what is wanted.
func (f facts) differences(want facts) []string {
	var all []string
	differ := func(what string, got, want any) {
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			all = append(all, fmt.Sprintf("%s: got %s, want %s", what, g, w))
		}
	}
	differ("verdict", f.verdict, want.verdict)
	differ("cause", f.cause, want.cause)
	differ("grant", f.granted, want.granted)
	differ("allowed steps", f.allowed, want.allowed)
	differ("steps", f.steps, want.steps)
	differ("calls at the desk", f.calls, want.calls)
	differ("effects at the desk", f.effects, want.effects)
	return append(all, f.contradictions()...)
}

// contradictions names what must hold whatever the story says: the desk was
// called for steps only that the proof allows, and each effect was one step's,
// once.
func (f facts) contradictions() []string {
	var all []string
	for _, c := range f.calls {
		if step, _, _ := strings.Cut(c, ":"); !slices.Contains(f.allowed, step) {
			all = append(all, fmt.Sprintf("the desk was called without a decision that allows it: %s", c))
		}
	}
	seen := map[string]bool{}
	for _, e := range f.effects {
		step, _, _ := strings.Cut(e, ":")
		if seen[step] {
			all = append(all, fmt.Sprintf("done twice: %s", e))
		}
		seen[step] = true
	}
	return all
}
