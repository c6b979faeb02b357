package contract

import "github.com/interlock-run/interlock/evidence"

// MessageName is the name of the one Temporal Update, and of the one Signal,
// that a governed execution listens to. Both carry an [evidence.Envelope] as
// JSON: an approval, or an order that stops the execution. An Update answers
// with a [Heard] once the message is evidence, or is not; a Signal does the
// same and tells nobody.
//
// Anybody who may write to the namespace can send anything. What counts is the
// signature, which the control plane checks; a message that is not believed
// changes nothing, is recorded as a rejection, and counted.
const MessageName = "interlock-message"

// MaxMessage is the longest message, in bytes, that is looked into.
const MaxMessage = 64 << 10

// A Message is what came, unverified.
type Message struct {
	Digest evidence.Digest `json:"digest"`         // [evidence.FileDigest] of all of it
	Data   []byte          `json:"data,omitempty"` // left out if it is longer than [MaxMessage]
}

// Heard is what became of a message.
type Heard struct {
	Counted bool   `json:"counted"`        // it is in the evidence, now or since an earlier time
	Step    string `json:"step,omitempty"` // that it is about
	Cause   Cause  `json:"cause"`          // why it does not count
	Missing int    `json:"missing"`        // how many more approvals the step needs
}

// CheckOther is the check of an order that is good, and about other executions.
// Those who spread it tell everyone.
const CheckOther = "order.other"

// Refused reports whether a message was not believed. One that is not about
// this execution is no such, nor one that is to be sent again.
func (h Heard) Refused() bool {
	return !h.Counted && h.Cause.Check != CheckOther && h.Cause.Check != CauseContinues
}

// Again is the answer to a message that came while the execution was passing
// from one run to the next.
func Again() Heard {
	return Heard{Cause: Cause{Check: CauseContinues, Reason: "the execution continues as another run: send it again"}}
}

// A Wait says why a step is not decided for good yet. It is for people and for
// scheduling; what is signed is the decision.
type Wait struct {
	Step     string          `json:"step"`
	Effect   evidence.Effect `json:"effect"`           // step_up or defer
	Decision evidence.Digest `json:"decision"`         // record digest of the decision to wait
	At       evidence.Time   `json:"at"`               // when it is decided again, if nothing happens before
	Until    evidence.Time   `json:"until"`            // when the wait is over
	By       []string        `json:"by,omitempty"`     // who may approve
	Missing  int             `json:"missing"`          // how many approvals are missing
	Reason   string          `json:"reason,omitempty"` // the decision's
}

// CauseOver is the cause of a message that came when nothing could be said any
// more: the execution was not admitted, is being stopped, or has ended.
const CauseOver = "execution.over"

// CauseContinues is the cause of a message that came while the execution was
// passing from one run to the next: send it again.
const CauseContinues = "execution.continues"
