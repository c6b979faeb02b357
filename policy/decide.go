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
// In the phase step rules can also wait. A rule that says defer holds the
// step back for as long as it matches. A rule that says step_up does so until
// f.Said has the approvals that it asks for, by [evidence.RuleResult.Granted];
// from then on it allows. Who asked for the execution, f.Requester, cannot
// approve; where too few others could, the effect is deny at once, for waiting
// would not help. So it is when somebody refused, whatever rules match.
//
// The causes, the strongest first:
//
//	policy.deny          a rule denies
//	policy.error         a rule could not be evaluated, or cost more than
//	                     [CostLimit], or the facts are not complete or too
//	                     large
//	action.unknown       the step's action is not in the catalogue
//	approval.refused     somebody refused the step
//	approval.impossible  a rule asks for more approvals than there can be
//	policy.defer         a rule says not yet; the effect is defer
//	policy.step_up       approvals are missing; the effect is step_up
//	policy.default       no rule matched, or the phase is unknown
//	policy.allow         the effect is allow
//
// All rules that matched or failed are in the ruling, in the bundle's order,
// not only the one that settled it: they are evidence. A rule that failed
// stands there with effect deny, whatever its own effect is; one that asks
// for approvals with effect step_up, also when they are there. Every rule of
// a ruling that allows a step is one that Granted confirms for f.Now.
func (b *Bundle) Decide(f evidence.Facts) evidence.Ruling {
	rules, found := b.concerned(f)
	if found != nothingSaid {
		return conclude(found, &f, nil, "")
	}
	if err := checkFacts(f); err != nil {
		return conclude(badFacts, &f, nil, bounded(err.Error()))
	}
	results := evaluate(rules, newInput(&f))
	return conclude(judge(&f, results), &f, results, "")
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
			results = append(results, r.result())
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

// result returns what the ruling says of a rule that matched.
func (r *rule) result() evidence.RuleResult {
	return evidence.RuleResult{
		ID: r.info.ID, Effect: r.info.Effect, Message: r.info.Message,
		Ask: cloneAsk(r.info.Approval), Delay: cloneDelay(r.info.Defer),
	}
}
