package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// An index holds the rules that can concern each question, in the order of
// the bundle. It is read only.
type index struct {
	phases  map[evidence.Phase][]*rule // admit and integrity
	actions map[string][]*rule         // phase step; has every action of the catalogue
}

func newIndex(rules []*rule, cat *catalogue.Catalogue) index {
	in := index{map[evidence.Phase][]*rule{}, map[string][]*rule{}}
	names := cat.Names()
	for _, name := range names {
		in.actions[name] = nil
	}
	for _, r := range rules {
		if r.info.Phase != evidence.PhaseStep {
			in.phases[r.info.Phase] = append(in.phases[r.info.Phase], r)
			continue
		}
		for _, name := range names {
			if slices.ContainsFunc(r.info.Actions, func(pattern string) bool { return covers(pattern, name) }) {
				in.actions[name] = append(in.actions[name], r)
			}
		}
	}
	return in
}

// covers reports whether pattern is the action, or ends in * and the action
// begins with the rest.
func covers(pattern, action string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(action, prefix)
	}
	return pattern == action
}

// checkCost reports the first question whose rules together may cost more
// than [DecideLimit].
func (in index) checkCost() error {
	for _, phase := range []evidence.Phase{evidence.PhaseAdmit, evidence.PhaseIntegrity} {
		if cost := costOf(in.phases[phase]); cost > DecideLimit {
			return fmt.Errorf("phase %s may cost %d, the limit is %d", phase, cost, DecideLimit)
		}
	}
	for _, action := range slices.Sorted(maps.Keys(in.actions)) {
		if cost := costOf(in.actions[action]); cost > DecideLimit {
			return fmt.Errorf("action %s may cost %d, the limit is %d", action, cost, DecideLimit)
		}
	}
	return nil
}

func costOf(rules []*rule) (sum uint64) {
	for _, r := range rules {
		if r.info.Cost == 0 {
			sum += CostLimit
		}
		sum += r.info.Cost
	}
	return sum
}
