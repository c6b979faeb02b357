package evidence

// An Effect is what a rule, a grant or a decision says. The zero Effect and
// every unknown one deny.
type Effect string

// The effects.
const (
	Deny  Effect = "deny"
	Allow Effect = "allow"
	// StepUp means: not before people have approved. It lets nothing happen
	// by itself.
	StepUp Effect = "step_up"
	// Defer means: not yet; ask again. It lets nothing happen by itself.
	Defer Effect = "defer"
)

// Allows reports whether e is [Allow]. Everything else denies.
func (e Effect) Allows() bool { return e == Allow }

// Waits reports whether e is an effect that another decision on the same step
// must follow.
func (e Effect) Waits() bool { return e == StepUp || e == Defer }

// A Phase says when policy is asked.
type Phase string

// The phases: before an execution, before each step, and at each integrity
// measurement.
const (
	PhaseAdmit     Phase = "admit"
	PhaseStep      Phase = "step"
	PhaseIntegrity Phase = "integrity"
)

// A Status says how one step ended, in the words of the worker that ran it.
type Status string

// The statuses of an [Outcome].
const (
	// StatusDone means the action answered, and its answer is the result.
	StatusDone Status = "done"
	// StatusFailed means the action failed in the ordinary way, to the end.
	StatusFailed Status = "failed"
	// StatusCancelled means the guard ended the step while it ran, and it had
	// no effect: the action only reads, or the executor says so. That an action
	// is idempotent is no reason: nobody repeats it after the execution.
	StatusCancelled Status = "cancelled"
	// StatusRefused means the guard did not let the step begin.
	StatusRefused Status = "refused"
	// StatusUnknown means the effect may or may not have happened.
	StatusUnknown Status = "unknown"
)

// A State says where a step of the plan stood when the execution was sealed.
type State string

// The states of a step in a [Seal].
const (
	StateDone       State = "done"
	StateFailed     State = "failed"
	StateCancelled  State = "cancelled"
	StateRefused    State = "refused"
	StateDenied     State = "denied"
	StateNotStarted State = "not_started"
	// StateUnresolved means the effect may or may not have happened: the
	// worker said so, or it took the effect slot and never answered.
	StateUnresolved State = "unresolved"
)

// A Verdict is the final word on an execution. The zero Verdict is none of
// them and must be treated as a refusal.
type Verdict string

// The verdicts, the strongest first: where two apply, the earlier one stands.
const (
	Unresolved Verdict = "unresolved"
	Halted     Verdict = "halted"
	Denied     Verdict = "denied"
	Failed     Verdict = "failed"
	Cancelled  Verdict = "cancelled"
	Completed  Verdict = "completed"
)

// A ProbeStatus is the result of one integrity probe. Whatever is not
// [ProbeOK] is a failure.
type ProbeStatus string

// The probe statuses.
const (
	ProbeOK         ProbeStatus = "ok"
	ProbeBad        ProbeStatus = "bad"
	ProbeUnanswered ProbeStatus = "unanswered"
)
