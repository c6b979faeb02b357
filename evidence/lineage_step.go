package evidence

import "slices"

// IdempotencyKey returns the key that every attempt at a step carries. It
// depends on the request and the step only, so it is the same in every
// attempt and never the same in two executions.
func IdempotencyKey(request Digest, step string) string {
	h := newHash("interlock.run/idempotency/v1")
	h.bytes(request[:])
	h.bytes([]byte(step))
	d := h.sum()
	return d.String()[:32]
}

func (l *Lineage) addDecision(r *Record, d *Decision) error {
	if d.Phase == PhaseAdmit {
		return l.addRefusal(r, d)
	}
	if err := l.belongs(r, d.Grant, d.Binding); err != nil {
		return err
	}
	s := l.steps[d.Step]
	g := l.Grant()
	switch {
	case d.Phase != PhaseStep:
		return ungoverned(r, "phase %.20q", d.Phase)
	case s == nil || d.Action != s.plan.Action || d.Args != ValueDigest(s.plan.Args):
		return ungoverned(r, "step %.60q with this action and these arguments is not in the plan", d.Step)
	case s.decision != nil:
		return ungoverned(r, "step %q was decided before", d.Step)
	case d.Request != l.request.Digest || d.Principal != g.Principal || d.Policy != g.Policy || d.Catalogue != g.Catalogue:
		return ungoverned(r, "its request, principal, policy or catalogue is not the grant's")
	case d.Key != IdempotencyKey(d.Request, d.Step):
		return ungoverned(r, "its idempotency key is not the step's")
	case d.Cause == "" || d.At < l.last:
		return ungoverned(r, "it has no cause, or is older than the record before it")
	case !d.Effect.Allows() && d.Lease != Lease{}:
		return ungoverned(r, "step %q is not allowed, but given a lease", d.Step)
	case !d.Effect.Waits() && (d.Until != 0 || d.Again != 0):
		return ungoverned(r, "step %q is decided, but waits", d.Step)
	}
	return l.addEffect(r, d, s)
}

// addEffect adds what d says of s. Whatever is neither an allow nor a wait
// denies, and that can be said in every state.
func (l *Lineage) addEffect(r *Record, d *Decision, s *lineageStep) error {
	if !d.Effect.Allows() && !d.Effect.Waits() {
		if !d.Sends.IsZero() {
			return ungoverned(r, "step %q is denied, but says what it sends", d.Step)
		}
		s.decision = r
		l.stop("a step was denied")
		return nil
	}
	if err := l.mayGoOn(r, d, s); err != nil {
		return err
	}
	if d.Effect.Waits() {
		if err := l.mayWait(r, d, s); err != nil {
			return err
		}
		s.waitFor(r, d)
	} else {
		if err := l.mayAllow(r, d, s); err != nil {
			return err
		}
		s.decision, l.lease = r, d.Lease
	}
	l.orders = d.Orders
	return nil
}

// mayGoOn reports whether a decision that does not deny can stand here. What
// was approved is what is sent: of a step that waits that cannot change.
func (l *Lineage) mayGoOn(r *Record, d *Decision, s *lineageStep) error {
	does := "is allowed"
	if d.Effect.Waits() {
		does = "waits"
	}
	switch {
	case l.stopped != "":
		return ungoverned(r, "step %q %s although %s", d.Step, does, l.stopped)
	case s.refused != nil:
		return ungoverned(r, "step %q %s although %q refused it", d.Step, does, s.refused.Holder)
	case d.Sends.IsZero():
		return ungoverned(r, "step %q %s, and does not say what it sends", d.Step, does)
	case s.waiting != nil && d.Sends != s.waiting.Predicate.(*Decision).Sends:
		return ungoverned(r, "step %q %s, but sends something else than it waited for", d.Step, does)
	case !d.Orders.follows(l.orders):
		return ungoverned(r, "step %q %s by fewer or other orders than the records before know", d.Step, does)
	}
	for _, need := range s.plan.Needs {
		if o := l.steps[need].outcome; o == nil || o.Status != StatusDone {
			return ungoverned(r, "step %q %s before %q, which it needs, is done", d.Step, does, need)
		}
	}
	return nil
}

