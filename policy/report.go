package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/interlock-run/interlock/evidence"
)

// A Report is the result of [Bundle.Test].
type Report struct {
	// Results has one entry for each case, in the order of the file.
	Results []Result
	// Unmatched are the ids of the rules that matched in no case, in the
	// order of the bundle.
	Unmatched []string
}

// A Result is what one case gave.
type Result struct {
	Name   string
	Line   int // of the case in its file
	Passed bool
	Reason string // why it did not pass; empty if it did
	Ruling evidence.Ruling
}

// Passed reports whether there was a case and every case passed. It does not
// ask for rules that no case matched.
func (r Report) Passed() bool {
	for _, result := range r.Results {
		if !result.Passed {
			return false
		}
	}
	return len(r.Results) > 0
}

// Test decides every case and compares the ruling with what the case wants.
// A case also fails if a rule could not be evaluated and the case does not
// list it under errors: a denial by accident proves nothing. So does one with
// arguments that the catalogue refuses, because policy would never be asked.
// Without a bundle or cases the report is empty, which has not passed.
func (b *Bundle) Test(cases *Cases) Report {
	var report Report
	if b == nil || cases == nil {
		return report
	}
	matched := map[string]bool{}
	for i := range cases.list {
		c := &cases.list[i]
		ruling := b.Decide(c.facts)
		ids, _ := split(ruling.Rules)
		for _, id := range ids {
			matched[id] = true
		}
		reason := b.explain(c, ruling)
		report.Results = append(report.Results, Result{c.name, c.line, reason == "", reason, ruling})
	}
	for _, r := range b.rules {
		if !matched[r.info.ID] {
			report.Unmatched = append(report.Unmatched, r.info.ID)
		}
	}
	return report
}

// explain returns why ruling is not what c wants, or nothing.
func (b *Bundle) explain(c *testCase, ruling evidence.Ruling) string {
	if err := b.checkArgs(c.facts); err != nil {
		return err.Error()
	}
	for _, id := range slices.Concat(c.rules, c.errors) {
		if !slices.ContainsFunc(b.rules, func(r *rule) bool { return r.info.ID == id }) {
			return fmt.Sprintf("the bundle has no rule %q", id)
		}
	}
	if ruling.Effect != c.want {
		return fmt.Sprintf("want %s, got %s (%s): %s", c.want, ruling.Effect, ruling.Cause, ruling.Reason)
	}
	matched, failed := split(ruling.Rules)
	if !same(failed, c.errors) {
		return fmt.Sprintf("want errors in %s, got %s: %s", list(c.errors), list(failed), ruling.Reason)
	}
	if c.rules != nil && !same(matched, c.rules) {
		return fmt.Sprintf("want rules %s to match, got %s", list(c.rules), list(matched))
	}
	return ""
}

// checkArgs reports arguments of the step that no execution could have.
func (b *Bundle) checkArgs(f evidence.Facts) error {
	if f.Step == nil || b.actions == nil {
		return nil
	}
	if action, ok := b.actions.Action(f.Step.Action); ok {
		return action.CheckArgs(f.Step.Args)
	}
	return nil
}

// split returns the ids of the rules that matched and of those that failed.
func split(results []evidence.RuleResult) (matched, failed []string) {
	for _, r := range results {
		if r.Error != "" {
			failed = append(failed, r.ID)
		} else {
			matched = append(matched, r.ID)
		}
	}
	return matched, failed
}

// same reports whether a and b hold the same ids in any order.
func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func list(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
