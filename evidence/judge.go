package evidence

// The causes of verdicts that no single record names.
const (
	CauseCompleted = "completed"
	CauseCancelled = "cancelled"
	CauseNoOutcome = "step.no_outcome"
)

// The causes of outcomes whose steps the guard ended while they ran, because a
// check failed: a halt follows.
const (
	// CauseLapsed means that the lease ended.
	CauseLapsed = "lease.lapsed"
	// CauseUnfit means that a probe of the step worker itself failed.
	CauseUnfit = "worker.unfit"
	// CauseRevoked means that an order stopped this execution.
	CauseRevoked = "order.revoked"
	// CauseKilled means that an order stopped many executions, this one among
	// them.
	CauseKilled = "order.killed"
	// CauseCutOff means that the step worker did not reach Temporal for too
	// long to know whether the step was still wanted.
	CauseCutOff = "worker.cut_off"
)

// Judge returns the verdict, its cause and the ends of the steps that the
// records so far amount to. Only one thing cannot be read from the records:
// whether a step that was allowed and has no outcome ever began. Began says
// so for each such step; a step that began is unresolved.
func (l *Lineage) Judge(began func(step string) bool) (Verdict, string, []StepEnd) {
	var claims []StepEnd
	for id, s := range l.steps {
		if s.decision != nil && s.outcome == nil && began(id) {
			claims = append(claims, StepEnd{ID: id, State: StateUnresolved})
		}
	}
	return l.judge(claims)
}

// judge is Judge with the claims of a seal.
func (l *Lineage) judge(claims []StepEnd) (Verdict, string, []StepEnd) {
	claimed := make(map[string]State, len(claims))
	for _, c := range claims {
		claimed[c.ID] = c.State
	}
	ends := []StepEnd{}
	causes := map[Verdict]string{}
	if req := l.Request(); req != nil {
		for _, p := range req.Steps {
			state, verdict, cause := l.steps[p.ID].end(claimed[p.ID])
			ends = append(ends, StepEnd{ID: p.ID, Action: p.Action, State: state})
			if _, ok := causes[verdict]; !ok {
				causes[verdict] = cause
			}
		}
	}
	if l.refusal != nil {
		causes[Denied] = l.refusal.Cause
	}
	if l.halt != nil {
		causes[Halted] = l.halt.Check
	}
	verdict, cause := strongest(causes)
	return verdict, cause, ends
}

// strongest picks the verdict that stands. An execution is completed only if
// nothing else can be said of it.
func strongest(causes map[Verdict]string) (Verdict, string) {
	for _, v := range []Verdict{Unresolved, Halted, Denied, Failed, Cancelled, Completed} {
		if cause, ok := causes[v]; ok {
			return v, cause
		}
	}
	return Cancelled, CauseCancelled
}

// end returns where a step stands and what that alone makes of the execution.
func (s *lineageStep) end(claim State) (State, Verdict, string) {
	switch {
	case s.decision == nil:
		return StateNotStarted, Cancelled, CauseCancelled
	case s.outcome != nil:
		return outcomeEnd(s.outcome)
	}
	d := s.decision.Predicate.(*Decision)
	switch {
	case !d.Effect.Allows():
		return StateDenied, Denied, d.Cause
	case claim == StateUnresolved:
		return StateUnresolved, Unresolved, CauseNoOutcome
	}
	return StateNotStarted, Cancelled, CauseCancelled
}

func outcomeEnd(o *Outcome) (State, Verdict, string) {
	switch o.Status {
	case StatusDone:
		return StateDone, Completed, CauseCompleted
	case StatusFailed:
		return StateFailed, Failed, o.Cause
	case StatusCancelled:
		return StateCancelled, Cancelled, CauseCancelled
	case StatusRefused:
		return StateRefused, Cancelled, CauseCancelled
	}
	return StateUnresolved, Unresolved, o.Cause
}
