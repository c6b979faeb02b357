package evidence

import (
	"errors"
	"fmt"
	"slices"
)

// The errors of [Report.Err], one for each question.
var (
	// ErrNotAuthentic means that a record was not signed by a key that the
	// trust root allows, or cannot be read.
	ErrNotAuthentic = errors.New("not authentic")
	// ErrIncomplete means that records were changed, left out, added or
	// reordered, or that the seal is missing.
	ErrIncomplete = errors.New("chain is broken or not complete")
)

// An Answer is what a check found. The zero Answer is [NotChecked].
type Answer string

// The answers.
const (
	Yes        Answer = "yes"
	No         Answer = "no"
	NotChecked Answer = ""
)

// String returns the answer for people.
func (a Answer) String() string {
	if a == NotChecked {
		return "not checked"
	}
	return string(a)
}

// MarshalText returns the answer as [Answer.String] does.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// A Finding is one reason for an answer that is not yes. Record is its place
// in the proof, from 0, or -1 for the proof as a whole.
type Finding struct {
	Record  int    `json:"record"`
	Message string `json:"message"`
}

// A Check is the answer to one question.
type Check struct {
	Answer   Answer    `json:"answer"`
	Findings []Finding `json:"findings,omitempty"`
}

func (c *Check) no(record int, format string, args ...any) {
	c.Answer = No
	c.Findings = append(c.Findings, Finding{Record: record, Message: fmt.Sprintf(format, args...)})
}

// A Report is what [Verify] found. Unless all three answers are yes, what the
// other fields state is what the proof claims, and no more.
type Report struct {
	Execution string    `json:"execution"`
	Run       string    `json:"run"`
	Principal string    `json:"principal"`
	Policy    PolicyRef `json:"policy"`
	Verdict   Verdict   `json:"verdict"`
	Cause     string    `json:"cause"`
	Reason    string    `json:"reason,omitempty"` // of the denial or halt, for people
	Sealed    Time      `json:"sealed"`
	Records   int       `json:"records"` // up to the seal, and with it; all of them if there is none
	Head      Digest    `json:"head"`    // link of the last of these, which a receipt states too
	Steps     []StepEnd `json:"steps"`

	// What people said of steps that waited for their approval.
	Approvals []Approved `json:"approvals"`
	// The order that stopped the execution, if one did.
	Order *Ordered `json:"order,omitempty"`

	// What people found out after the seal. The verdict stays what it was.
	Resolved []Resolved `json:"resolved"`
	// The steps that the seal left unresolved and no resolution is about.
	// There may be resolutions that this proof does not hold.
	Open []string `json:"open"`

	Authentic Check `json:"authentic"` // who signed
	Complete  Check `json:"complete"`  // is this all, unchanged and in order
	Governed  Check `json:"governed"`  // was everything that ran allowed to
}

// Err returns nil if all three answers are yes, and otherwise
// [ErrNotAuthentic], [ErrIncomplete] or [ErrUngoverned], for the first that is
// not, with its first finding.
func (r *Report) Err() error {
	for _, q := range []struct {
		err   error
		check Check
	}{{ErrNotAuthentic, r.Authentic}, {ErrIncomplete, r.Complete}, {ErrUngoverned, r.Governed}} {
		switch {
		case q.check.Answer == Yes:
		case len(q.check.Findings) == 0:
			return fmt.Errorf("%w: %v", q.err, q.check.Answer)
		default:
			return fmt.Errorf("%w: %s", q.err, q.check.Findings[0].Message)
		}
	}
	return nil
}

// Verify checks a proof against a trust root, offline. It answers, in this
// order:
//
//  1. authentic: every record can be read, and is signed by a key that trust
//     allows for its kind at the time it states; and if that key was
//     compromised later, a record by another key proves that it was signed
//     before;
//  2. complete: the records are all about one execution, each control-plane
//     record stands where it says, after the link that it says, and the one
//     seal comes last, save for resolutions;
//  3. governed: the order is that of [Lineage.Add]: no decision without a
//     grant, no outcome without a decision that allows it, nothing allowed
//     after a failed check or an order to stop, nothing that people had to
//     approve allowed without them, and the verdict is what the records
//     amount to.
//
// Governed is not checked unless the proof is authentic and complete. Yes to
// all three does not mean that a verdict follows from the policy's text, that
// what a worker says of its own outcome is true, or that no other run exists.
//
// Verify does not retain or change its arguments.
func Verify(trust *Trust, proof *Proof) *Report {
	r := &Report{Records: len(proof.Records), Steps: []StepEnd{}, Resolved: []Resolved{}, Open: []string{}, Approvals: []Approved{}}
	version := trust.now() // one for all questions, whatever [Trust.Advance] does meanwhile
	records := r.authentic(version, proof)
	if records == nil {
		return r
	}
	r.claims(records)
	r.complete(records)
	if r.Authentic.Answer == Yes && r.Complete.Answer == Yes {
		r.governed(records, version.file.Domain)
	}
	return r
}

