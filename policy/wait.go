package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// The bounds of what a rule asks for that says step_up or defer.
const (
	// MaxApprovers is how many people one rule may ask.
	MaxApprovers = 64
	// MaxName is the length of the longest name of an approver, in bytes.
	MaxName = evidence.MaxName
	// MinWait and MaxWait bound how long an approval counts, how long a step
	// is deferred, and how often it is asked for again.
	MinWait = time.Second
	MaxWait = 30 * 24 * time.Hour
	// MaxRetries is how often one rule may have a step asked for again.
	MaxRetries = 1000
)

// parseAsk reads what a rule asks for that says step_up. There is no default
// for how many must approve: it is what the rule is about.
func parseAsk(doc *strict.Doc, n *strict.Node, rule string) *evidence.Ask {
	m := doc.Map(n, nil, "by", "need", "within")
	var by []string
	for _, item := range m.List("by") {
		switch {
		case item.Kind != strict.String || !evidence.NameFits(item.Text):
			problem(doc, item.Pos, rule, "approval.by: want the name of an approver: 1 to %d bytes that can be printed, no space at its ends, got %.60q", MaxName, item.Text)
		case slices.Contains(by, item.Text):
			problem(doc, item.Pos, rule, "approval.by: %q stands there twice, and would count once", item.Text)
		}
		by = append(by, item.Text)
	}
	if len(by) == 0 || len(by) > MaxApprovers {
		problem(doc, m.Place("by"), rule, "approval.by: want 1 to %d names of approvers, got %d", MaxApprovers, len(by))
	}
	need := m.Uint("need")
	if need < 1 || need > uint64(len(by)) {
		problem(doc, m.Place("need"), rule, "approval.need: want how many of them must approve, 1 to %d; there is no default", len(by))
		need = 0
	}
	within := wait(doc, m, rule, "approval", "within", MaxWait)
	return &evidence.Ask{By: by, Need: int(need), WithinMS: within.Milliseconds()}
}

// parseDelay reads how long a rule waits that says defer.
func parseDelay(doc *strict.Doc, n *strict.Node, rule string) *evidence.Delay {
	m := doc.Map(n, nil, "for", "every")
	limit := wait(doc, m, rule, "defer", "for", MaxWait)
	longest := limit
	if longest == 0 { // noted already: every is held to what it could be
		longest = MaxWait
	}
	every := wait(doc, m, rule, "defer", "every", longest)
	if every > 0 && limit > MaxRetries*every {
		problem(doc, m.Place("every"), rule, "defer.every: asks again more than %d times in %s", MaxRetries, brief(limit))
	}
	return &evidence.Delay{ForMS: limit.Milliseconds(), EveryMS: every.Milliseconds()}
}

// wait returns a duration of whole milliseconds from [MinWait] to longest, or
// notes what is wanted and returns 0.
func wait(doc *strict.Doc, m strict.Map, rule, in, name string, longest time.Duration) time.Duration {
	text := "nothing"
	if n := m.Get(name); n != nil {
		d, err := time.ParseDuration(n.Text)
		if err == nil && d >= MinWait && d <= longest && d%time.Millisecond == 0 {
			return d
		}
		text = n.Text
	}
	problem(doc, m.Place(name), rule, "%s.%s: want a duration of whole milliseconds from %s to %s, such as 90s or 4h, got %.60q", in, name, brief(MinWait), brief(longest), text)
	return 0
}

// brief writes a duration without parts that are zero.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// cloneAsk keeps a bundle read only, whatever is done to what it gave away.
func cloneAsk(a *evidence.Ask) *evidence.Ask {
	if a == nil {
		return nil
	}
	return &evidence.Ask{By: slices.Clone(a.By), Need: a.Need, WithinMS: a.WithinMS}
}

func cloneDelay(d *evidence.Delay) *evidence.Delay {
	if d == nil {
		return nil
	}
	c := *d
	return &c
}
