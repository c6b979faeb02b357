package evidence_test

import (
	"reflect"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// lineage adds all records of a chain, which must all be allowed.
func lineage(t *testing.T, build func(*desk)) *Lineage {
	t.Helper()
	var l Lineage
	for i, e := range built(t, build).Records {
		r, err := evidencetest.Trust().Open(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Add(r); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	return &l
}

func TestLineageEmpty(t *testing.T) {
	l := lineage(t, play())
	decision, record := l.Decided(lookup)
	switch {
	case l.Request() != nil, l.Grant() != nil, !l.GrantDigest().IsZero(), l.Refusal() != nil, l.Halted() != nil, l.Sealed() != nil,
		decision != nil, record != nil, l.Ended(lookup) != nil, len(l.Past()) != 0, l.Binding() != Binding{}, l.Subject() != Subject{},
		l.Count() != 0, l.Signals() != 0, l.Lease() != Lease{}, l.Stopped() != "", l.Tripped() != "", l.Last() != 0,
		l.Limit(lookup, StepUp) != 0, len(l.Said(lookup)) != 0, l.Requester() != "", l.Ordered() != nil, l.Orders() != 0, l.Rejected() != 0, l.Signed(""):
		t.Errorf("an empty lineage says something: %+v", l)
	}
	if waiting, record := l.Waiting(lookup); waiting != nil || record != nil {
		t.Errorf("a step waits in an empty lineage: %+v", waiting)
	}
	if v, cause, ends := l.Judge(func(string) bool { return true }); v == Completed || cause == "" || len(ends) != 0 {
		t.Errorf("nothing at all is %s, %s, %v", v, cause, ends)
	}
}

func TestLineageReads(t *testing.T) {
	build := play(open, signal(), allow(refund), ended(refund, StatusCancelled, lapsed), halt(), seal())
	records := built(t, build).Records
	l := lineage(t, build)
	decision, record := l.Decided(lookup)
	o := l.Ended(lookup)
	want := []Past{
		{Step: lookup, Action: "orders.read", Args: l.Request().Steps[0].Args, Status: StatusDone, Result: o.Result, At: o.At},
		{Step: refund, Action: "orders.refund", Args: l.Request().Steps[1].Args, Status: StatusCancelled, At: l.Ended(refund).At},
	}
	newest, _ := l.Decided(refund)
	switch {
	case !reflect.DeepEqual(l.Past(), want):
		t.Errorf("past %+v", l.Past())
	case decision.Step != lookup || record.Digest != records[2].Digest():
		t.Errorf("decision %+v", decision)
	case l.GrantDigest() != records[1].Digest() || l.Binding() != l.Grant().Binding || l.Count() != len(records) || l.Signals() != 1:
		t.Errorf("%+v", l)
	case l.Subject() != Subject{Execution: "refund-0042", Digest: records[0].Digest()}:
		t.Errorf("subject %+v", l.Subject())
	case newest.Lease != l.Lease() || newest.Lease.Number != 2:
		t.Errorf("lease %+v", l.Lease())
	case l.Last() != l.Sealed().At || l.Halted() == nil || l.Ended("no step") != nil:
		t.Errorf("last %v", l.Last())
	}
}

// agreed is a step that waits for two people, who have approved.
func agreed(id string) func(*desk) {
	return play(open, stepUp(id), approve(id, carol), approve(id, dave))
}

func knows(orders uint64) func(*Decision) {
	return func(d *Decision) { d.Orders = Position{Seq: orders, Prev: another} }
}

// TestLineageAccepts has what only just is allowed, and what the clocks of
// others may do.
func TestLineageAccepts(t *testing.T) {
	last := func(l *Time) func(*Decision) { return func(d *Decision) { *l = d.At } }
	var at Time
	for name, build := range map[string]func(*desk){
		"grant as long as the request":      play(request(), grant(func(g *Grant) { g.Expires = evidencetest.Start.Add(3600e9) })),
		"grant for one millisecond":         play(request(), grant(func(g *Grant) { g.Expires = g.At + 1 })),
		"grant before the request's clock":  play(request(func(r *Request) { r.Issued += 60_000 }), grant()),
		"lease for one millisecond":         play(request(), grant(func(g *Grant) { g.Lease.Until = g.At + 1 })),
		"window of no length":               play(open, signal(func(s *Signal) { s.From = s.At })),
		"step of no length":                 play(open, allow(refund), done(refund, func(o *Outcome) { o.Started = o.At })),
		"worker's clock ahead":              play(open, allow(refund), done(refund, func(o *Outcome) { o.At += 60_000 }), allow(notify), seal()),
		"worker's clock behind":             play(open, allow(refund), done(refund, func(o *Outcome) { o.Started, o.At = evidencetest.Start-2, evidencetest.Start-1 }), allow(notify), seal()),
		"signal older than a decision":      play(open, allow(refund), signal(func(s *Signal) { s.At, s.From = s.At-15, s.At-15; s.Lease.Until -= 15 })),
		"decision as old as the one before": play(open, allow(refund, last(&at)), done(refund), allow(notify, func(d *Decision) { d.At = at })),
		"halt as old as the decision":       play(open, allow(refund, last(&at)), halt(func(h *Halt) { h.At = at })),
		"seal as old as the decision":       play(open, deny(refund, last(&at)), seal(func(s *Seal) { s.At = at })),
		"lease renewed, but not longer":     play(open, allow(refund, func(d *Decision) { d.Lease.Number, d.Lease.Nonce = 2, nonce(2) })),
		"leases renewed unseen":             play(open, signal(func(s *Signal) { s.Lease.Number = 9 }), allow(refund, func(d *Decision) { d.Lease.Number, d.Lease.Nonce = 10, nonce(10) })),
		"denied after a failed step":        play(open, allow(refund), ended(refund, StatusFailed), deny(notify), seal()),
		"outcome after a bad signal":        play(open, allow(refund), badSignal(), done(refund), halt(), seal()),
		"run that takes over":               play(open, handover(), takeover(), signal(), step(refund), seal()),
		"sealed instead of taken over":      play(open, handover(), seal()),
		"halted instead of taken over":      play(open, handover(), halt(), seal()),
		"lease of a takeover, renewed":      play(open, signal(), handover(), takeover(), signal(), step(refund)),
		"worker that attested":              play(open, allow(refund), signal(func(s *Signal) { s.Workers = []Attested{{Step: refund}, {Step: lookup}} })),
		"handover with steps left to begin": play(request(), grant(), handover(), takeover(), step(lookup)),
		"approved at once":                  play(open, stepUp(refund), approve(refund, carol, func(a *Approval) { a.At -= 10 }), approve(refund, dave), approved(refund)),
		"approved at the last moment": play(open, stepUp(refund), approve(refund, carol), pass(599_970*time.Millisecond), approve(refund, dave),
			signal(), func(d *desk) { d.Approved(refund, with(asks(2, 600_000, carol, dave))) }),
		"approvals that are only just young enough": play(agreed(refund), approved(refund, with(asks(2, 20, carol, dave)))),
		"approval that only just has not expired":   play(open, stepUp(refund), approve(refund, carol), approve(refund, dave, func(a *Approval) { a.Expires = a.At + 11 }), approved(refund)),
		"one of one":                                 play(open, stepUp(refund), approve(refund, erin), approved(refund, with(asks(1, 1000, erin)))),
		"two rules with people of their own":         play(agreed(refund), approved(refund, with(asks(1, 1000, carol), asks(1, 1000, dave)))),
		"approved by an approver's other key":        play(open, stepUp(refund), approve(refund, dave), approve(refund, evidencetest.CarolsPhone), approved(refund)),
		"approved again after it was decided again":  play(open, stepUp(refund), approve(refund, carol), stepUp(refund), approve(refund, carol), approve(refund, dave), approved(refund)),
		"refused after the own approval":             play(open, stepUp(refund), approve(refund, carol), refuseBy(refund, carol), deny(refund), seal()),
		"refused with another key after an approval": play(open, stepUp(refund), approve(refund, carol), refuseBy(refund, evidencetest.CarolsPhone), deny(refund), seal()),
		"handover of a step that was refused":        play(open, stepUp(refund), refuseBy(refund, carol), handover(), takeover(), deny(refund), seal()),
		"allowed when nothing asks any more":         play(open, stepUp(refund), allow(refund)),
		"deferred to the last moment":                play(open, later(refund, func(d *Decision) { d.Again = d.Until })),
		"waits as long as the grant":                 play(open, stepUp(refund, func(d *Decision) { d.Rules, d.Until = asks(1, 3600_000, carol), evidencetest.Start.Add(time.Hour) })),
		"waits as long as the slower rule":           play(open, stepUp(refund, with(asks(1, 1000, carol), asks(1, 600_000, carol)))),
		"waits shorter when it is decided anew":      play(open, stepUp(refund), stepUp(refund, func(d *Decision) { d.Until = d.At + 1 })),
		"waits while another runs": play(request(func(r *Request) { r.Steps[2].Needs = nil }), grant(), step(lookup),
			allow(refund), stepUp(notify), done(refund), approve(notify, carol), approve(notify, erin), approved(notify), done(notify), seal()),
		"decided anew after a handover": play(open, stepUp(refund), approve(refund, carol), handover(), takeover(), stepUp(refund), approve(refund, dave), approved(refund)),
		"deferred across runs":          play(open, later(refund), handover(), takeover(), later(refund), allow(refund)),
		"more orders, and more": play(open, allow(refund, knows(1)), signal(func(s *Signal) { s.Orders = Position{Seq: 4, Prev: another} }), done(refund),
			stepUp(notify, knows(2)), handover(), takeover(func(t *Takeover) { t.Orders.Seq = 5 }), func(d *desk) { d.Signal(func(s *Signal) { s.Orders.Seq = 5 }) }),
		"denied by fewer orders":        play(open, allow(refund, knows(2)), done(refund), deny(notify)),
		"revoked while it waits":        play(open, stepUp(refund), approve(refund, carol), order(), deny(refund), halt(), seal()),
		"order about the principal":     play(open, order(scope(ScopePrincipal, evidencetest.Alice)), halt(), seal()),
		"order about the policy":        play(open, order(scope(ScopePolicy, "refunds")), halt(), seal()),
		"order about an action":         play(open, order(scope(ScopeAction, "mail.send")), halt(), seal()),
		"order about the authority":     play(open, order(scope(ScopeKey, evidencetest.Signer(evidencetest.Authority).KeyID())), halt(), seal()),
		"order about an approver":       play(open, stepUp(refund), approve(refund, carol), order(scope(ScopeKey, evidencetest.Signer(carol).KeyID())), halt(), seal()),
		"order from before the request": play(open, order(func(o *Order) { o.At = evidencetest.Start - 1000 }), halt(), seal()),
		"order when all is done":        play(open, step(refund), step(notify), order(), halt(), seal()),
		"done after an order":           play(open, allow(refund), order(), done(refund), halt(), seal()),
		"order after a failed step":     play(open, allow(refund), ended(refund, StatusFailed), order(), halt(), seal()),
		"rejection after a denied step": play(open, deny(refund), rejection(), seal()),
		"rejection right after another": play(open, rejection(), rejection(), step(refund)),
		"second attempt":                play(open, allow(refund), done(refund, func(o *Outcome) { o.Attempt = 2 })),
		"last millisecond of the grant": play(request(), grant(), allow(lookup, func(d *Decision) {
			d.At = evidencetest.Start.Add(3600e9) - 1
			d.Lease = Lease{Number: 200, Until: d.At + 1, Nonce: nonce(200)}
		})),
	} {
		t.Run(name, func(t *testing.T) { lineage(t, build) })
	}
}

// TestLineageStops checks that the first reason to stop is the one that is
// given, and which checks ask for a halt.
func TestLineageStops(t *testing.T) {
	tests := []struct {
		name             string
		build            func(*desk)
		stopped, tripped string
	}{
		{"done", play(open), "", ""},
		{"good signal", play(open, signal(), signal()), "", ""},
		{"denied request", play(request(), refuse()), "the request was denied", ""},
		{"denied step", play(open, deny(refund)), "a step was denied", ""},
		{"failed", play(open, allow(refund), ended(refund, StatusFailed)), "step refund was failed", ""},
		{"cancelled", play(open, allow(refund), ended(refund, StatusCancelled)), "step refund was cancelled", ""},
		{"unknown", play(open, allow(refund), ended(refund, StatusUnknown)), "step refund was unknown", ""},
		{"refused", play(open, allow(refund), ended(refund, StatusRefused)), "step refund was refused", "guard.step.refused"},
		{"bad takeover", play(open, handover(), takeover(func(t *Takeover) { t.Probes, t.Lease = nil, Lease{} })), "an integrity probe failed", "probe.none"},
		{"unfit", play(open, allow(refund), ended(refund, StatusUnknown, func(o *Outcome) { o.Cause = CauseUnfit })), "step refund was unknown", CauseUnfit},
		{"cut off", play(open, allow(refund), ended(refund, StatusCancelled, func(o *Outcome) { o.Cause = CauseCutOff })), "step refund was cancelled", CauseCutOff},
		{"lapsed", play(open, allow(refund), ended(refund, StatusUnknown, lapsed)), "step refund was unknown", CauseLapsed},
		{"bad signal", play(open, badSignal()), "an integrity probe failed", "probe.policy"},
		{"signal without probes", play(open, badSignal(func(s *Signal) { s.Probes = nil })), "an integrity probe failed", "probe.none"},
		{"signal with its second probe bad", play(open, badSignal(func(s *Signal) {
			s.Probes = []Probe{{Name: "clock", Status: ProbeOK}, {Name: "disk", Status: ""}}
		})), "an integrity probe failed", "probe.disk"},
		{"halt", play(open, halt()), "the execution was halted", ""},
		{"bad signal, then refused, then halted", play(open, allow(refund), badSignal(), ended(refund, StatusRefused), halt()),
			"an integrity probe failed", "probe.policy"},
		{"waits", play(open, stepUp(refund), approve(refund, carol), rejection()), "", ""},
		{"refused by a person", play(open, stepUp(refund), refuseBy(refund, carol)), "", ""},
		{"revoked", play(open, order()), "an order stopped it", CauseRevoked},
		{"killed", play(open, order(scope(ScopeAll, ""))), "an order stopped it", CauseKilled},
		{"stopped by a worker for a revocation", play(open, allow(refund), ended(refund, StatusCancelled, func(o *Outcome) { o.Cause = CauseRevoked })), "step refund was cancelled", CauseRevoked},
		{"stopped by a worker for a kill", play(open, allow(refund), ended(refund, StatusUnknown, func(o *Outcome) { o.Cause = CauseKilled })), "step refund was unknown", CauseKilled},
		{"failed, then killed", play(open, allow(refund), ended(refund, StatusFailed), order(scope(ScopeAll, ""))), "step refund was failed", CauseKilled},
		{"failed, then a bad signal", play(open, allow(refund), ended(refund, StatusFailed), badSignal()), "step refund was failed", "probe.policy"},
	}
	for _, tt := range tests {
		if l := lineage(t, tt.build); l.Stopped() != tt.stopped || l.Tripped() != tt.tripped {
			t.Errorf("%s: stopped %q, tripped %q", tt.name, l.Stopped(), l.Tripped())
		}
	}
}

// TestJudge has a row for each pair of endings of which one is the stronger.
func TestJudge(t *testing.T) {
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	independent := func(r *Request) { r.Steps[1].Needs, r.Steps[2].Needs = nil, nil }
	both := func(a, b Status) func(*desk) {
		return play(request(independent), grant(), step(lookup), allow(refund), allow(notify), ended(refund, a), ended(notify, b))
	}
	tests := []struct {
		name    string
		build   func(*desk)
		began   func(string) bool
		verdict Verdict
		cause   string
	}{
		{"no grant", play(request()), none, Cancelled, CauseCancelled},
		{"no step", play(request(), grant()), all, Cancelled, CauseCancelled},
		{"all done", play(open, step(refund), step(notify)), all, Completed, CauseCompleted},
		{"not all begun", play(open), all, Cancelled, CauseCancelled},
		{"allowed, not begun", play(open, allow(refund)), none, Cancelled, CauseCancelled},
		{"allowed and begun", play(open, allow(refund)), all, Unresolved, CauseNoOutcome},
		{"denied, and said to have begun", play(open, deny(refund)), all, Denied, "policy.deny"},
		{"denied request", play(request(), refuse()), all, Denied, "policy.deny"},
		{"failed over cancelled", both(StatusCancelled, StatusFailed), all, Failed, "step.failed"},
		{"unresolved over failed", both(StatusFailed, StatusUnknown), all, Unresolved, "step.unknown"},
		{"unresolved over halted", play(both(StatusUnknown, StatusFailed), halt()), all, Unresolved, "step.unknown"},
		{"halted over failed", play(both(StatusCancelled, StatusFailed), halt()), all, Halted, "probe.policy"},
		{"halted over denied", play(open, deny(refund), halt()), all, Halted, "probe.policy"},
		{"halted over completed", play(open, step(refund), step(notify), halt()), all, Halted, "probe.policy"},
		{"denied over failed", play(request(independent), grant(), step(lookup), allow(refund), ended(refund, StatusFailed), deny(notify)), all, Denied, "policy.deny"},
		{"the first cause in the order of the plan", play(both(StatusFailed, StatusFailed)), all, Failed, "step.failed"},
		{"waits", play(open, stepUp(refund)), all, Cancelled, CauseCancelled},
		{"refused by a person, not decided", play(open, stepUp(refund), refuseBy(refund, carol)), all, Cancelled, CauseCancelled},
		{"refused by a person", play(open, stepUp(refund), refuseBy(refund, carol), deny(refund)), all, Denied, "policy.deny"},
		{"an order, no halt yet", play(open, order()), all, Cancelled, CauseCancelled},
		{"approved and begun", play(agreed(refund), approved(refund)), all, Unresolved, CauseNoOutcome},
		{"refused, no halt yet", play(open, allow(refund), ended(refund, StatusRefused)), all, Cancelled, CauseCancelled},
	}
	for _, tt := range tests {
		if v, cause, _ := lineage(t, tt.build).Judge(tt.began); v != tt.verdict || cause != tt.cause {
			t.Errorf("%s: %s (%s), want %s (%s)", tt.name, v, cause, tt.verdict, tt.cause)
		}
	}
}

// TestJudgeAsksOnlyWhatItMust checks that records speak for themselves where
// they can.
func TestJudgeAsksOnlyWhatItMust(t *testing.T) {
	var asked []string
	lineage(t, play(open, allow(refund))).Judge(func(step string) bool {
		asked = append(asked, step)
		return false
	})
	if !reflect.DeepEqual(asked, []string{refund}) {
		t.Errorf("asked whether %v began", asked)
	}
}

// TestJudgeCauseOrder checks that of two failed steps the plan's first gives
// the cause, whichever ended first.
func TestJudgeCauseOrder(t *testing.T) {
	cause := func(c string) func(*Outcome) { return func(o *Outcome) { o.Cause = c } }
	l := lineage(t, play(request(func(r *Request) { r.Steps[1].Needs, r.Steps[2].Needs = nil, nil }), grant(),
		allow(refund), allow(notify), ended(notify, StatusFailed, cause("late")), ended(refund, StatusFailed, cause("early"))))
	if _, c, _ := l.Judge(func(string) bool { return false }); c != "early" {
		t.Errorf("cause %q", c)
	}
}

func TestIdempotencyKey(t *testing.T) {
	a, b := FileDigest([]byte("a")), FileDigest([]byte("b"))
	keys := map[string]bool{IdempotencyKey(a, "x"): true, IdempotencyKey(a, "y"): true, IdempotencyKey(b, "x"): true, IdempotencyKey(a, ""): true}
	if len(keys) != 4 || len(IdempotencyKey(a, "x")) != 32 {
		t.Errorf("%v", keys)
	}
}

// TestBindingOf: every record says which run it belongs to, save the two that
// belong to none.
func TestBindingOf(t *testing.T) {
	kinds := map[Kind]bool{}
	for _, ending := range evidencetest.Endings() {
		for _, e := range append(ending.Proof(t).Records, built(t, play(open, attestation())).Records...) {
			r, err := e.Decode()
			if err != nil {
				t.Fatal(err)
			}
			kinds[r.Kind()] = true
			b, ok := BindingOf(r.Predicate)
			if none := r.Kind() == KindRequest || r.Kind() == KindOrder; ok == none || (b.Run == "") != none {
				t.Errorf("%s: bound to %+v, %v", r.Kind(), b, ok)
			}
		}
	}
	if len(kinds) != 14 {
		t.Errorf("only %d kinds: %v", len(kinds), kinds)
	}
}

func TestLineageHandedOver(t *testing.T) {
	build := play(open, signal(), handover())
	records := built(t, build).Records
	if l := lineage(t, build); l.HandedOver().Digest != records[len(records)-1].Digest() || l.Renewed() != 2 {
		t.Errorf("handed over %+v, renewed %d", l.HandedOver(), l.Renewed())
	}
	if l := lineage(t, play(build, takeover())); l.HandedOver() != nil || l.Renewed() != 3 {
		t.Errorf("handed over %+v, renewed %d", l.HandedOver(), l.Renewed())
	}
}
