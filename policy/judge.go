package policy

import "github.com/interlock-run/interlock/evidence"

// judge says what results amount to: the strongest of what each of them
// comes to. A refusal stands beside the rules: none of them may wait or allow
// once it is there, not even those that asked nobody.
func judge(f *evidence.Facts, results []evidence.RuleResult) situation {
	found := nothingSaid
	switch {
	case f.Phase == evidence.PhaseIntegrity:
		found = noObjection
	case f.Phase == evidence.PhaseStep && f.Said.Refused() != nil:
		found = personRefused
	}
	for i := range results {
		found = min(found, weigh(f, &results[i]))
	}
	return found
}

// weigh says what one result amounts to. An effect that is none of those
// that the phase has, or that is not complete, denies.
func weigh(f *evidence.Facts, r *evidence.RuleResult) situation {
	switch {
	case r.Error != "":
		return ruleFailed
	case r.Effect.Waits() && f.Phase != evidence.PhaseStep:
		return ruleDenied
	case r.Granted(f.Said, f.Requester, f.Now):
		return ruleAllowed
	case r.Effect == evidence.StepUp && r.Ask != nil:
		if len(eligible(f, r.Ask)) < r.Ask.Need {
			return askImpossible
		}
		return ruleAsks
	case r.Effect == evidence.Defer && r.Delay != nil:
		return ruleDefers
	}
	return ruleDenied
}

// eligible returns the people whose approval ask would count.
func eligible(f *evidence.Facts, ask *evidence.Ask) []string {
	var people []string
	for _, name := range ask.By {
		if name != f.Requester {
			people = append(people, name)
		}
	}
	return people
}
