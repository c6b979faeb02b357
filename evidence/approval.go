package evidence

import (
	"fmt"
	"slices"
	"strings"
)

// A Word is what a person says of a step that waits for approval. The zero
// Word and every unknown one is none, and cannot be signed.
type Word string

// The words.
const (
	Approve Word = "approve"
	Refuse  Word = "refuse"
)

// An Approval is a person's word on one step, as it was decided to wait for
// it: this action with exactly these arguments, which send exactly this, under
// this policy. It answers one decision, and none that comes after it; what it
// is worth then, until it expires, is for that decision to say. One refusal is
// enough.
type Approval struct {
	At        Time      `json:"at"`
	Grant     Digest    `json:"grant"`
	Binding   Binding   `json:"binding"`  // of the decision
	Decision  Digest    `json:"decision"` // record digest of the decision that asks
	Step      string    `json:"step"`
	Action    string    `json:"action"`
	Args      Digest    `json:"args"`
	Sends     Digest    `json:"sends"`
	Policy    PolicyRef `json:"policy"`
	Catalogue Digest    `json:"catalogue"`
	Approver  string    `json:"approver"` // name of the signing key in the trust root
	Word      Word      `json:"word"`
	Expires   Time      `json:"expires"` // it counts in no decision from then on
	Note      string    `json:"note,omitempty"`
}

// Kind returns [KindApproval].
func (*Approval) Kind() Kind { return KindApproval }

// When returns the time at which the person signed.
func (a *Approval) When() Time { return a.At }

func (a *Approval) check() error {
	if err := oneOf("word", a.Word, Approve, Refuse); err != nil {
		return err
	}
	switch {
	case a.Decision.IsZero() || a.Step == "" || a.Action == "" || a.Args.IsZero() || a.Sends.IsZero():
		return fmt.Errorf("%w: it does not say what exactly it is about", ErrField)
	case a.Expires <= a.At:
		return fmt.Errorf("%w: it expires at %v, when it is made at %v", ErrField, a.Expires, a.At)
	}
	return checkLine("note", a.Note)
}

// checkLine reports whether text, which people read and which may be empty, is
// one line of at most [MaxNote] bytes.
func checkLine(name, text string) error {
	if len(text) > MaxNote {
		return fmt.Errorf("%w: %s of %d bytes, at most %d", ErrField, name, len(text), MaxNote)
	}
	if strings.ContainsFunc(text, isControl) {
		return fmt.Errorf("%w: %s with control characters: write one line of text", ErrField, name)
	}
	return nil
}

// An Approved is an [Approval] as a [Report] states it.
type Approved struct {
	Step     string `json:"step"`
	Approver string `json:"approver"`
	Holder   string `json:"holder"` // who that is; see [Key.Holder]
	Word     Word   `json:"word"`
	Note     string `json:"note,omitempty"`
	At       Time   `json:"at"`
}

func approved(holder string, a *Approval) Approved {
	return Approved{Step: a.Step, Approver: a.Approver, Holder: holder, Word: a.Word, Note: a.Note, At: a.At}
}

// An Approvals is what has been said of one step, in order, for those who ask
// whether it is enough.
type Approvals []*Record

// Met reports whether ask is fulfilled at the time now: at least ask.Need
// different people out of ask.By approved, none longer than ask.WithinMS ago,
// none of whose approvals has expired, and nobody refused. The requester does
// not count. An ask for nobody is never met.
func (a Approvals) Met(ask *Ask, requester string, now Time) bool {
	if ask == nil || ask.Need < 1 || a.Refused() != nil {
		return false
	}
	return len(a.counted(ask, requester, now)) >= ask.Need
}

// Missing returns how many more people must approve before ask is met: 0 if it
// is, and at least 1 if it is not, even if it can never be.
func (a Approvals) Missing(ask *Ask, requester string, now Time) int {
	switch {
	case a.Met(ask, requester, now):
		return 0
	case ask == nil:
		return 1
	}
	return max(1, ask.Need-len(a.counted(ask, requester, now)))
}

// counted returns the different people whose approvals count.
func (a Approvals) counted(ask *Ask, requester string, now Time) map[string]bool {
	people := map[string]bool{}
	for _, r := range a {
		p, ok := r.Predicate.(*Approval)
		if !ok || p.Word != Approve || r.Holder == "" || r.Holder == requester || !slices.Contains(ask.By, r.Holder) {
			continue
		}
		if p.At <= now && now < p.Expires && int64(now-p.At) <= ask.WithinMS {
			people[r.Holder] = true
		}
	}
	return people
}

// Refused returns the first refusal, or nil.
func (a Approvals) Refused() *Record {
	for _, r := range a {
		if p, ok := r.Predicate.(*Approval); !ok || p.Word != Approve {
			return r
		}
	}
	return nil
}
