package activities

import (
	"fmt"
	"slices"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// stillWaits says how a step waits that need not be decided anew yet; nil if
// it must be: it was not decided, somebody refused, the approvals are there,
// or the wait is over.
func (c *Control) stillWaits(x *execution, id string) *contract.Wait {
	d, _ := x.lineage.Waiting(id)
	if d == nil {
		return nil
	}
	w := c.waits(x, id)
	now, said := c.now(&x.lineage), x.lineage.Said(id)
	switch {
	case d.Effect == evidence.Defer && now < d.Again:
		return w
	case d.Effect == evidence.Defer || now >= d.Until || said.Refused() != nil:
		return nil
	}
	ungranted := func(r evidence.RuleResult) bool {
		return r.Effect == evidence.StepUp && !r.Granted(said, x.lineage.Requester(), now)
	}
	if !slices.ContainsFunc(d.Rules, ungranted) {
		return nil
	}
	return w
}

// waits says how a step waits by its newest decision, which is one to wait. An
// approval by somebody whose clock is ahead counts from the time that it
// states: then the step is asked for again.
func (c *Control) waits(x *execution, id string) *contract.Wait {
	d, rec := x.lineage.Waiting(id)
	w := &contract.Wait{Step: id, Effect: d.Effect, Decision: rec.Digest, At: d.Until, Until: d.Until, Reason: d.Reason}
	if d.Effect == evidence.Defer {
		w.At = d.Again
		return w
	}
	now, said, by := c.now(&x.lineage), x.lineage.Said(id), x.lineage.Requester()
	counts := now // from when on everything that was said counts
	for _, r := range said {
		if at := r.Predicate.When(); at > now {
			w.At, counts = min(w.At, at), max(counts, at)
		}
	}
	for i := range d.Rules {
		r := &d.Rules[i]
		if r.Effect != evidence.StepUp || r.Granted(said, by, counts) {
			continue
		}
		w.Missing = max(w.Missing, said.Missing(r.Ask, by, counts))
		for _, who := range r.Ask.By {
			if who != by && !slices.Contains(w.By, who) {
				w.By = append(w.By, who)
			}
		}
	}
	return w
}

// bounded turns a ruling to wait into a denial where the wait is over: people
// refused, or nobody said anything for as long as the rules waited.
func (c *Control) bounded(x *execution, id string, now evidence.Time, r evidence.Ruling) evidence.Ruling {
	deny := func(cause, reason string) evidence.Ruling {
		return evidence.Ruling{Effect: evidence.Deny, Cause: cause, Reason: clip(reason), Rules: r.Rules}
	}
	if no := x.lineage.Said(id).Refused(); no != nil && (r.Effect != evidence.Deny || r.Cause == "approval.refused") {
		a := no.Predicate.(*evidence.Approval)
		return deny("approval.refused", fmt.Sprintf("%s refused%s", a.Approver, noted(a.Note)))
	}
	limit := x.lineage.Limit(id, r.Effect)
	if !r.Effect.Waits() || limit == 0 || now < limit {
		return r
	}
	if r.Effect == evidence.StepUp {
		return deny("approval.timeout", fmt.Sprintf("the approvals were not there by %v", limit))
	}
	return deny("defer.timeout", fmt.Sprintf("it was deferred until %v, and is not allowed yet", limit))
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return ": " + note
}

// waitEnds returns when a wait is over at the latest, and when a deferred step
// is asked for again. Where several rules wait, the shortest wait counts.
func (c *Control) waitEnds(x *execution, id string, now evidence.Time, r evidence.Ruling) (until, again evidence.Time) {
	until, again = x.lineage.Grant().Expires, 0
	if limit := x.lineage.Limit(id, r.Effect); limit != 0 {
		until = min(until, limit)
	}
	for _, rule := range r.Rules {
		switch {
		case rule.Effect != r.Effect:
		case rule.Ask != nil:
			until = min(until, now.Add(ms(rule.Ask.WithinMS)))
		case rule.Delay != nil:
			until = min(until, now.Add(ms(rule.Delay.ForMS)))
			if next := now.Add(ms(rule.Delay.EveryMS)); again == 0 || next < again {
				again = next
			}
		}
	}
	return until, min(again, until)
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
