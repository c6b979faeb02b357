package starter

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// A Waiting is a step that waits: for people who must approve it, or, deferred,
// for its time to come. All of it stands in records that the trust root
// believes: the request, which its principal signed, and the newest decision
// on the step, which the authority signed.
//
// [Starter.Pending] and [Starter.PendingOf] make it. What is signed by
// [Starter.Approve] is what its fields say.
type Waiting struct {
	Namespace string `json:"namespace"` // of Temporal, that the execution is bound to
	Execution string `json:"execution"`
	Run       string `json:"run"`
	Step      string `json:"step"`

	// What would be done: this action with exactly these arguments, the bytes
	// of the signed request. Sends is the digest of what would leave the
	// worker.
	Action string          `json:"action"`
	Args   json.RawMessage `json:"args"`
	Sends  evidence.Digest `json:"sends"`

	// Why, in the words of whoever asked for the execution.
	Purpose   string            `json:"purpose"`
	Context   map[string]string `json:"context,omitempty"`
	Principal string            `json:"principal"` // name of the key
	Requester string            `json:"requester"` // whose key it is; can approve nothing here

	// Why it waits: the decision, by its record digest and as it was signed.
	Effect    evidence.Effect    `json:"effect"` // step_up or defer
	Policy    evidence.PolicyRef `json:"policy"`
	Catalogue evidence.Digest    `json:"catalogue"`
	Decision  evidence.Digest    `json:"decision"`
	Signed    evidence.Envelope  `json:"signed"`
	Reason    string             `json:"reason,omitempty"`
	Asks      []Ask              `json:"asks,omitempty"` // of step_up

	Said    []Said        `json:"said"`            // so far, in order
	May     []string      `json:"may,omitempty"`   // people who can still approve, and are needed
	Missing int           `json:"missing"`         // approvals, at least
	Since   evidence.Time `json:"since"`           // time of the decision
	Until   evidence.Time `json:"until"`           // denied then
	Again   evidence.Time `json:"again,omitempty"` // deferred: asked again then

	decided *evidence.Decision // nil in a Waiting that nobody verified
	about   evidence.Subject
}

// An Ask is what one rule asks for: the approval of Need people out of By.
type Ask struct {
	Rule     string   `json:"rule"`
	Message  string   `json:"message,omitempty"`
	By       []string `json:"by"`
	Need     int      `json:"need"`
	WithinMS int64    `json:"withinMs"` // how long an approval counts, in milliseconds
	Missing  int      `json:"missing"`  // how many more people must approve
}

// A Said is what a person has said of a step.
type Said struct {
	Person   string        `json:"person"`
	Approver string        `json:"approver"` // name of the key
	Word     evidence.Word `json:"word"`
	Note     string        `json:"note,omitempty"`
	At       evidence.Time `json:"at"`
	Expires  evidence.Time `json:"expires"`

	// Newest says that it is about the decision by which the step waits now,
	// and not about one before it.
	Newest bool `json:"newest"`
}

// waitings returns the steps that wait, in the order of the plan. A step whose
// wait is over, or on which everything was said, waits for nobody: it is about
// to be decided.
func waitings(l *evidence.Lineage, now evidence.Time) []Waiting {
	all := []Waiting{}
	req := l.Request()
	if req == nil || l.Stopped() != "" || l.Sealed() != nil || l.HandedOver() != nil {
		return all
	}
	for i := range req.Steps {
		d, rec := l.Waiting(req.Steps[i].ID)
		if d == nil || now >= d.Until {
			continue
		}
		w := waiting(l, &req.Steps[i], d, rec)
		if d.Effect == evidence.StepUp && !w.ask(l.Said(w.Step), now) {
			continue
		}
		all = append(all, *w)
	}
	return all
}

