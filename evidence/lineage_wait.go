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
	case l.stopped != "":
		return ungoverned(r, "step %q waits although %s", d.Step, l.stopped)
	case d.Sends.IsZero():
		return ungoverned(r, "step %q waits, and does not say what it would send", d.Step)
	case d.Until <= d.At || d.Until > l.Grant().Expires || again && d.Until > limit:
		return ungoverned(r, "step %q waits for too long, or not at all", d.Step)
	case (d.Effect == Defer) != (d.Again != 0) || d.Again != 0 && (d.Again <= d.At || d.Again > d.Until):
		return ungoverned(r, "step %q is asked for again at no time within its wait", d.Step)
	case !rulesWait(d.Rules, d.Effect):
		return ungoverned(r, "step %q waits, but not by its rules", d.Step)
	}
	return l.needsMet(r, d, s)
}

// rulesWait reports whether a rule has the effect, completely, and none denies
// or failed.
func rulesWait(rules []RuleResult, effect Effect) bool {
	waits := false
	for _, r := range rules {
		if r.Error != "" || !r.Effect.Allows() && !r.Effect.Waits() {
			return false
		}
		waits = waits || r.Effect == effect && r.complete()
	}
	return waits
}

// complete reports whether r says what its effect needs.
func (r *RuleResult) complete() bool {
	switch r.Effect {
	case StepUp:
		return r.Ask != nil && r.Ask.Need >= 1 && r.Ask.WithinMS >= 1 && len(r.Ask.By) >= r.Ask.Need
	case Defer:
		return r.Delay != nil && r.Delay.ForMS >= 1 && r.Delay.EveryMS >= 1
	}
	return true
}

// Granted reports whether one rule of a decision made at the time now lets its
// step happen: it allows, or the approvals that it asks for are there. What
// asks for a delay, denies or failed does not.
func (r *RuleResult) Granted(said Approvals, requester string, now Time) bool {
	switch {
	case r.Error != "":
		return false
	case r.Effect == StepUp:
		return r.complete() && said.Met(r.Ask, requester, now)
	}
	return r.Effect.Allows()
}

// allowedBy reports whether the rules of d, with the approvals so far, allow:
// there is at least one, and each lets the step happen.
func (s *lineageStep) allowedBy(d *Decision) bool {
	for i := range d.Rules {
		if !d.Rules[i].Granted(s.said, s.requester, d.At) {
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
	case l.halt != nil || l.stopped != "":
		return ungoverned(r, "the execution is stopped")
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
	case r.Holder == "" || r.Holder == l.request.Holder:
		return ungoverned(r, "whoever asked for the execution cannot say this")
	case !asked(d, r.Holder):
		return ungoverned(r, "%.60q was not asked", r.Holder)
	case s.refused != nil || a.Word == Approve && s.spoke(r.Holder, s.waiting.Digest):
		return ungoverned(r, "%.60q, or somebody who refused, has spoken before", r.Holder)
	}
	s.said = append(s.said, r)
	s.refused = s.said.Refused()
	return nil
}

// asked reports whether a rule of d asks the holder of a key.
func asked(d *Decision, holder string) bool {
	return slices.ContainsFunc(d.Rules, func(r RuleResult) bool {
		return r.Effect == StepUp && r.Ask != nil && slices.Contains(r.Ask.By, holder)
	})
}

// spoke reports whether holder has answered the decision already.
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