// mayAllow reports whether a decision to allow can stand here.
func (l *Lineage) mayAllow(r *Record, d *Decision, s *lineageStep) error {
	g := l.Grant()
	switch {
	case !l.allowedBy(d, s):
		return ungoverned(r, "step %q is allowed, but not by its rules and approvals", d.Step)
	case d.At >= g.Expires:
		return ungoverned(r, "step %q is allowed after the grant expired", d.Step)
	case !d.Lease.renews(l.lease) || !leaseFits(d.Lease, d.At, g.Terms):
		return ungoverned(r, "step %q is allowed without a live lease", d.Step)
	}
	return nil
}

func (l *Lineage) addRefusal(r *Record, d *Decision) error {
	switch {
	case d.Effect.Allows():
		return ungoverned(r, "a request is admitted by a grant, not by a decision")
	case l.count > 1 || (l.count == 1 && l.request == nil):
		return ungoverned(r, "a request is denied before anything else")
	case d.Request != r.Subject.Digest:
		return ungoverned(r, "it denies another request")
	case d.Binding.Workflow != r.Subject.Execution || d.Binding.Run == "":
		return ungoverned(r, "it is not bound to a run of workflow %q", r.Subject.Execution)
	case d.Cause == "" || d.namesStep() || !d.Grant.IsZero() || d.Lease != Lease{} || d.Until != 0 || d.Again != 0 || d.Effect.Waits():
		return ungoverned(r, "it has no cause, or names a step, a grant or a lease, or waits")
	}
	l.refusal, l.bound = d, d.Binding
	l.stop("the request was denied")
	return nil
}

// namesStep reports whether d says anything about a step.
func (d *Decision) namesStep() bool {
	return d.Principal != "" || d.Step != "" || d.Action != "" || !d.Args.IsZero() || !d.Sends.IsZero() || d.Key != ""
}

func (l *Lineage) addOutcome(r *Record, o *Outcome) error {
	s := l.steps[o.Step]
	switch {
	case l.grant == nil:
		return ungoverned(r, "there is no grant")
	case l.halt != nil:
		return ungoverned(r, "it comes after the halt")
	case s == nil || s.decision == nil || s.decision.Digest != o.Decision:
		return ungoverned(r, "step %.60q has an outcome without its decision", o.Step)
	case !s.decision.Predicate.(*Decision).Effect.Allows():
		return ungoverned(r, "step %q has an outcome although it was denied", o.Step)
	case s.outcome != nil:
		return ungoverned(r, "step %q has two outcomes", o.Step)
	case o.Binding != l.bound || o.Action != s.plan.Action:
		return ungoverned(r, "step %q ran as another action or in another run", o.Step)
	case o.Attempt < 1 || o.Started <= 0 || o.At < o.Started:
		return ungoverned(r, "step %q ended before it began", o.Step)
	}
	s.outcome = o
	if o.Status != StatusDone {
		l.stop("step " + o.Step + " was " + string(o.Status))
	}
	switch {
	case o.Status == StatusRefused:
		l.trip("guard." + o.Cause)
	case o.Cause == CauseLapsed, o.Cause == CauseUnfit, o.Cause == CauseCutOff, o.Cause == CauseRevoked, o.Cause == CauseKilled:
		l.trip(o.Cause)
	}
	return nil
}

func (l *Lineage) addSeal(r *Record, s *Seal) error {
	verdict, cause, steps := l.judge(s.Steps)
	switch {
	case l.grant == nil && l.refusal == nil:
		return ungoverned(r, "there is neither a grant nor a denial")
	case s.Request != r.Subject.Digest || s.Grant != l.GrantDigest():
		return ungoverned(r, "it names another request or grant")
	case s.Binding != l.bound:
		return ungoverned(r, "it is bound to another run")
	case s.At < l.last:
		return ungoverned(r, "it is older than the record before it")
	case l.tripped != "" && l.halt == nil:
		return ungoverned(r, "a check failed, but there is no halt")
	case !slices.Equal(s.Steps, steps):
		return ungoverned(r, "it states other ends of steps than the records do")
	case s.Verdict != verdict || s.Cause != cause:
		return ungoverned(r, "its verdict is %s (%s), the records say %s (%s)", s.Verdict, s.Cause, verdict, cause)
	}
	l.seal, l.sealed = s, r.Digest
	return nil
}
