package catalogue

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// The bounds of what an action may declare.
const (
	minDuration  = time.Millisecond
	maxDuration  = 24 * time.Hour
	maxAttempts  = 100
	oneHeartbeat = 2 * time.Second
	oneBackoff   = time.Second
)

var (
	actionName   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}(\.[a-z0-9_-]{1,63}){0,7}$`)
	activityType = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._:/-]{0,199}$`)
	simpleName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	// ownActivities are the types of Interlock's own activities.
	ownActivities = []string{"Authorize", "TakeOver", "Decide", "RunStep", "Resolve", "Seal", "Watch"}
)

// Parse reads data, the content of the catalogue file called name. The name
// is used in messages only. The error is [ErrCatalogue] with every problem
// found. A catalogue with an error is never returned.
func Parse(name string, data []byte) (*Catalogue, error) {
	doc, err := strict.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrCatalogue, err)
	}
	c := &Catalogue{data: bytes.Clone(data), digest: evidence.FileDigest(data), actions: map[string]*Action{}}
	top := doc.Map(doc.Root, []string{"version", "actions"})
	if v := top.Get("version"); v != nil && (v.Kind != strict.Number || v.Text != "1") {
		doc.Errorf(v.Pos, "version: want 1, got %q", v.Text)
	}
	if n := top.Get("actions"); n != nil {
		parseActions(doc, n, c.actions)
	}
	if err := doc.Err(); err != nil {
		return nil, fmt.Errorf("%w:\n%w", ErrCatalogue, err)
	}
	return c, nil
}

func parseActions(doc *strict.Doc, n *strict.Node, actions map[string]*Action) {
	if n.Kind != strict.Object || len(n.Fields) == 0 {
		doc.Errorf(n.Pos, "actions: want a mapping with at least one action, got %v", n.Kind)
		return
	}
	for _, f := range n.Fields {
		if !actionName.MatchString(f.Name) {
			doc.Errorf(f.Pos, "action %q: a name is lower-case words with dots, such as orders.refund", f.Name)
		}
		actions[f.Name] = parseAction(doc, f)
	}
}

func parseAction(doc *strict.Doc, f strict.Field) *Action {
	m := doc.Map(f.Value, []string{"effect", "timeout", "args"},
		"description", "idempotent", "heartbeat", "attempts", "backoff", "http", "func", "activity")
	a := &Action{
		Name:        f.Name,
		Description: m.String("description"),
		Effect:      Effect(m.String("effect")),
		Idempotent:  m.Bool("idempotent"),
		Timeout:     m.Duration("timeout", minDuration, maxDuration, 0),
		Heartbeat:   m.Duration("heartbeat", minDuration, maxDuration, oneHeartbeat),
		Backoff:     m.Duration("backoff", minDuration, maxDuration, oneBackoff),
		Func:        m.String("func"),
		Activity:    m.String("activity"),
		Attempts:    1,
	}
	if m.Get("attempts") != nil {
		a.Attempts = int(min(m.Uint("attempts"), maxAttempts+1))
	}
	if n := m.Get("args"); n != nil {
		a.schema = compileSchema(doc, f.Name, n)
	}
	if n := m.Get("http"); n != nil {
		a.HTTP = parseHTTP(doc, n, a.schema)
	}
	checkAction(doc, m, a)
	return a
}

// checkAction notes what is wrong with a as a whole.
func checkAction(doc *strict.Doc, m strict.Map, a *Action) {
	switch a.Effect {
	case Read, Write, Irreversible, "":
	default:
		doc.Errorf(m.Place("effect"), "effect: want read, write or irreversible, got %q", a.Effect)
	}
	if a.Attempts < 1 || a.Attempts > maxAttempts {
		doc.Errorf(m.Place("attempts"), "attempts: want 1 to %d", maxAttempts)
	}
	if a.Attempts > 1 && !a.Idempotent && a.Effect != Read {
		doc.Errorf(m.Place("attempts"), "attempts: more than one needs an action that is idempotent or reads")
	}
	checkExecutor(doc, m, a)
}

// checkExecutor notes what is wrong with how a is done.
func checkExecutor(doc *strict.Doc, m strict.Map, a *Action) {
	ways := 0
	for _, field := range []string{"http", "func", "activity"} {
		if m.Get(field) != nil {
			ways++
		}
	}
	if ways != 1 {
		doc.Errorf(m.Pos, "action %q: want exactly one of http, func and activity", a.Name)
	}
	if m.Get("func") != nil && !simpleName.MatchString(a.Func) {
		doc.Errorf(m.Place("func"), "func: %q is not a name", a.Func)
	}
	switch {
	case m.Get("activity") == nil:
	case !activityType.MatchString(a.Activity):
		doc.Errorf(m.Place("activity"), "activity: %q is not the type of an activity, such as RefundOrder", a.Activity)
	case slices.Contains(ownActivities, a.Activity):
		doc.Errorf(m.Place("activity"), "activity: %s is Interlock's own; give yours another name", a.Activity)
	}
}
