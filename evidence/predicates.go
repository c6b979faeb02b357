package evidence

import "encoding/json"

// A Kind names a record. Its predicate type is
// "https://interlock.run/evidence/KIND/v1".
type Kind string

// The kinds of record.
const (
	KindRequest  Kind = "request"
	KindGrant    Kind = "grant"
	KindDecision Kind = "decision"
	KindOutcome  Kind = "outcome"
	KindSignal   Kind = "signal"
	KindHandover Kind = "handover"
	KindTakeover Kind = "takeover"
	KindHalt     Kind = "halt"
	KindSeal     Kind = "seal"

	// KindApproval is the word of a person on a step that waits for it.
	KindApproval Kind = "approval"
	// KindOrder says that executions stop. It is about as many as its scope
	// covers, and stands in the chain of each that it stopped.
	KindOrder Kind = "order"
	// KindRejection says that a message was not believed.
	KindRejection Kind = "rejection"

	// KindResolution is the one kind that comes after the seal.
	KindResolution Kind = "resolution"

	// KindAttestation is no record of a chain: it is kept beside the effect
	// slot of a step that runs, and signals say what it said.
	KindAttestation Kind = "attestation"
)

// A Predicate is what a statement says: a pointer to one of [Request],
// [Grant], [Decision], [Outcome], [Signal], [Handover], [Takeover], [Halt],
// [Seal], [Approval], [Order], [Rejection], [Resolution], [Attestation].
type Predicate interface {
	// Kind returns the kind of record that carries the predicate.
	Kind() Kind
	// When returns the time the predicate states for itself; the signing key
	// must be valid then.
	When() Time
}

// A Request is what a principal asks for, signed with the principal's key.
type Request struct {
	ID        string            `json:"id"`                // also the Temporal workflow id
	Audience  string            `json:"audience"`          // domain of the trust root it is meant for
	Principal string            `json:"principal"`         // name of the signing key in the trust root
	Purpose   string            `json:"purpose"`           // why, for people and rules
	Policy    string            `json:"policy"`            // name of the bundle to be judged by
	Context   map[string]string `json:"context,omitempty"` // facts the principal states, such as a ticket
	Issued    Time              `json:"issued"`
	Expires   Time              `json:"expires"` // no grant from then on, and no step
	Nonce     string            `json:"nonce"`   // 32 hexadecimal digits, never used twice
	Steps     []Step            `json:"steps"`   // the plan
}

// A Step is one use of an action inside an execution.
type Step struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Needs  []string        `json:"needs,omitempty"` // ids of earlier steps that must be done
	Args   json.RawMessage `json:"args"`            // a JSON object
}

// A Position is the place of a record in its chain: how many records come
// before it, and the link of the last of them (none for the first).
type Position struct {
	Seq  uint64 `json:"seq"`
	Prev Digest `json:"prev"`
}

// A Binding ties a statement to one run of one workflow.
type Binding struct {
	Namespace string `json:"namespace"`
	Workflow  string `json:"workflow"`
	Run       string `json:"run"`
	Epoch     uint64 `json:"epoch"`
	Queue     string `json:"queue"` // task queue of the steps
}

// A PolicyRef identifies a policy bundle.
type PolicyRef struct {
	Name    string `json:"name"`
	Version uint64 `json:"version"`
	Digest  Digest `json:"digest"` // [FileDigest] of the bundle's exact bytes
}

// A Lease says how long authority lasts without a new signal.
type Lease struct {
	Number uint64 `json:"number"` // 1 for the grant's, then more with each renewal
	Until  Time   `json:"until"`
	Nonce  string `json:"nonce"` // 32 hexadecimal digits, new in each lease, that attestations answer
}

// Terms are the times an execution is governed by, in milliseconds.
type Terms struct {
	LeaseMS    int64 `json:"leaseMs"`    // length of a lease
	IntervalMS int64 `json:"intervalMs"` // between two measurements
	WindowMS   int64 `json:"windowMs"`   // between two signals in the chain
}

// A RuleResult is one rule that matched, or that could not be evaluated.
type RuleResult struct {
	ID      string `json:"id"`
	Effect  Effect `json:"effect"`
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"` // not empty: the rule denies because it could not be evaluated

	Ask   *Ask   `json:"ask,omitempty"`   // of a rule that says step_up
	Delay *Delay `json:"delay,omitempty"` // of a rule that says defer
}

// An Ask is what a rule asks for that says step_up: the approval of Need
// different people out of By, each given while the step waits, which is
// WithinMS milliseconds at most, and given so long ago at most when the step is
// decided anew.
type Ask struct {
	By       []string `json:"by"` // holders of approvers' keys; see [Key.Holder]
	Need     int      `json:"need"`
	WithinMS int64    `json:"withinMs"`
}

