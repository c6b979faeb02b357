package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"

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

// maxError is the length of the longest error or reason, in bytes.
const maxError = 200

var (
	errNotBool = errors.New("the rule is neither true nor false")
	addresses  = regexp.MustCompile(`0x[0-9a-f]+`)
)

// describe returns the text of an evaluation error in a form that is the same
// on every machine.
func describe(err error) string {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return fmt.Sprintf("costs more than %d", CostLimit)
	}
	if strings.HasPrefix(err.Error(), "internal error") {
		return "internal error" // a panic's text is Go's, not ours to promise
	}
	return bounded(addresses.ReplaceAllString(err.Error(), "0x…"))
}

// bounded makes text one line of at most maxError bytes, and never empty.
func bounded(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError-len("…")], "") + "…"
	}
	if text == "" {
		return "unknown error"
	}
	return text
}
