// Package contract holds the names and types that cross the wire between those
// who start governed executions, the workflow, and its activities. They are
// interface: a name that has been released is never changed.
package contract

import (
	"github.com/interlock-run/interlock/evidence"
)

// The wire names of the workflow and its queries.
const (
	// Workflow takes one [evidence.Envelope], the signed request, and returns
	// a [Receipt]. A run that continues an earlier one is handed a [Handover]
	// besides.
	Workflow = "GovernedExecution"
	// QueryProof answers with the records so far, a []evidence.Envelope.
	QueryProof = "proof"
	// QueryProgress answers with a [Progress].
	QueryProgress = "progress"
)

// The names of the activities.
const (
	Authorize = "Authorize"
	Deny      = "Deny"
	TakeOver  = "TakeOver"
	Decide    = "Decide"
	RunStep   = "RunStep"
	Watch     = "Watch"
	Seal      = "Seal"
)

// HeaderDecision is the Temporal header in which the decision comes to an
// activity of a team's own: a [RunInput], as JSON. The guard believes this
// header, once it is verified, and nothing of the activity's input.
const HeaderDecision = "interlock-decision"

// The search attributes, all of type Keyword.
const (
	AttributeVerdict   = "InterlockVerdict"
	AttributePrincipal = "InterlockPrincipal"
	AttributePolicy    = "InterlockPolicy"
	AttributeHaltCause = "InterlockHaltCause"
)

// ExtraAttempts is how many more attempts Temporal may make at a step than the
// catalogue allows: those that a dying worker lost, and those that stopped
// with their lease. The guard does not let a lost attempt act twice.
const ExtraAttempts = 5

// ErrTypeUnsealed is the type of the error with which an execution ends that
// has no seal. There is no proof: treat it as refused, and look.
const ErrTypeUnsealed = "interlock.Unsealed"

// ErrorType returns the type of the application error with which the workflow
// ends for a verdict; its details hold a [Receipt]. An unknown verdict has the
// type of an execution without a seal.
func ErrorType(v evidence.Verdict) string {
	switch v {
	case evidence.Denied:
		return "interlock.Denied"
	case evidence.Halted:
		return "interlock.Halted"
	case evidence.Failed:
		return "interlock.Failed"
	case evidence.Unresolved:
		return "interlock.Unresolved"
	case evidence.Cancelled:
		return "interlock.Cancelled"
	}
	return ErrTypeUnsealed
}

// A Receipt is what an execution ends with. Only Seal can be believed, and
// only after its signature was checked: the other fields repeat it for people.
type Receipt struct {
	Execution string            `json:"execution"`
	Run       string            `json:"run"`
	Request   evidence.Digest   `json:"request"`
	Verdict   evidence.Verdict  `json:"verdict"`
	Cause     string            `json:"cause"`
	Records   uint64            `json:"records"` // the seal included
	Head      evidence.Digest   `json:"head"`    // link of the seal
	Seal      evidence.Envelope `json:"seal"`
}

// A StepState says where a step stands in a running execution.
type StepState string

// The states of a step of a running execution.
const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepEnded   StepState = "ended"
)

// StepProgress is where one step stands.
type StepProgress struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	State  StepState       `json:"state"`
	Status evidence.Status `json:"status,omitempty"` // once ended
	Wait   *Wait           `json:"wait,omitempty"`   // while it waits to be decided again
}

// Progress is what the progress query answers with. It is for people; a
// verdict is only in a [Receipt].
type Progress struct {
	Execution string           `json:"execution"`
	Phase     string           `json:"phase"` // authorizing, running, continuing, stopping, sealing, sealed
	Records   uint64           `json:"records"`
	Signals   int              `json:"signals"`
	Verdict   evidence.Verdict `json:"verdict,omitempty"`
	Cause     string           `json:"cause,omitempty"`
	Waiting   string           `json:"waiting,omitempty"` // for whom nothing goes on: [WaitingStore]
	Steps     []StepProgress   `json:"steps"`
	Rejected  int              `json:"rejected,omitempty"` // messages that were not believed
}

