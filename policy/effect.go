package policy

import (
	"fmt"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// parseEffect checks the effect of a rule, and reads what comes with it. What
// stands beside an effect that does not use it is an error: its author thinks
// that it guards something.
func parseEffect(doc *strict.Doc, m strict.Map, r *rule) {
	checkEffect(doc, m, r)
	ask, delay := m.Get("approval"), m.Get("defer")
	switch {
	case ask != nil && r.info.Effect != evidence.StepUp:
		problem(doc, ask.Pos, r.info.ID, "approval: only for effect step_up")
	case ask != nil:
		r.info.Approval = parseAsk(doc, ask, r.info.ID)
	case r.info.Effect == evidence.StepUp:
		problem(doc, m.Place("effect"), r.info.ID, "effect: step_up wants to know whose approval: approval: {by: [NAME, …], need: NUMBER, within: DURATION}")
	}
	switch {
	case delay != nil && r.info.Effect != evidence.Defer:
		problem(doc, delay.Pos, r.info.ID, "defer: only for effect defer")
	case delay != nil:
		r.info.Defer = parseDelay(doc, delay, r.info.ID)
	case r.info.Effect == evidence.Defer:
		problem(doc, m.Place("effect"), r.info.ID, "effect: defer wants to know how long: defer: {for: DURATION, every: DURATION}")
	}
}

// checkEffect notes an effect that the phase does not have. Only a step can
// wait. Integrity goes on unless a rule objects, so there an allow rule would
// say nothing.
func checkEffect(doc *strict.Doc, m strict.Map, r *rule) {
	effect, phase := r.info.Effect, r.info.Phase
	switch {
	case m.Get("effect") == nil:
	case effect != evidence.Allow && effect != evidence.Deny && !effect.Waits():
		problem(doc, m.Place("effect"), r.info.ID, "effect: want allow, deny, step_up or defer, got %q", effect)
	case phase == evidence.PhaseIntegrity && effect != evidence.Deny:
		problem(doc, m.Place("effect"), r.info.ID, "effect: rules of phase integrity can only deny")
	case phase == evidence.PhaseAdmit && effect.Waits():
		problem(doc, m.Place("effect"), r.info.ID, "effect: %s is only for phase step", effect)
	}
}

// problem notes what is wrong with a rule at pos, with the line of the file
// and a caret.
func problem(doc *strict.Doc, pos strict.Pos, rule, format string, args ...any) {
	doc.Errorf(pos, "rule %s: %s\n%s", rule, fmt.Sprintf(format, args...), doc.Show(pos))
}
