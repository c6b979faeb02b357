package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// MaxSteps is the largest number of steps in a plan.
const MaxSteps = 1000

var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$`)
	actionForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$`)
	nonceForm  = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// ErrField means that a member of a statement has a value that cannot be.
var ErrField = errors.New("bad value")

// check reports whether p can be what its kind says, or [ErrField]. It looks
// at one statement alone; what statements say of each other is [Verify]'s.
func check(p Predicate) error {
	if p.When() <= 0 {
		return fmt.Errorf("%w: the statement has no time", ErrField)
	}
	switch p := p.(type) {
	case *Request:
		return p.Check()
	case *Decision:
		return oneOf("effect", p.Effect, Allow, Deny, StepUp, Defer)
	case *Outcome:
		return p.check()
	case *Attestation:
		return p.check()
	case *Seal:
		return oneOf("verdict", p.Verdict, Unresolved, Halted, Denied, Failed, Cancelled, Completed)
	case *Resolution:
		return p.check()
	case *Approval:
		return p.check()
	case *Order:
		return p.check()
	}
	return nil
}

// Check reports whether r is a request that can be signed: every field is
// there, ids are unique, and needs name earlier steps, so that plans have no
// cycles. It returns [ErrField], wrapped with the field and what is wanted.
func (r *Request) Check() error {
	switch {
	case !idForm.MatchString(r.ID):
		return fmt.Errorf("%w: id %.60q: want 1 to 200 letters, digits or ._:/@+-, the first a letter or digit", ErrField, r.ID)
	case r.Audience == "":
		return fmt.Errorf("%w: no audience: want the domain of the trust root", ErrField)
	case r.Principal == "":
		return fmt.Errorf("%w: no principal", ErrField)
	case r.Purpose == "":
		return fmt.Errorf("%w: no purpose: say why the execution is wanted", ErrField)
	case r.Policy == "":
		return fmt.Errorf("%w: no policy: want the name of a bundle", ErrField)
	case r.Issued <= 0 || r.Expires <= r.Issued:
		return fmt.Errorf("%w: expires %v is not after issued %v", ErrField, r.Expires, r.Issued)
	case !nonceForm.MatchString(r.Nonce):
		return fmt.Errorf("%w: nonce: want 32 lower-case hexadecimal digits", ErrField)
	case len(r.Steps) == 0 || len(r.Steps) > MaxSteps:
		return fmt.Errorf("%w: %d steps, want 1 to %d", ErrField, len(r.Steps), MaxSteps)
	}
	return r.checkSteps()
}

func (r *Request) checkSteps() error {
	seen := map[string]bool{}
	for i, s := range r.Steps {
		switch {
		case !idForm.MatchString(s.ID):
			return fmt.Errorf("%w: steps[%d]: id %.60q", ErrField, i, s.ID)
		case seen[s.ID]:
			return fmt.Errorf("%w: steps[%d]: the id %q is used twice", ErrField, i, s.ID)
		case !actionForm.MatchString(s.Action):
			return fmt.Errorf("%w: step %q: action %.60q: want a name such as orders.refund", ErrField, s.ID, s.Action)
		case len(s.Args) == 0 || s.Args[0] != '{':
			return fmt.Errorf("%w: step %q: args: want a JSON object", ErrField, s.ID)
		}
		for _, need := range s.Needs {
			if !seen[need] {
				return fmt.Errorf("%w: step %q needs %q, which is not an earlier step", ErrField, s.ID, need)
			}
		}
		seen[s.ID] = true
	}
	return nil
}

func (o *Outcome) check() error {
	if err := oneOf("status", o.Status, StatusDone, StatusFailed, StatusCancelled, StatusRefused, StatusUnknown); err != nil {
		return err
	}
	if (o.Status == StatusDone) != (len(o.Result) > 0) {
		return fmt.Errorf("%w: status %q with a result of %d bytes: a result comes with done and only then", ErrField, o.Status, len(o.Result))
	}
	if (o.Status == StatusDone) != (o.Cause == "") {
		return fmt.Errorf("%w: status %q with cause %.60q: a cause comes with every status but done", ErrField, o.Status, o.Cause)
	}
	return nil
}

func (a *Attestation) check() error {
	switch {
	case a.Decision.IsZero() || a.Step == "" || a.Binding.Run == "":
		return fmt.Errorf("%w: it names no decision, step or run", ErrField)
	case a.Attempt < 1 || a.Counter < 1:
		return fmt.Errorf("%w: attempt %d, counter %d: both count from 1", ErrField, a.Attempt, a.Counter)
	case !nonceForm.MatchString(a.Nonce):
		return fmt.Errorf("%w: nonce: want 32 lower-case hexadecimal digits", ErrField)
	}
	return nil
}

func oneOf[T ~string](name string, got T, want ...T) error {
	if slices.Contains(want, got) {
		return nil
	}
	return fmt.Errorf("%w: %s %.40q, want one of %q", ErrField, name, got, want)
}

// Compact returns raw JSON in the form in which it may stand in a statement:
// one valid value, as [CheckJSON] has it, without white space; or [ErrJSON].
func Compact(raw json.RawMessage) (json.RawMessage, error) {
	if err := CheckJSON(raw); err != nil {
		return nil, err
	}
	return marshal(raw)
}