// WaitingStore is what an execution waits for that the evidence store does not
// answer.
const WaitingStore = "the evidence store"

// An Outage is how long the workflow is to be patient with an evidence store
// that does not answer, from when it first did not.
type Outage struct {
	PatienceMS int64 `json:"patienceMs"`
}

// An Entry is one record as it travels between an activity and the workflow.
// The envelope is left out where the receiver has it already.
type Entry struct {
	Digest   evidence.Digest    `json:"digest"`
	Envelope *evidence.Envelope `json:"envelope,omitempty"`
}

// A Cause says why an execution is stopped. The zero Cause is none.
type Cause struct {
	Check  string `json:"check,omitempty"` // stable code, such as "probe.policy"
	Reason string `json:"reason,omitempty"`
}

// A PlannedStep is what the workflow must know of a step.
type PlannedStep struct {
	ID          string   `json:"id"`
	Action      string   `json:"action"`
	Activity    string   `json:"activity,omitempty"` // type of the team's activity; RunStep if empty
	Needs       []string `json:"needs,omitempty"`
	Args        []byte   `json:"args"` // exactly the signed bytes; as JSON, encoders on the way would escape them anew
	TimeoutMS   int64    `json:"timeoutMs"`
	HeartbeatMS int64    `json:"heartbeatMs"`
	BackoffMS   int64    `json:"backoffMs"`
	Attempts    int32    `json:"attempts"`

	// Status is how the step ended in an earlier run; empty for one that has
	// not begun.
	Status evidence.Status `json:"status,omitempty"`
}

// A Ticket is what the workflow must know of an admitted execution.
type Ticket struct {
	Steps            []PlannedStep    `json:"steps"`
	Principal        string           `json:"principal"`
	Policy           string           `json:"policy"`
	Queue            string           `json:"queue"`
	Terms            evidence.Terms   `json:"terms"`
	Expires          evidence.Time    `json:"expires"`
	SearchAttributes bool             `json:"searchAttributes"` // whether the server knows ours
	Grant            evidence.Digest  `json:"grant"`
	Binding          evidence.Binding `json:"binding"`
	Signals          uint64           `json:"signals"`   // in the chain so far
	MaxEvents        int              `json:"maxEvents"` // of a history; then the execution continues as new
	HardLimit        int              `json:"hardLimit"` // of a history; then it halts
	MaxBytes         int              `json:"maxBytes"`  // like MaxEvents; 0 is no limit
	HardBytes        int              `json:"hardBytes"` // like HardLimit; 0 is no limit
	OutageMS         int64            `json:"outageMs"`  // how long to wait for the evidence store
}

// A Handover is what a run leaves to the one that it continues as. It is a
// hint where to look: what was really handed over is in the evidence store.
type Handover struct {
	Run       string            `json:"run"`       // that hands over
	Head      evidence.Position `json:"head"`      // after the handover
	Handover  evidence.Digest   `json:"handover"`  // record digest
	Cancelled bool              `json:"cancelled"` // somebody asked to stop, which Temporal does not pass on
}

// TakeOverInput is what TakeOver is asked with.
type TakeOverInput struct {
	Request  evidence.Envelope `json:"request"`
	Handover Handover          `json:"handover"`
}

// An Admission is what Authorize returns. Without a ticket nothing may run.
type Admission struct {
	Entries []Entry `json:"entries"`
	Ticket  *Ticket `json:"ticket,omitempty"`
	Cause   Cause   `json:"cause"`
}