// A Delay is how long a rule waits that says defer, and how often it is asked
// again, in milliseconds.
type Delay struct {
	ForMS   int64 `json:"forMs"`
	EveryMS int64 `json:"everyMs"`
}

// A Probe is one named integrity check. Want and Got are digests or short
// texts; they hold no secrets.
type Probe struct {
	Name   string      `json:"name"`
	Status ProbeStatus `json:"status"`
	Want   string      `json:"want,omitempty"`
	Got    string      `json:"got,omitempty"`
}

// A Grant is the signed authorization artifact of one execution. It exists
// only after policy admitted the request.
type Grant struct {
	Position
	At        Time         `json:"at"`
	Request   Digest       `json:"request"` // record digest of the request
	Principal string       `json:"principal"`
	Binding   Binding      `json:"binding"`
	Policy    PolicyRef    `json:"policy"`
	Catalogue Digest       `json:"catalogue"`
	Rules     []RuleResult `json:"rules"`
	Probes    []Probe      `json:"probes"`
	Terms     Terms        `json:"terms"`
	Lease     Lease        `json:"lease"`
	Expires   Time         `json:"expires"`
	Orders    Position     `json:"orders"` // where the chain of orders ended, as the authority knew it
}

// A Decision is the signed verdict on one step, or, in phase admit and only
// when it is a denial, on the request. A step that waits (effect step_up or
// defer) is decided again: the last decision on it, which allows or denies,
// stands.
type Decision struct {
	Position
	At        Time         `json:"at"`
	Phase     Phase        `json:"phase"`
	Request   Digest       `json:"request"` // digest of the request as it was presented
	Grant     Digest       `json:"grant"`   // none in phase admit
	Binding   Binding      `json:"binding"`
	Principal string       `json:"principal"` // the grant's; none in phase admit
	Step      string       `json:"step,omitempty"`
	Action    string       `json:"action,omitempty"`
	Args      Digest       `json:"args"`  // [ValueDigest] of the arguments; none in phase admit
	Sends     Digest       `json:"sends"` // of exactly what the action sends; none if it is denied
	Effect    Effect       `json:"effect"`
	Cause     string       `json:"cause"`  // stable code, such as "policy.deny"
	Reason    string       `json:"reason"` // one sentence for people
	Rules     []RuleResult `json:"rules"`
	Policy    PolicyRef    `json:"policy"`
	Catalogue Digest       `json:"catalogue"`
	Lease     Lease        `json:"lease"` // zero unless the effect is allow
	Key       string       `json:"key"`   // idempotency key of every attempt
	Until     Time         `json:"until"` // when the wait is over at the latest; none unless the step waits
	Again     Time         `json:"again"` // when a deferred step is decided again
	Orders    Position     `json:"orders"`
}

// An Outcome is the signed end of one step, made by the worker that ran it.
type Outcome struct {
	Decision Digest          `json:"decision"` // record digest of the decision it acted on
	Binding  Binding         `json:"binding"`
	Step     string          `json:"step"`
	Action   string          `json:"action"`
	Worker   string          `json:"worker"` // name of the signing key in the trust root
	Attempt  int32           `json:"attempt"`
	Started  Time            `json:"started"`
	At       Time            `json:"at"`
	Status   Status          `json:"status"`
	Cause    string          `json:"cause,omitempty"`  // stable code; empty when done
	Result   json.RawMessage `json:"result,omitempty"` // JSON; only when done
}

// A Process says what a program is that holds a key.
type Process struct {
	Executable Digest `json:"executable"` // [FileDigest] of the running program
	Build      string `json:"build"`      // its module's version and the revision it was built from, as Go recorded them
	Host       string `json:"host"`
	Roles      string `json:"roles"` // "control", "steps" or "control,steps"
	Started    Time   `json:"started"`
}

// An Attestation is what a step worker signs about itself while a step runs,
// again and again. Attempt, which grows with each attempt but is not Temporal's
// count of them, and Counter order them; Nonce shows that it is not
// older than a lease.
type Attestation struct {
	At       Time    `json:"at"`
	Decision Digest  `json:"decision"` // record digest of the decision it acts on
	Binding  Binding `json:"binding"`
	Step     string  `json:"step"`
	Worker   string  `json:"worker"` // name of the signing key in the trust root
	Attempt  int32   `json:"attempt"`
	Counter  uint64  `json:"counter"` // from 1 in each attempt
	Nonce    string  `json:"nonce"`   // of the newest lease that it knows
	Ended    bool    `json:"ended"`   // the attempt is over, and nothing of it runs
	Process  Process `json:"process"`
	Probes   []Probe `json:"probes"`
}

