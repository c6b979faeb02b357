package evidence

import (
	"fmt"
	"strings"
)

// MaxNote is the longest note of a [Resolution], in bytes of UTF-8.
const MaxNote = 1000

// A Found is what a person found out about a step that nobody knew the end of.
// The zero Found and every unknown one are refused.
type Found string

// What can be found out.
const (
	Happened    Found = "happened"
	NotHappened Found = "not_happened"
)

// A Resolution is what a person found out, after the seal, about a step that
// the seal left unresolved. It does not change the verdict: what could not be
// known when the execution ended could not be known, and a proof says so for
// ever. It says who looked, when, and what was found.
//
// The person signs without knowing which other steps are resolved meanwhile,
// so a resolution states no position; it names the seal that it follows.
type Resolution struct {
	At       Time    `json:"at"`
	Request  Digest  `json:"request"` // record digest of the request
	Grant    Digest  `json:"grant"`
	Binding  Binding `json:"binding"`
	Seal     Digest  `json:"seal"` // record digest of the seal
	Step     string  `json:"step"`
	Decision Digest  `json:"decision"` // record digest of the decision that allowed the step
	Operator string  `json:"operator"` // name of the signing key in the trust root
	Found    Found   `json:"found"`
	Note     string  `json:"note"` // how it was found out, in one sentence
}

// Kind returns [KindResolution].
func (*Resolution) Kind() Kind { return KindResolution }

// When returns the time at which the person signed.
func (r *Resolution) When() Time { return r.At }

func (r *Resolution) check() error {
	if err := oneOf("found", r.Found, Happened, NotHappened); err != nil {
		return err
	}
	if strings.Trim(r.Note, " ") == "" || len(r.Note) > MaxNote {
		return fmt.Errorf("%w: a note of %d bytes: want 1 to %d, not all of them spaces: say how it was found out", ErrField, len(r.Note), MaxNote)
	}
	if strings.ContainsFunc(r.Note, isControl) { // a note that is printed must not look like more than one line
		return fmt.Errorf("%w: a note with control characters: write one line of text", ErrField)
	}
	return nil
}

// isControl reports whether r is U+0000 to U+001F or U+007F to U+009F.
func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// Resolved is a [Resolution] as a [Report] states it.
type Resolved struct {
	Step     string `json:"step"`
	Found    Found  `json:"found"`
	Operator string `json:"operator"`
	Note     string `json:"note"`
	At       Time   `json:"at"`
}

func resolved(r *Resolution) Resolved {
	return Resolved{Step: r.Step, Found: r.Found, Operator: r.Operator, Note: r.Note, At: r.At}
}

// unresolvedBut returns the steps that are unresolved and not among known.
func unresolvedBut(steps []StepEnd, known []Resolved) (open []string) {
	is := make(map[string]bool, len(known))
	for _, r := range known {
		is[r.Step] = true
	}
	for _, s := range steps {
		if s.State == StateUnresolved && !is[s.ID] {
			open = append(open, s.ID)
		}
	}
	return open
}

func (l *Lineage) addResolution(r *Record, p *Resolution) error {
	if err := l.mayResolve(r, p); err != nil {
		return err
	}
	l.steps[p.Step].resolved = p
	return nil
}

// mayResolve reports whether p, in r, can stand here.
func (l *Lineage) mayResolve(r *Record, p *Resolution) error {
	switch {
	case l.seal == nil:
		return ungoverned(r, "there is no seal yet")
	case l.seal.Verdict != Unresolved:
		return ungoverned(r, "the execution is %s, so there is nothing to resolve", l.seal.Verdict)
	case p.Seal != l.sealed:
		return ungoverned(r, "it names another seal")
	case p.Request != r.Subject.Digest || p.Grant != l.GrantDigest():
		return ungoverned(r, "it names another request or grant")
	case p.Binding != l.bound:
		return ungoverned(r, "it is bound to another run")
	case l.sealedAs(p.Step) != StateUnresolved:
		return ungoverned(r, "step %.60q is not one that the seal left unresolved", p.Step)
	case p.Decision != l.steps[p.Step].decision.Digest:
		return ungoverned(r, "it names another decision than that on step %q", p.Step)
	case l.steps[p.Step].resolved != nil:
		return ungoverned(r, "step %q was resolved before", p.Step)
	case p.At < l.seal.At:
		return ungoverned(r, "it is older than the seal")
	}
	return nil
}

// sealedAs returns where the seal says that a step stands, or "".
func (l *Lineage) sealedAs(step string) State {
	for _, s := range l.seal.Steps {
		if s.ID == step {
			return s.State
		}
	}
	return ""
}

// Resolution returns what was found out about a step after the seal, or nil.
func (l *Lineage) Resolution(step string) *Resolution {
	if s := l.steps[step]; s != nil {
		return s.resolved
	}
	return nil
}

// Open returns the steps that the seal left unresolved and that nobody has
// resolved since, in the order of the plan. Without a seal there are none.
func (l *Lineage) Open() []string {
	open := []string{}
	if l.seal == nil {
		return open
	}
	for _, s := range l.seal.Steps {
		if s.State == StateUnresolved && l.steps[s.ID].resolved == nil {
			open = append(open, s.ID)
		}
	}
	return open
}

// Resolve returns an empty resolution of a step, which names everything that
// it must; or [ErrUngoverned] if there is nothing to resolve. Time, operator,
// finding and note are for the caller to fill in; the time must not be before
// that of the seal.
func (l *Lineage) Resolve(step string) (*Resolution, error) {
	if l.seal == nil {
		return nil, fmt.Errorf("%w: the execution is not sealed yet", ErrUngoverned)
	}
	p := &Resolution{
		At: l.seal.At, Request: l.seal.Request, Grant: l.seal.Grant, Binding: l.seal.Binding, Seal: l.sealed, Step: step,
	}
	if _, rec := l.Decided(step); rec != nil {
		p.Decision = rec.Digest
	}
	return p, l.mayResolve(&Record{Subject: l.about(), Predicate: p}, p)
}
