package policy

import (
	"cmp"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// defaultRequester asks for the execution when a case does not say who does.
const defaultRequester = "the requester"

// said reads who asked for the execution, and what people said of the step.
func (c caseReader) said(m strict.Map, f *evidence.Facts) {
	f.Requester = cmp.Or(m.String("requester"), f.Request.Principal, defaultRequester)
	for _, item := range m.List("approvals") {
		f.Said = append(f.Said, c.approval(item, f.Now))
	}
}

// approval reads one approval, which never expires in a case: what it is
// worth is for the rule to say.
func (c caseReader) approval(n *strict.Node, now evidence.Time) *evidence.Record {
	m := c.doc.Map(n, []string{"by"}, "word", "at")
	by, at := m.String("by"), c.time(m, "at", now)
	a := &evidence.Approval{At: at, Approver: by, Word: evidence.Approve, Expires: now.Add(MaxWait)}
	if m.Get("word") != nil {
		a.Word = evidence.Word(m.String("word"))
	}
	if m.Get("by") != nil && !evidence.NameFits(by) {
		c.doc.Errorf(m.Place("by"), "by: want the name of an approver, got %.60q", by)
	}
	if a.Word != evidence.Approve && a.Word != evidence.Refuse {
		c.doc.Errorf(m.Place("word"), "word: want approve or refuse, got %.60q", a.Word)
	}
	if at > now {
		c.doc.Errorf(m.Place("at"), "at: %v is later than the case, at %v: nobody has said it yet", at, now)
	}
	return &evidence.Record{Holder: by, Predicate: a}
}