// authentic opens every record. It returns nil if one cannot be read.
func (r *Report) authentic(trust *version, proof *Proof) []*Record {
	r.Authentic.Answer = Yes
	if len(proof.Records) == 0 {
		r.Authentic.no(-1, "the proof has no records")
		return nil
	}
	records := make([]*Record, len(proof.Records))
	all := openAll(trust, proof.Records)
	undated(all)
	for i, o := range all {
		if o.err != nil {
			r.Authentic.no(i, "record %d: %v", i, o.err)
		}
		records[i] = o.record
	}
	if slices.Contains(records, nil) {
		return nil
	}
	return records
}

// claims copies what the proof states of itself.
func (r *Report) claims(records []*Record) {
	r.Execution = records[0].Subject.Execution
	for _, rec := range records {
		switch p := rec.Predicate.(type) {
		case *Request:
			r.Principal = p.Principal
		case *Grant:
			r.Policy = p.Policy
		case *Decision:
			r.Policy = p.Policy
			if !p.Effect.Allows() && !p.Effect.Waits() {
				r.Reason = p.Reason
			}
		case *Halt:
			r.Reason = p.Reason
		case *Seal:
			r.Run, r.Verdict, r.Cause = p.Binding.Run, p.Verdict, p.Cause
			r.Sealed, r.Steps = p.At, append(r.Steps[:0], p.Steps...)
		case *Resolution:
			r.Resolved = append(r.Resolved, resolved(p))
		case *Approval:
			r.Approvals = append(r.Approvals, approved(rec.Holder, p))
		case *Order:
			r.Order = ordered(rec.Digest, p)
		}
	}
	r.Open = append(r.Open, unresolvedBut(r.Steps, r.Resolved)...)
}

func (r *Report) complete(records []*Record) {
	r.Complete.Answer = Yes
	about, end := subjectOf(records[0]), endOf(records)
	var chain Chain
	for i, rec := range records {
		if i > 0 && rec.Subject != about && rec.Kind() != KindOrder { // an order is about many
			r.Complete.no(i, "record %d (%s) belongs to another execution: it is about %s %s", i, rec.Kind(), rec.Subject.Execution, rec.Subject.Digest.Short())
		}
		if at, ok := positionOf(rec.Predicate); ok && at != chain.Next() {
			r.Complete.no(i, "record %d (%s) does not follow the records before it: it says %d records ending in %s, there are %d ending in %s", i, rec.Kind(), at.Seq, at.Prev.Short(), i, chain.Next().Prev.Short())
		}
		if last := i == end; last != (rec.Kind() == KindSeal) {
			r.Complete.no(i, "record %d is %s %s: %s", i, article(rec.Kind()), rec.Kind(), sealComplaint(last))
		}
		chain.Append(rec.Digest)
		if i <= end {
			r.Head = chain.Next().Prev
		}
	}
	r.Records = end + 1
}

// endOf returns the place where the seal must be: that of the last record that
// is no resolution; if all are, of the last.
func endOf(records []*Record) int {
	for i := len(records) - 1; i >= 0; i-- {
		if records[i].Kind() != KindResolution {
			return i
		}
	}
	return len(records) - 1
}

func sealComplaint(last bool) string {
	if last {
		return "the end of the chain, its seal, is missing"
	}
	return "a seal ends a chain, and only resolutions may follow"
}

// subjectOf returns the subject that every record after the first must have.
func subjectOf(first *Record) Subject {
	if first.Kind() == KindRequest {
		return Subject{Execution: first.Subject.Execution, Digest: first.Digest}
	}
	return first.Subject
}

// positionOf returns the position that a record states for itself. Requests,
// outcomes and signals are signed by those who cannot know it.
func positionOf(p Predicate) (Position, bool) {
	switch p := p.(type) {
	case *Grant:
		return p.Position, true
	case *Decision:
		return p.Position, true
	case *Handover:
		return p.Position, true
	case *Takeover:
		return p.Position, true
	case *Halt:
		return p.Position, true
	case *Seal:
		return p.Position, true
	case *Rejection:
		return p.Position, true
	}
	return Position{}, false
}

func (r *Report) governed(records []*Record, domain string) {
	r.Governed.Answer = Yes
	var l Lineage
	for i, rec := range records {
		if req, ok := rec.Predicate.(*Request); ok && req.Audience != domain && records[1].Kind() == KindGrant {
			r.Governed.no(i, "record %d: the request was meant for %q, not for %q", i, req.Audience, domain)
		}
		if o, ok := rec.Predicate.(*Order); ok && o.Audience != domain {
			r.Governed.no(i, "record %d: the order was meant for %q, not for %q", i, o.Audience, domain)
		}
		if err := l.Add(rec); err != nil {
			r.Governed.no(i, "record %d: %v", i, err)
			return
		}
	}
}

// article is for findings, which people read.
func article(k Kind) string {
	switch k {
	case KindOutcome, KindOrder, KindApproval:
		return "an"
	}
	return "a"
}
