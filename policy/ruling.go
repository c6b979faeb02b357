package policy

import "github.com/interlock-run/interlock/evidence"

// A situation is what was found out about a question. It is kept apart from
// the effect, which is what is done about it. The zero situation denies. Of
// two situations the one that stands first here is the stronger.
type situation int

const (
	unjudged      situation = iota // there is no bundle, or the phase is unknown
	badFacts                       // the facts are not complete or too large
	unknownAction                  // the catalogue does not have the action
	ruleDenied                     // a rule said deny
	ruleFailed                     // a rule could not be evaluated
	personRefused                  // a person said no to the step
	askImpossible                  // a rule asks for more people than there are
	ruleDefers                     // a rule said not yet
	ruleAsks                       // a rule asks for approvals that are not there
	ruleAllowed                    // a rule allows, or has the approvals that it asks for
	nothingSaid                    // no rule matched
	noObjection                    // phase integrity: no rule said deny
)

// effect is the one place where a situation becomes an effect. Whatever is
// not named here denies.
func (s situation) effect() evidence.Effect {
	switch s {
	case ruleAllowed, noObjection:
		return evidence.Allow
	case ruleAsks:
		return evidence.StepUp
	case ruleDefers:
		return evidence.Defer
	default:
		return evidence.Deny
	}
}

// cause returns the stable code of s.
func (s situation) cause() string {
	switch s {
	case ruleAllowed, noObjection:
		return "policy.allow"
	case ruleDenied:
		return "policy.deny"
	case ruleFailed, badFacts:
		return "policy.error"
	case unknownAction:
		return "action.unknown"
	case personRefused:
		return "approval.refused"
	case askImpossible:
		return "approval.impossible"
	case ruleDefers:
		return "policy.defer"
	case ruleAsks:
		return "policy.step_up"
	default:
		return "policy.default"
	}
}

// conclude puts a ruling together.
func conclude(s situation, f *evidence.Facts, results []evidence.RuleResult, detail string) evidence.Ruling {
	return evidence.Ruling{Effect: s.effect(), Rules: results, Cause: s.cause(), Reason: reason(s, f, results, detail)}
}
