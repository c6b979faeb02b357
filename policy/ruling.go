package policy

import (
	"fmt"
	"strings"

	"github.com/interlock-run/interlock/evidence"
)

// A situation is what was found out about a question. It is kept apart from
// the effect, which is what is done about it. The zero situation denies.
type situation int

const (
	unjudged      situation = iota // there is no bundle, or the phase is unknown
	badFacts                       // the facts are not complete or too large
	unknownAction                  // the catalogue does not have the action
	ruleFailed                     // a rule could not be evaluated
	ruleDenied                     // a rule said deny
	nothingSaid                    // no rule matched
	ruleAllowed                    // a rule said allow, and none said deny
	noObjection                    // phase integrity: no rule said deny
)

// effect is the one place where a situation becomes an effect. Whatever is
// not named here denies.
func (s situation) effect() evidence.Effect {
	switch s {
	case ruleAllowed, noObjection:
		return evidence.Allow
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
	default:
		return "policy.default"
	}
}

// conclude puts a ruling together.
func conclude(s situation, results []evidence.RuleResult, detail string) evidence.Ruling {
	return evidence.Ruling{Effect: s.effect(), Rules: results, Cause: s.cause(), Reason: reason(s, results, detail)}
}

// reason says in one sentence which rule settled the matter.
func reason(s situation, results []evidence.RuleResult, detail string) string {
	for _, r := range results {
		switch {
		case s == ruleFailed && r.Error != "":
			return bounded(fmt.Sprintf("rule %s could not be evaluated: %s", r.ID, r.Error))
		case s == ruleDenied && r.Error == "" && r.Effect != evidence.Allow:
			return bounded(fmt.Sprintf("denied by rule %s%s", r.ID, because(r.Message)))
		case s == ruleAllowed:
			return bounded(fmt.Sprintf("allowed by rule %s%s", r.ID, because(r.Message)))
		}
	}
	switch s {
	case badFacts:
		return strings.TrimSuffix("the facts are not complete: "+detail, ": ")
	case unknownAction:
		return "the action is not in the catalogue"
	case nothingSaid:
		return "no rule allows it"
	case noObjection:
		return "no rule objects"
	}
	return "there are no rules for this question"
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}
