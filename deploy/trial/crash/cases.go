package main

import (
	"fmt"
	"strings"

	"github.com/interlock-run/interlock/deploy/trial/rig"
	"github.com/interlock-run/interlock/internal/crash"
)

// The victims. The frozen one is not killed: the process that passes the point
// stops there, another one takes its place, and when all is over and no lease is
// left, it goes on where it stood. The database is a victim where it is a server.
const (
	both     = "both"
	frozen   = "frozen"
	database = rig.Postgres
)

var victims = []string{rig.Control, rig.Steps, both, frozen, database}

// The kinds of evidence store.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// A trial is one cell of the matrix.
type trial struct {
	crash.Place
	pass   int    // of the point, at which it strikes
	at     string // what that pass is about
	victim string
	slow   bool // the refund takes longer than the first lease, so that the watch begins
	long   bool // the plan is so long that another run takes over
	unmade bool // no step worker runs, and the execution is cancelled: what was allowed never begins
	pairs  bool // two processes in each role, over one PostgreSQL
}

// names are the processes of a role.
func (t trial) names(role string) []string {
	if t.pairs {
		return []string{role, rig.Twin(role)}
	}
	return []string{role}
}

// where is the kind of store that the trial needs.
func (t trial) where() rig.Where {
	switch {
	case t.victim == database:
		return rig.OwnServer
	case t.pairs:
		return rig.SharedServer
	}
	return rig.File
}

// name is a name for a folder, a queue and an execution.
func (t trial) name() string {
	return strings.Join(strings.Fields(strings.NewReplacer(".", "-").Replace(t.Name+" "+t.at+" "+t.victim)), "-")
}

// roles are those of the victims.
func (t trial) roles() []string {
	switch t.victim {
	case both:
		return []string{rig.Control, rig.Steps}
	case frozen:
		return []string{string(t.Process)}
	case database:
		return nil
	}
	return []string{t.victim}
}

// Which pass of a point is about what: each step passes those of the step
// worker once, in the order of the plan.
const (
	first  = 1
	refund = 2
	letter = 3
)

// matrix returns every trial, in the order in which an execution passes the
// points.
func matrix() []trial {
	var all []trial
	for _, p := range crash.Points() {
		for _, t := range variants(p) {
			for _, v := range victims {
				t.victim = v
				if t.possible() {
					all = append(all, t)
				}
			}
		}
	}
	return all
}

// possible reports whether there is a victim: the world is no process, and where
// no step worker runs none can be killed.
func (t trial) possible() bool {
	switch {
	case t.victim == frozen:
		return t.Process != crash.World
	case t.unmade:
		return t.victim == rig.Control || t.victim == database
	}
	return true
}

// variants are the passes of a point that are worth a trial of their own.
func variants(p crash.Place) []trial {
	kind, _, _ := strings.Cut(p.Name, ".")
	switch {
	case kind == "attest":
		return []trial{{Place: p, pass: first, at: "refund", slow: true}}
	case p.Process != crash.Control:
		return []trial{{Place: p, pass: refund, at: "refund"}, {Place: p, pass: letter, at: "letter"}}
	case kind == "decide":
		return []trial{{Place: p, pass: first, at: "first"}, {Place: p, pass: letter, at: "letter"}}
	case kind == "watch":
		return []trial{{Place: p, pass: first, slow: true}}
	case kind == "handover", kind == "takeover":
		return []trial{{Place: p, pass: first, long: true}}
	case kind == "seal":
		return []trial{{Place: p, pass: first}, {Place: p, pass: first, at: "unmade", unmade: true}}
	}
	return []trial{{Place: p, pass: first}}
}

// chosen are the trials that the options ask for. Those with a frozen process
// take minutes, because Temporal goes on giving it work, and must be asked for.
func chosen(o options) ([]trial, error) {
	var some []trial
	for _, t := range matrix() {
		if t.victim == database && o.store != postgres {
			continue
		}
		if strings.HasPrefix(t.Name, o.point) && (t.victim == o.victim || o.victim == "" && t.victim != frozen) {
			t.pairs = o.store == postgres
			some = append(some, t)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("there is no trial with -point %q, -victim %q and -store %q; see -help", o.point, o.victim, o.store)
	}
	return some, nil
}
