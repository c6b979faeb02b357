package evidence

import "slices"

// A wait is what the records say of a step that was not allowed yet: a step
// that needs approval, or one that is asked for again later.
type wait struct {
	waiting *Record         // the newest decision to wait
	limits  map[Effect]Time // when a wait of each kind is over, by the first decision of that kind
	said    Approvals
	refused *Record
}

func (w *wait) waitFor(r *Record, d *Decision) {
	if w.limits == nil {
		w.limits = map[Effect]Time{}
	}
	if _, ok := w.limits[d.Effect]; !ok {
		w.limits[d.Effect] = d.Until
	}
	w.waiting = r
}

// mayWait reports whether a decision to wait can stand here. Deciding anew
// does not make a wait longer.
func (l *Lineage) mayWait(r *Record, d *Decision, s *lineageStep) error {
	limit, again := s.limits[d.Effect]
	switch {
	case d.Until <= d.At || d.Until > l.Grant().Expires || again && d.Until > limit:
		return ungoverned(r, "step %q waits for too long, or not at all", d.Step)
	case (d.Effect == Defer) != (d.Again != 0) || d.Again != 0 && (d.Again <= d.At || d.Again > d.Until):
		return ungoverned(r, "step %q is asked for again at no time within its wait", d.Step)
	case int64(d.Until-d.At) > rulesWait(d.Rules, d.Effect):
		return ungoverned(r, "step %q waits, but not by its rules, or for longer than they say", d.Step)
	}
	return nil
}

// rulesWait returns for how many milliseconds rules wait that have the effect,
// by the one that waits longest; 0 if there is none, or one denies, failed or
// does not say all that its effect needs.
func rulesWait(rules []RuleResult, effect Effect) int64 {
	var longest int64
	for i := range rules {
		r := &rules[i]
		switch {
		case r.Error != "" || !r.complete() || !r.Effect.Allows() && !r.Effect.Waits():
			return 0
		case r.Effect != effect:
		case effect == StepUp:
			longest = max(longest, r.Ask.WithinMS)
		default:
			longest = max(longest, r.Delay.ForMS)
		}
	}
	return longest
}

// complete reports whether r says what its effect needs, and nothing that is
// for another.
func (r *RuleResult) complete() bool {
	if (r.Ask != nil) != (r.Effect == StepUp) || (r.Delay != nil) != (r.Effect == Defer) {
		return false
	}
	switch r.Effect {
	case StepUp:
		return r.Ask.WithinMS >= 1 && r.Ask.Need >= 1 && r.Ask.people() >= r.Ask.Need
	case Defer:
		return r.Delay.ForMS >= 1 && r.Delay.EveryMS >= 1
	}
	return true
}

// people returns how many different people are asked.
func (a *Ask) people() int {
	names := map[string]bool{}
	for _, name := range a.By {
		if name != "" {
			names[name] = true
		}
	}
	return len(names)
}

// Granted reports whether one rule of a decision made at the time now lets its
// step happen: it allows, or the approvals that it asks for are there. What
// asks for a delay, denies or failed does not.
func (r *RuleResult) Granted(said Approvals, requester string, now Time) bool {
	switch {
	case r.Error != "" || !r.complete():
		return false
	case r.Effect == StepUp:
		return said.Met(r.Ask, requester, now)
	}
	return r.Effect.Allows()
}

// allowedBy reports whether the rules of d, with the approvals so far, allow s:
// there is at least one, and each lets the step happen. A lineage that was not
// verified cannot know whether enough different people approved.
func (l *Lineage) allowedBy(d *Decision, s *lineageStep) bool {
	for i := range d.Rules {
		r := &d.Rules[i]
		unknown := l.unverified && r.Effect == StepUp && r.Error == ""
		if !unknown && !r.Granted(s.said, l.request.Holder, d.At) {
			return false
		}
	}
	return len(d.Rules) > 0
}

func (l *Lineage) addApproval(r *Record, a *Approval) error {
	s := l.steps[a.Step]
	switch {
	case l.grant == nil:
		return ungoverned(r, "there is no grant")
	case l.stopped != "": // by a halt, too
		return ungoverned(r, "the execution is stopped: %s", l.stopped)
	case s == nil || s.waiting == nil || s.decision != nil:
		return ungoverned(r, "step %.60q does not wait for approval", a.Step)
	}
	d := s.waiting.Predicate.(*Decision)
	switch {
	case d.Effect != StepUp || a.Decision != s.waiting.Digest:
		return ungoverned(r, "it does not answer the newest decision on step %q", a.Step)
	case a.Grant != d.Grant || a.Binding != d.Binding || a.Policy != d.Policy || a.Catalogue != d.Catalogue:
		return ungoverned(r, "its grant, run, policy or catalogue is not the decision's")
	case a.Action != d.Action || a.Args != d.Args || a.Sends != d.Sends:
		return ungoverned(r, "it is about another action, other arguments or other bytes than step %q", a.Step)
	case a.At < d.At || a.At >= d.Until:
		return ungoverned(r, "it was not made while step %q waited", a.Step)
	case l.last >= d.Until:
		return ungoverned(r, "it came when the wait of step %q was over", a.Step)
	case s.refused != nil:
		return ungoverned(r, "step %q was refused before", a.Step)
	}
	if err := l.mayAnswer(r, d, s); err != nil {
		return err
	}
	s.said = append(s.said, r)
	s.refused = s.said.Refused()
	return nil
}

// mayAnswer reports whether the person whose key signed r, an approval, may
// answer d. A lineage that was not verified does not know who that is.
func (l *Lineage) mayAnswer(r *Record, d *Decision, s *lineageStep) error {
	switch {
	case l.unverified:
	case r.Holder == "" || r.Holder == l.request.Holder:
		return ungoverned(r, "whoever asked for the execution cannot say this")
	case !asked(d, r.Holder):
		return ungoverned(r, "%.60q was not asked", r.Holder)
	case r.Predicate.(*Approval).Word == Approve && s.spoke(r.Holder, s.waiting.Digest):
		return ungoverned(r, "%.60q has approved before", r.Holder)
	}
	return nil
}

// asked reports whether a rule of d asks the holder of a key.
func asked(d *Decision, holder string) bool {
	return slices.ContainsFunc(d.Rules, func(r RuleResult) bool {
		return r.Effect == StepUp && r.Ask != nil && slices.Contains(r.Ask.By, holder)
	})
}

// spoke reports whether holder has answered the decision already. Whoever has
// approved may still refuse.
func (w *wait) spoke(holder string, decision Digest) bool {
	return slices.ContainsFunc(w.said, func(r *Record) bool {
		return r.Holder == holder && r.Predicate.(*Approval).Decision == decision
	})
}

// Waiting returns the decision by which a step waits, and its record; nils if
// the step does not wait.
func (l *Lineage) Waiting(step string) (*Decision, *Record) {
	s := l.steps[step]
	if s == nil || s.decision != nil || s.waiting == nil {
		return nil, nil
	}
	return s.waiting.Predicate.(*Decision), s.waiting
}

// Limit returns when waits of the given kind are over for a step, by the first
// decision of that kind; 0 if there was none.
func (l *Lineage) Limit(step string, effect Effect) Time {
	if s := l.steps[step]; s != nil {
		return s.limits[effect]
	}
	return 0
}

// Said returns what people have said of a step, in order.
func (l *Lineage) Said(step string) Approvals {
	if s := l.steps[step]; s != nil {
		return s.said
	}
	return nil
}

// Requester returns whose key signed the request, or "" if there is none.
func (l *Lineage) Requester() string {
	if l.request == nil {
		return ""
	}
	return l.request.Holder
}