// DecideInput is what Decide is asked with: where the workflow's chain ends,
// records it received since, and the steps that may begin if they are allowed.
type DecideInput struct {
	Head  evidence.Position   `json:"head"`
	Fresh []evidence.Envelope `json:"fresh,omitempty"`
	Steps []string            `json:"steps,omitempty"`

	// Messages are what others have sent, as it came.
	Messages []Message `json:"messages,omitempty"`

	// HandOver asks for the end of this run's part instead of a decision.
	HandOver bool `json:"handOver,omitempty"`
}

// A Work order is one step that was allowed, and the record of the decision,
// which is among the entries or known already.
type Work struct {
	Step     string          `json:"step"`
	Decision evidence.Digest `json:"decision"`
}

// DecideOutput is what Decide returns: the records that follow Head, and the
// steps that may begin. If Stop is not empty the execution must stop; if Lapsed
// is true the lease must be renewed before the steps are asked for again.
type DecideOutput struct {
	Entries []Entry `json:"entries,omitempty"`
	Allowed []Work  `json:"allowed,omitempty"`
	Stop    Cause   `json:"stop"`
	Halt    bool    `json:"halt,omitempty"` // the stop is a failed check, to be recorded as a halt
	Lapsed  bool    `json:"lapsed,omitempty"`
	Waiting []Wait  `json:"waiting,omitempty"` // steps that were asked for and are to be asked for again
	Heard   []Heard `json:"heard,omitempty"`   // what became of the messages, in their order

	// Handover is the record digest of the handover that was asked for.
	Handover evidence.Digest `json:"handover"`
}

// RunInput is what RunStep is asked with, and, in a header, an activity of a
// team's own.
type RunInput struct {
	Decision evidence.Envelope `json:"decision"`
	Args     []byte            `json:"args"` // exactly the decided bytes
}

// RunOutput is the end of a step. Status repeats the outcome's, unsigned, for
// scheduling; it allows nothing.
type RunOutput struct {
	Outcome evidence.Envelope `json:"outcome"`
	Status  evidence.Status   `json:"status"`
}

// WatchInput is what Watch is asked with.
type WatchInput struct {
	Head    evidence.Position `json:"head"`
	Number  uint64            `json:"number"` // of the signal it will make
	Binding evidence.Binding  `json:"binding"`
}

// WatchOutput is the signal at the end of a window. If Halt is not empty a
// check failed.
type WatchOutput struct {
	Signal *evidence.Envelope `json:"signal,omitempty"`
	Halt   Cause              `json:"halt"`
}

// SealInput is what Seal is asked with. All, and with it the request as it was
// presented, is sent only when the store did not answer before: then the seal
// is made from these records.
type SealInput struct {
	Head  evidence.Position   `json:"head"`
	Fresh []evidence.Envelope `json:"fresh,omitempty"`
	Halt  Cause               `json:"halt"`
	All   []evidence.Envelope `json:"all,omitempty"`

	Request *evidence.Envelope `json:"request,omitempty"`
}

// SealOutput is what Seal returns: the records that follow Head, the seal
// last, and what it says.
type SealOutput struct {
	Entries []Entry          `json:"entries"`
	Request evidence.Digest  `json:"request"`
	Run     string           `json:"run"`
	Verdict evidence.Verdict `json:"verdict"`
	Cause   string           `json:"cause"`

	// Anew says that the entries are a chain of their own: the one that the
	// workflow knows belongs to another run.
	Anew bool `json:"anew,omitempty"`
}

// The types of the application errors of activities.
const (
	// ErrTypeRefused means that the guard did not let a step begin; the
	// details hold a [Cause].
	ErrTypeRefused = "interlock.Refused"
	// ErrTypeUntold means that an order is in force, and that an execution takes
	// no signals by which it could be told at once.
	ErrTypeUntold = "interlock.Untold"
	// ErrTypeStore means that the evidence store did not answer. The details
	// hold an [Outage] where the workflow is to be patient.
	ErrTypeStore = "interlock.StoreUnavailable"
	// ErrTypeAttempt means that one attempt failed and another may be made.
	ErrTypeAttempt = "interlock.AttemptFailed"
)
