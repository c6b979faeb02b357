package policy

import (
	"errors"

	"github.com/google/cel-go/common/types"

	"github.com/interlock-run/interlock/evidence"
)

var errNotBool = errors.New("the rule is neither true nor false")

// Decide rules on f. The same facts always give the same ruling. It is safe
// for concurrent use and does not keep or change f.
//
// In the phases admit and step the effect is deny unless a rule allows, every
// rule that concerns the question could be evaluated, and none denies. In the
// phase integrity, where rules can only deny, the effect is deny if a rule
// denies or could not be evaluated, and allow otherwise: what runs was
// already allowed, and no rule needs to say so again.
//
// The causes, the strongest first:
//
//	policy.deny     a rule denies
//	policy.error    a rule could not be evaluated, or cost more than
//	                [CostLimit], or the facts are not complete or too large
//	action.unknown  the step's action is not in the catalogue
//	policy.default  no rule matched, or the phase is unknown
//	policy.allow    the effect is allow
//
// All rules that matched or failed are in the ruling, in the bundle's order,
// not only the one that settled it: they are evidence. A rule that failed
// stands there with effect deny, whatever its own effect is.
func (b *Bundle) Decide(f evidence.Facts) evidence.Ruling {
	rules, found := b.concerned(f)
	if found != nothingSaid {
		return conclude(found, nil, "")
	}
	if err := checkFacts(f); err != nil {
		return conclude(badFacts, nil, bounded(err.Error()))
	}
	results := evaluate(rules, newInput(&f))
	return conclude(judge(f.Phase, results), results, "")
}

// concerned returns the rules for the question, and nothingSaid if there is a
// question that rules can answer.
func (b *Bundle) concerned(f evidence.Facts) ([]*rule, situation) {
	if b == nil || b.actions == nil || !known(f.Phase) {
		return nil, unjudged
	}
	if f.Phase != evidence.PhaseStep {
		return b.index.phases[f.Phase], nothingSaid
	}
	if f.Step == nil {
		return nil, badFacts
	}
	rules, ok := b.index.actions[f.Step.Action]
	if !ok {
		return nil, unknownAction
	}
	return rules, nothingSaid
}

// evaluate returns the results of the rules that matched or failed.
func evaluate(rules []*rule, in *input) []evidence.RuleResult {
	var results []evidence.RuleResult
	for _, r := range rules {
		matched, err := r.matches(in)
		switch {
		case err != nil:
			results = append(results, evidence.RuleResult{ID: r.info.ID, Effect: evidence.Deny, Error: describe(err)})
		case matched:
			results = append(results, evidence.RuleResult{ID: r.info.ID, Effect: r.info.Effect, Message: r.info.Message})
		}
	}
	return results
}

// matches reports whether the rule's condition is true. A rule that reads
// arguments fails if they are not well-formed, even where its other parts
// would settle it.
func (r *rule) matches(in *input) (bool, error) {
	if r.needsArgs {
		if err := in.decodeArgs(); err != nil {
			return false, err
		}
	}
	value, _, err := r.program.Eval(in)
	if err != nil {
		return false, err
	}
	matched, ok := value.(types.Bool)
	if !ok {
		return false, errNotBool
	}
	return bool(matched), nil
}

// judge says what results amount to. Deny beats everything; a failed rule
// beats an allow. An effect that is none of the two denies.
func judge(phase evidence.Phase, results []evidence.RuleResult) situation {
	found := nothingSaid
	if phase == evidence.PhaseIntegrity {
		found = noObjection
	}
	for _, r := range results {
		switch {
		case r.Error != "":
			if found != ruleDenied {
				found = ruleFailed
			}
		case r.Effect != evidence.Allow:
			return ruleDenied
		case found == nothingSaid:
			found = ruleAllowed
		}
	}
	return found
}
