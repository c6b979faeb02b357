package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// maxNames is how many people a reason names.
const maxNames = 4

// reason says in one sentence what settled the matter: the first rule that
// amounts to s, where there is one.
func reason(s situation, f *evidence.Facts, results []evidence.RuleResult, detail string) string {
	for i := range results {
		if r := &results[i]; weigh(f, r) == s {
			return bounded(ruleReason(s, f, r))
		}
	}
	switch s {
	case badFacts:
		return strings.TrimSuffix("the facts are not complete: "+detail, ": ")
	case unknownAction:
		return "the action is not in the catalogue"
	case personRefused:
		return bounded(refusal(f))
	case nothingSaid:
		return "no rule allows it"
	case noObjection:
		return "no rule objects"
	}
	return "there are no rules for this question"
}

// ruleReason says how r settled the matter.
func ruleReason(s situation, f *evidence.Facts, r *evidence.RuleResult) string {
	switch s {
	case ruleFailed:
		return fmt.Sprintf("rule %s could not be evaluated: %s", r.ID, r.Error)
	case askImpossible:
		return fmt.Sprintf("rule %s asks for %s, which cannot be: without the requester %d can approve%s",
			r.ID, approvals(r.Ask.Need), len(eligible(f, r.Ask)), because(r.Message))
	case ruleDefers:
		return fmt.Sprintf("rule %s says not yet, for at most %s, and is asked again every %s%s",
			r.ID, briefMS(r.Delay.ForMS), briefMS(r.Delay.EveryMS), because(r.Message))
	case ruleAsks:
		return fmt.Sprintf("rule %s asks for %s%s", r.ID, missing(f, r.Ask), because(r.Message))
	case ruleAllowed:
		if r.Effect == evidence.StepUp {
			return fmt.Sprintf("rule %s has the %s that it asks for%s", r.ID, approvals(r.Ask.Need), because(r.Message))
		}
		return fmt.Sprintf("allowed by rule %s%s", r.ID, because(r.Message))
	}
	return fmt.Sprintf("denied by rule %s%s", r.ID, because(r.Message))
}

// missing says how many approvals ask wants, by whom, and how many are still
// to come if some are there.
func missing(f *evidence.Facts, ask *evidence.Ask) string {
	text := approvals(ask.Need) + " by " + people(eligible(f, ask))
	if n := f.Said.Missing(ask, f.Requester, f.Now); n < ask.Need {
		text += fmt.Sprintf(", %d more", n)
	}
	return text
}

func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}

func people(names []string) string {
	if len(names) > maxNames {
		return fmt.Sprintf("%s and %d others", strings.Join(names[:maxNames-1], ", "), len(names)-maxNames+1)
	}
	return strings.Join(names, ", ")
}

func briefMS(ms int64) string { return brief(time.Duration(ms) * time.Millisecond) }

// refusal says who refused.
func refusal(f *evidence.Facts) string {
	if r := f.Said.Refused(); r != nil && r.Holder != "" {
		return r.Holder + " refused it"
	}
	return "somebody refused it"
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}
