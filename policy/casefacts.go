package policy

import (
	"encoding/json"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// request reads the request of a case. A case without one has an empty one.
func (c caseReader) request(m strict.Map, now evidence.Time) *evidence.Request {
	r := &evidence.Request{Issued: now, Expires: now.Add(defaultLife)}
	n := m.Get("request")
	if n == nil {
		return r
	}
	f := c.doc.Map(n, nil, "id", "audience", "principal", "purpose", "policy", "context", "issued", "expires", "steps")
	r.ID, r.Audience, r.Principal = f.String("id"), f.String("audience"), f.String("principal")
	r.Purpose, r.Policy = f.String("purpose"), f.String("policy")
	r.Issued, r.Expires = c.time(f, "issued", r.Issued), c.time(f, "expires", r.Expires)
	if n := f.Get("context"); n != nil {
		r.Context = c.texts(n)
	}
	for _, item := range f.List("steps") {
		s := c.doc.Map(item, []string{"id", "action"}, "needs", "args")
		step := evidence.Step{ID: s.String("id"), Action: s.String("action"), Needs: s.Strings("needs"), Args: []byte("{}")}
		if args := s.Get("args"); args != nil {
			step.Args = args.JSON()
		}
		r.Steps = append(r.Steps, step)
	}
	return r
}

// texts reads a mapping of strings.
func (c caseReader) texts(n *strict.Node) map[string]string {
	texts := map[string]string{}
	if n.Kind != strict.Object {
		c.doc.Errorf(n.Pos, "want a mapping, got %v", n.Kind)
	}
	for _, f := range n.Fields {
		if f.Value.Kind != strict.String {
			c.doc.Errorf(f.Value.Pos, "field %q: want a string, got %v", f.Name, f.Value.Kind)
		}
		texts[f.Name] = f.Value.Text
	}
	return texts
}

func (c caseReader) past(n *strict.Node, now evidence.Time) evidence.Past {
	m := c.doc.Map(n, []string{"step", "action", "status"}, "args", "result", "at")
	p := evidence.Past{
		Step:   m.String("step"),
		Action: m.String("action"),
		Status: evidence.Status(m.String("status")),
		Args:   json.RawMessage("{}"),
		At:     c.time(m, "at", now),
	}
	switch p.Status {
	case evidence.StatusDone, evidence.StatusFailed, evidence.StatusCancelled, evidence.StatusRefused, evidence.StatusUnknown, "":
	default:
		c.doc.Errorf(m.Place("status"), "status: want done, failed, cancelled, refused or unknown, got %q", p.Status)
	}
	if args := m.Get("args"); args != nil {
		p.Args = args.JSON()
	}
	if result := m.Get("result"); result != nil {
		p.Result = result.JSON()
	}
	return p
}

func (c caseReader) probe(n *strict.Node) evidence.Probe {
	m := c.doc.Map(n, []string{"name", "status"}, "want", "got")
	p := evidence.Probe{
		Name:   m.String("name"),
		Status: evidence.ProbeStatus(m.String("status")),
		Want:   m.String("want"),
		Got:    m.String("got"),
	}
	switch p.Status {
	case evidence.ProbeOK, evidence.ProbeBad, evidence.ProbeUnanswered, "":
	default:
		c.doc.Errorf(m.Place("status"), "status: want ok, bad or unanswered, got %q", p.Status)
	}
	return p
}

// time reads an RFC 3339 time, whole milliseconds, or returns otherwise.
func (c caseReader) time(m strict.Map, name string, otherwise evidence.Time) evidence.Time {
	if m.Get(name) == nil {
		return otherwise
	}
	text := m.String(name)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Nanosecond()%int(time.Millisecond) != 0 {
		c.doc.Errorf(m.Place(name), "field %q: want a time such as 2026-01-31T09:30:00Z, got %q", name, text)
	}
	return evidence.TimeOf(t)
}
