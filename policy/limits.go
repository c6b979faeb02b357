package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// The bounds of one evaluation and of one decision, in units of CEL's cost
// model. A unit is about one simple operation, on the order of 50 ns. Time is
// not a bound, because the same facts must give the same ruling on any
// machine.
const (
	// CostLimit is the most that one rule may cost. A rule that costs more
	// whatever the facts are is refused when the bundle is parsed; one that
	// might is tracked while it runs, and denies when it gets there.
	CostLimit = 1_000_000
	// DecideLimit is the most that all rules for one question may cost
	// together, the tracked ones counted with CostLimit. A bundle above it
	// is refused.
	DecideLimit = 20_000_000
)

// The bounds of facts. They are what costs are estimated from, so facts
// outside of them are denied.
const (
	// MaxSteps is how many steps a request, and a lineage, may have.
	MaxSteps = 256
	// MaxContext is how many entries the context of a request may have.
	MaxContext = 64
	// MaxProbes is how many probes a measurement may have.
	MaxProbes = 64
	// MaxText is the size of the longest text that is not part of arguments
	// or a result, in bytes.
	MaxText = 4096
	// MaxArgs is the size of the largest arguments, in bytes.
	MaxArgs = catalogue.MaxArgs
	// MaxResult is the size of the largest result, in bytes.
	MaxResult = 256 << 10
	// MaxSaid is how many words of people may have been said of a step.
	MaxSaid = 256
)

// errFacts means that facts are not complete or outside of the bounds.
var errFacts = errors.New("facts cannot be judged")

// checkFacts reports whether f has a request and is within the bounds. It reads lengths only, so it costs next to nothing.
func checkFacts(f evidence.Facts) error {
	switch {
	case f.Request == nil:
		return fmt.Errorf("%w: no request", errFacts)
	case len(f.Request.Steps) > MaxSteps, len(f.Lineage) > MaxSteps:
		return fmt.Errorf("%w: more than %d steps", errFacts, MaxSteps)
	case len(f.Request.Context) > MaxContext:
		return fmt.Errorf("%w: more than %d entries of context", errFacts, MaxContext)
	case len(f.Probes) > MaxProbes:
		return fmt.Errorf("%w: more than %d probes", errFacts, MaxProbes)
	case len(f.Said) > MaxSaid:
		return fmt.Errorf("%w: more than %d approvals", errFacts, MaxSaid)
	case slices.Contains(f.Said, nil):
		return fmt.Errorf("%w: an approval is missing", errFacts)
	case len(f.Said) > 0 && f.Requester == "":
		// Without the requester nobody can tell whether he approved himself.
		return fmt.Errorf("%w: approvals, and no requester", errFacts)
	case !textsFit(f):
		return fmt.Errorf("%w: a text is longer than %d bytes", errFacts, MaxText)
	case !valuesFit(f):
		return fmt.Errorf("%w: arguments or a result are too long", errFacts)
	}
	return nil
}

func textsFit(f evidence.Facts) bool {
	r := f.Request
	ok := short(r.ID, r.Audience, r.Principal, r.Purpose, r.Policy)
	for name, value := range r.Context {
		ok = ok && short(name, value)
	}
	for i := range r.Steps {
		ok = ok && stepFits(&r.Steps[i])
	}
	for i := range f.Lineage {
		ok = ok && short(f.Lineage[i].Step, f.Lineage[i].Action, string(f.Lineage[i].Status))
	}
	for _, p := range f.Probes {
		ok = ok && short(p.Name, string(p.Status), p.Want, p.Got)
	}
	return ok && (f.Step == nil || stepFits(f.Step))
}

func valuesFit(f evidence.Facts) bool {
	ok := f.Step == nil || len(f.Step.Args) <= MaxArgs
	for i := range f.Request.Steps {
		ok = ok && len(f.Request.Steps[i].Args) <= MaxArgs
	}
	for i := range f.Lineage {
		ok = ok && len(f.Lineage[i].Args) <= MaxArgs && len(f.Lineage[i].Result) <= MaxResult
	}
	return ok
}

func stepFits(s *evidence.Step) bool {
	return short(s.ID, s.Action) && short(s.Needs...) && len(s.Needs) <= MaxSteps
}

func short(texts ...string) bool {
	for _, text := range texts {
		if len(text) > MaxText {
			return false
		}
	}
	return true
}
