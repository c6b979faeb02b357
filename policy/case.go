package policy

import (
	"errors"
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// ErrCases means that a file is not a valid set of cases.
var ErrCases = errors.New("invalid policy cases")

// Cases are the tests that ship with a bundle. They are read only.
type Cases struct{ list []testCase }

// Len returns how many cases there are, at least 1.
func (c *Cases) Len() int { return len(c.list) }

type testCase struct {
	name  string
	line  int
	facts evidence.Facts
	want  evidence.Effect
	// rules and errors are the ids of the rules that must match, and that
	// must fail. No rules at all (nil) leaves the matching ones open.
	rules  []string
	errors []string
}

// When a case does not say when it happens.
var defaultNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// defaultLife is how long a request lives when a case does not say.
const defaultLife = 15 * time.Minute

// ParseCases reads data, the content of the file of cases called name. The
// name is used in messages only. The error is [ErrCases] with every problem
// found.
//
// A file holds a list of cases. Each has a name, a phase, what is wanted
// (allow or deny; of a step also step_up or defer), and any part of the facts;
// what is not given is empty, except that now is the start of 2026, a request
// is issued now and expires in 15 minutes, and the plan of a case that has a
// step but no plan is that step. Optionally rules lists the ids of all rules
// that must match, and errors those that must fail to evaluate.
//
// A case of a step may list approvals: by whom, the word (approve, unless it
// is refuse) and when (now). The requester, who asked for the execution, is
// the principal of the request unless the case names another, and without
// both somebody whom no rule asks.
func ParseCases(name string, data []byte) (*Cases, error) {
	doc, err := strict.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrCases, err)
	}
	top := doc.Map(doc.Root, []string{"cases"})
	cases := &Cases{}
	seen := map[string]bool{}
	for _, n := range top.List("cases") {
		c := caseReader{doc}.read(n)
		if seen[c.name] {
			doc.Errorf(n.Pos, "case %q: duplicate name", c.name)
		}
		seen[c.name] = true
		cases.list = append(cases.list, c)
	}
	if len(cases.list) == 0 {
		doc.Errorf(top.Place("cases"), "cases: want at least one case")
	}
	if err := doc.Err(); err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrCases, err)
	}
	return cases, nil
}

// A caseReader reads cases from a document and notes problems there.
type caseReader struct{ doc *strict.Doc }

func (c caseReader) read(n *strict.Node) testCase {
	m := c.doc.Map(n, []string{"name", "phase", "want"},
		"now", "request", "step", "args", "lineage", "probes", "requester", "approvals", "rules", "errors")
	t := testCase{
		name:   m.String("name"),
		line:   n.Pos.Line,
		want:   evidence.Effect(m.String("want")),
		rules:  m.Strings("rules"),
		errors: m.Strings("errors"),
		facts:  evidence.Facts{Phase: evidence.Phase(m.String("phase")), Now: c.time(m, "now", evidence.TimeOf(defaultNow))},
	}
	switch {
	case t.want.Waits() && t.facts.Phase != evidence.PhaseStep:
		c.doc.Errorf(m.Place("want"), "want: %s is only for phase step", t.want)
	case m.Get("want") != nil && t.want != evidence.Allow && t.want != evidence.Deny && !t.want.Waits():
		c.doc.Errorf(m.Place("want"), "want: want allow, deny, step_up or defer, got %q", t.want)
	}
	if m.Get("phase") != nil && !known(t.facts.Phase) {
		c.doc.Errorf(m.Place("phase"), "phase: want admit, step or integrity, got %q", t.facts.Phase)
	}
	t.facts.Request = c.request(m, t.facts.Now)
	c.step(m, &t.facts)
	for _, item := range m.List("lineage") {
		t.facts.Lineage = append(t.facts.Lineage, c.past(item, t.facts.Now))
	}
	for _, item := range m.List("probes") {
		t.facts.Probes = append(t.facts.Probes, c.probe(item))
	}
	return t
}

// step reads the step that is judged, with the arguments beside it.
func (c caseReader) step(m strict.Map, f *evidence.Facts) {
	n := m.Get("step")
	if f.Phase != evidence.PhaseStep {
		for _, name := range []string{"step", "args", "requester", "approvals"} {
			if m.Get(name) != nil {
				c.doc.Errorf(m.Place(name), "%s: only for phase step", name)
			}
		}
		return
	}
	if n == nil {
		c.doc.Errorf(m.Pos, "field %q is missing", "step")
		return
	}
	s := c.doc.Map(n, []string{"id", "action"}, "needs")
	step := evidence.Step{ID: s.String("id"), Action: s.String("action"), Needs: s.Strings("needs"), Args: []byte("{}")}
	if args := m.Get("args"); args != nil {
		step.Args = args.JSON()
	}
	f.Step = &step
	c.said(m, f)
	if f.Request.Steps == nil {
		f.Request.Steps = []evidence.Step{step}
	}
}
