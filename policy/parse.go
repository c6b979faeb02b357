package policy

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// The bounds of a bundle.
const (
	// MaxRules is how many rules a bundle may have.
	MaxRules = 5000
	// MaxMessage is the length of the longest message, in bytes.
	MaxMessage = 200
)

var (
	ruleID        = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	actionPattern = regexp.MustCompile(`^(\*|[a-z0-9._-]+\.\*|[a-z0-9._-]+[a-z0-9_-])$`)
)

// Parse reads data, the content of the bundle file called name, and compiles
// its rules for the actions of cat, which must not be nil. The name is used
// in messages only.
//
// The error is [ErrBundle] with every problem found, not only the first: an
// unknown field, a rule that does not compile, is not true or false, costs
// too much, concerns no action, or has an effect that its phase does not have
// or that is not complete. A bundle with an error is never returned.
// Parse keeps a copy of data.
func Parse(name string, data []byte, cat *catalogue.Catalogue) (*Bundle, error) {
	doc, err := strict.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrBundle, err)
	}
	b := &Bundle{data: bytes.Clone(data), digest: evidence.FileDigest(data), actions: cat}
	top := doc.Map(doc.Root, []string{"name", "version", "rules"})
	b.name, b.version = top.String("name"), top.Uint("version")
	if top.Get("name") != nil && !ruleID.MatchString(b.name) {
		doc.Errorf(top.Place("name"), "name: want lower-case letters, digits and dashes, got %q", b.name)
	}
	if top.Get("version") != nil && b.version < 1 {
		doc.Errorf(top.Place("version"), "version: want a whole number from 1")
	}
	if cat == nil {
		doc.Errorf(top.Pos, "no catalogue to compile against")
	} else {
		b.parseRules(doc, top)
	}
	if err := doc.Err(); err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrBundle, err)
	}
	return b, nil
}

func (b *Bundle) parseRules(doc *strict.Doc, top strict.Map) {
	items := top.List("rules")
	if top.Get("rules") != nil && (len(items) == 0 || len(items) > MaxRules) {
		doc.Errorf(top.Place("rules"), "rules: want 1 to %d rules", MaxRules)
		return
	}
	seen := map[string]bool{}
	for _, item := range items {
		r, m := parseRule(doc, item)
		if seen[r.info.ID] {
			doc.Errorf(m.Place("id"), "rule %s: duplicate id", r.info.ID)
		}
		seen[r.info.ID] = true
		checkActions(doc, m, r, b.actions)
		b.rules = append(b.rules, r)
	}
	b.index = newIndex(b.rules, b.actions)
	if err := b.index.checkCost(); err != nil {
		doc.Errorf(top.Place("rules"), "rules: %v", err)
	}
}

func parseRule(doc *strict.Doc, n *strict.Node) (*rule, strict.Map) {
	m := doc.Map(n, []string{"id", "phase", "when", "effect"}, "actions", "message", "approval", "defer")
	r := &rule{info: RuleInfo{
		ID:      m.String("id"),
		Phase:   evidence.Phase(m.String("phase")),
		Actions: m.Strings("actions"),
		Effect:  evidence.Effect(m.String("effect")),
		Message: m.String("message"),
	}}
	if m.Get("id") != nil && !ruleID.MatchString(r.info.ID) {
		doc.Errorf(m.Place("id"), "id: want lower-case letters, digits and dashes, got %q", r.info.ID)
	}
	if m.Get("phase") != nil && !known(r.info.Phase) {
		doc.Errorf(m.Place("phase"), "rule %s: phase: want admit, step or integrity, got %q", r.info.ID, r.info.Phase)
	}
	parseEffect(doc, m, r)
	if len(r.info.Message) > MaxMessage || strings.Contains(strings.TrimSpace(r.info.Message), "\n") {
		doc.Errorf(m.Place("message"), "rule %s: message: want one line of at most %d bytes", r.info.ID, MaxMessage)
	}
	r.info.Message = strings.TrimSpace(r.info.Message)
	if when := m.Get("when"); when != nil && known(r.info.Phase) {
		r.info.When = when.Text
		compileNode(doc, when, r)
	}
	return r, m
}

// compileNode compiles a node that YAML may have taken for true or a number.
func compileNode(doc *strict.Doc, when *strict.Node, r *rule) {
	switch when.Kind {
	case strict.String, strict.Bool, strict.Number:
		compile(doc, when, r)
	default:
		doc.Errorf(when.Pos, "rule %s: when: want an expression, got %v", r.info.ID, when.Kind)
	}
}

// checkActions notes patterns that are not where they should be, or that
// match no action: a misspelt one would silently guard nothing.
func checkActions(doc *strict.Doc, m strict.Map, r *rule, cat *catalogue.Catalogue) {
	if r.info.Phase != evidence.PhaseStep {
		if m.Get("actions") != nil {
			doc.Errorf(m.Place("actions"), "rule %s: actions: only for phase step", r.info.ID)
		}
		return
	}
	if len(r.info.Actions) == 0 {
		doc.Errorf(m.Place("actions"), "rule %s: actions: want at least one action", r.info.ID)
	}
	for _, pattern := range r.info.Actions {
		switch {
		case !actionPattern.MatchString(pattern):
			doc.Errorf(m.Place("actions"), "rule %s: actions: %q is not an action, nor one with .* at its end", r.info.ID, pattern)
		case !slices.ContainsFunc(cat.Names(), func(name string) bool { return covers(pattern, name) }):
			doc.Errorf(m.Place("actions"), "rule %s: actions: %q is no action of the catalogue", r.info.ID, pattern)
		}
	}
}
