package rig

import (
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// effectOf is the kind of effect that an action has; a read has none.
var effectOf = map[string]string{
	"orders.lookup": "",
	"orders.refund": "refund",
	"orders.notify": "notify",
	"orders.letter": "letter",
}

// Compare holds the books of the outside world against the evidence, and
// returns every contradiction:
//
//   - the world was called for a step only if a decision allows that step;
//   - each effect is that of the step's action, and happened once;
//   - each effect has an outcome that says done, or the seal says that the
//     step is unresolved;
//   - each outcome that says done has its effect, and a read its answer;
//   - nothing arrived after the seal, but for a step that it calls unresolved.
func Compare(f Facts, b Books) []string {
	var wrong []string
	blame := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, c := range b.Calls {
		s := f.byKey(c.Key)
		switch {
		case s == nil:
			blame("no decision allows the call %s", c.What)
		case c.At.After(f.Sealed) && s.State != evidence.StateUnresolved:
			blame("the call %s arrived %v after the seal", c.What, c.At.Sub(f.Sealed))
		}
	}
	happened := map[string]int{}
	for _, e := range b.Effects {
		happened[e.Key]++
		s := f.byKey(e.Key)
		switch {
		case s == nil:
			blame("no decision allows the %s", e.Kind)
		case effectOf[s.Action] != e.Kind:
			blame("the effect of step %s (%s) is a %s", s.ID, s.Action, e.Kind)
		case happened[e.Key] > 1:
			blame("the %s of step %s happened %d times", e.Kind, s.ID, happened[e.Key])
		case s.State == evidence.StateUnresolved: // the seal says that it does not know
		case s.Outcome != evidence.StatusDone || s.State != evidence.StateDone:
			blame("silent gap: the %s of step %s happened, its outcome is %q and the seal says %q", e.Kind, s.ID, s.Outcome, s.State)
		}
	}
	for _, s := range f.Steps {
		switch {
		case s.Outcome != evidence.StatusDone:
		case effectOf[s.Action] == "" && !b.answered(s.Key):
			blame("step %s is done, and the desk answered no such call", s.ID)
		case effectOf[s.Action] != "" && happened[s.Key] == 0:
			blame("step %s is done, and its %s did not happen", s.ID, effectOf[s.Action])
		}
	}
	return wrong
}

func (f *Facts) byKey(key string) *StepFacts {
	for i := range f.Steps {
		if key != "" && f.Steps[i].Key == key {
			return &f.Steps[i]
		}
	}
	return nil
}

func (b *Books) answered(key string) bool {
	for _, c := range b.Calls {
		if c.Key == key && c.Status == 200 {
			return true
		}
	}
	return false
}