func waiting(l *evidence.Lineage, s *evidence.Step, d *evidence.Decision, rec *evidence.Record) *Waiting {
	req := l.Request()
	w := &Waiting{
		Namespace: d.Binding.Namespace, Execution: req.ID, Run: d.Binding.Run, Step: s.ID,
		// The lineage holds the digest in the decision against these bytes.
		Action: s.Action, Args: slices.Clone(s.Args), Sends: d.Sends,
		Purpose: req.Purpose, Context: req.Context, Principal: req.Principal, Requester: l.Requester(),
		Effect: d.Effect, Policy: d.Policy, Catalogue: d.Catalogue, Decision: rec.Digest, Signed: rec.Envelope, Reason: d.Reason,
		Said: []Said{}, Since: d.At, Until: d.Until, Again: d.Again,
		decided: d, about: l.Subject(),
	}
	for _, r := range l.Said(s.ID) {
		a := r.Predicate.(*evidence.Approval) // nothing else is said of a step
		w.Said = append(w.Said, Said{
			Person: r.Holder, Approver: a.Approver, Word: a.Word, Note: a.Note, At: a.At, Expires: a.Expires,
			Newest: a.Decision == rec.Digest,
		})
	}
	return w
}

// ask fills in what the rules ask for, and reports whether anything is missing
// that somebody can still say.
func (w *Waiting) ask(said evidence.Approvals, now evidence.Time) bool {
	if said.Refused() != nil {
		return false
	}
	for i := range w.decided.Rules {
		r := &w.decided.Rules[i]
		if r.Effect != evidence.StepUp || r.Ask == nil {
			continue
		}
		a := Ask{
			Rule: r.ID, Message: r.Message, By: slices.Clone(r.Ask.By), Need: r.Ask.Need, WithinMS: r.Ask.WithinMS,
			Missing: said.Missing(r.Ask, w.Requester, now),
		}
		w.Asks = append(w.Asks, a)
		if w.Missing = max(w.Missing, a.Missing); a.Missing > 0 {
			w.may(a.By)
		}
	}
	return w.Missing > 0
}

// may adds those who have not answered the decision yet.
func (w *Waiting) may(people []string) {
	for _, p := range people {
		if p != w.Requester && w.spoke(p) == nil && !slices.Contains(w.May, p) {
			w.May = append(w.May, p)
		}
	}
}

// spoke returns what a person has said of the decision, or nil.
func (w *Waiting) spoke(person string) *Said {
	for i := range w.Said {
		if s := &w.Said[i]; s.Newest && s.Person == person {
			return s
		}
	}
	return nil
}

// asks reports whether a rule asks for the word of a person.
func (w *Waiting) asks(person string) bool {
	return person != w.Requester && slices.ContainsFunc(w.Asks, func(a Ask) bool { return slices.Contains(a.By, person) })
}

// Statement returns what an approver signs, and about what, to say word of the
// step, for a key that is elsewhere: in a browser, or in an HSM. Approver is
// the name of that key in the trust root, person whose it is, and at the time
// of the signature, which is made no earlier than the decision. The signed
// envelope goes to [Starter.SubmitApproval].
//
// It expires when no rule that asks this person would count it any more. If
// none does, it expires at once, and cannot be signed.
func (w *Waiting) Statement(approver, person string, word evidence.Word, note string, at evidence.Time) (evidence.Subject, *evidence.Approval) {
	if w.decided == nil {
		return evidence.Subject{}, &evidence.Approval{} // which cannot be signed
	}
	at = max(at, w.Since)
	return w.about, &evidence.Approval{
		At: at, Grant: w.decided.Grant, Binding: w.decided.Binding, Decision: w.Decision,
		Step: w.Step, Action: w.Action, Args: evidence.ValueDigest(w.Args), Sends: w.Sends,
		Policy: w.Policy, Catalogue: w.Catalogue,
		Approver: approver, Word: word, Expires: at.Add(w.within(person)), Note: note,
	}
}

// within is the longest time for which a rule counts what a person says.
func (w *Waiting) within(person string) time.Duration {
	longest := time.Duration(0)
	for _, a := range w.Asks {
		if slices.Contains(a.By, person) {
			longest = max(longest, time.Duration(a.WithinMS)*time.Millisecond)
		}
	}
	return longest
}