// An Attested is what a signal says of one attestation.
type Attested struct {
	Step        string  `json:"step"`
	Worker      string  `json:"worker"`
	Attempt     int32   `json:"attempt"`
	Counter     uint64  `json:"counter"`
	Attestation Digest  `json:"attestation"` // its record digest
	Process     Process `json:"process"`
}

// A Signal is a signed integrity statement over one window. It renews the
// lease unless a probe failed.
type Signal struct {
	At       Time    `json:"at"`
	From     Time    `json:"from"` // start of the window
	Grant    Digest  `json:"grant"`
	Binding  Binding `json:"binding"`
	Number   uint64  `json:"number"`   // counts the execution's signals in the chain, from 1
	Measured uint64  `json:"measured"` // how many times the probes were asked in the window
	Probes   []Probe `json:"probes"`   // the last measurement
	Process  Process `json:"process"`  // of the control plane that measured

	// Workers are the step workers whose steps ran at the last measurement and
	// had attested by then.
	Workers []Attested `json:"workers,omitempty"`
	Lease   Lease      `json:"lease"` // zero when a probe failed
	Orders  Position   `json:"orders"`
}

// A Handover ends the part of an execution that one run carried out, so that
// the run that it continues as can take over. No step runs then.
type Handover struct {
	Position
	At      Time    `json:"at"`
	Grant   Digest  `json:"grant"`
	Binding Binding `json:"binding"` // of the run that hands over
	Epoch   uint64  `json:"epoch"`   // of the run that may take over: one more than the binding's
}

// A Takeover binds the rest of an execution to the run that it continued as.
// It is made once for each handover, and measures anew: a lease does not pass
// from one run to another.
type Takeover struct {
	Position
	At       Time    `json:"at"`
	Grant    Digest  `json:"grant"`
	Handover Digest  `json:"handover"` // record digest of the handover
	Binding  Binding `json:"binding"`  // of the run that takes over
	Probes   []Probe `json:"probes"`
	Lease    Lease   `json:"lease"` // zero when a probe failed

	Orders Position `json:"orders"`
}

// A Halt is the signed record of the check that failed.
type Halt struct {
	Position
	At      Time    `json:"at"`
	Grant   Digest  `json:"grant"`
	Binding Binding `json:"binding"`
	Check   string  `json:"check"` // stable code, such as "probe.policy"
	Reason  string  `json:"reason"`
}

// A StepEnd says where one step of the plan stood at the end.
type StepEnd struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	State  State  `json:"state"`
}

// A Seal is the signed end of a chain. Its Position states how many records
// were sealed and the head of their chain.
type Seal struct {
	Position
	At      Time      `json:"at"`
	Request Digest    `json:"request"`
	Grant   Digest    `json:"grant"` // none if there was no grant
	Binding Binding   `json:"binding"`
	Verdict Verdict   `json:"verdict"`
	Cause   string    `json:"cause"` // stable code of what decided the verdict
	Steps   []StepEnd `json:"steps"` // the plan, in its order; empty if the request could not be read
}

// Kind returns [KindRequest].
func (*Request) Kind() Kind { return KindRequest }

// Kind returns [KindGrant].
func (*Grant) Kind() Kind { return KindGrant }

// Kind returns [KindDecision].
func (*Decision) Kind() Kind { return KindDecision }

// Kind returns [KindOutcome].
func (*Outcome) Kind() Kind { return KindOutcome }

// Kind returns [KindSignal].
func (*Signal) Kind() Kind { return KindSignal }

// Kind returns [KindHandover].
func (*Handover) Kind() Kind { return KindHandover }

// Kind returns [KindTakeover].
func (*Takeover) Kind() Kind { return KindTakeover }

// Kind returns [KindHalt].
func (*Halt) Kind() Kind { return KindHalt }

// Kind returns [KindSeal].
func (*Seal) Kind() Kind { return KindSeal }

// Kind returns [KindAttestation].
func (*Attestation) Kind() Kind { return KindAttestation }

// When returns the time of the attestation.
func (a *Attestation) When() Time { return a.At }

// When returns the time of issue.
func (r *Request) When() Time { return r.Issued }

// When returns the time of the grant.
func (g *Grant) When() Time { return g.At }

// When returns the time of the decision.
func (d *Decision) When() Time { return d.At }

// When returns the time at which the step ended.
func (o *Outcome) When() Time { return o.At }

// When returns the end of the window.
func (s *Signal) When() Time { return s.At }

// When returns the time of the handover.
func (h *Handover) When() Time { return h.At }

// When returns the time of the takeover.
func (t *Takeover) When() Time { return t.At }

// When returns the time of the halt.
func (h *Halt) When() Time { return h.At }

// When returns the time of the seal.
func (s *Seal) When() Time { return s.At }
