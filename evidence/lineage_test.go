package evidence_test

import (
	"reflect"
	"testing"

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
		l.Count() != 0, l.Signals() != 0, l.Lease() != Lease{}, l.Stopped() != "", l.Tripped() != "", l.Last() != 0:
		t.Errorf("an empty lineage says something: %+v", l)
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
		{"lapsed", play(open, allow(refund), ended(refund, StatusUnknown, lapsed)), "step refund was unknown", CauseLapsed},
		{"bad signal", play(open, badSignal()), "an integrity probe failed", "probe.policy"},
		{"signal without probes", play(open, badSignal(func(s *Signal) { s.Probes = nil })), "an integrity probe failed", "probe.none"},
		{"signal with its second probe bad", play(open, badSignal(func(s *Signal) {
			s.Probes = []Probe{{Name: "clock", Status: ProbeOK}, {Name: "disk", Status: ""}}
		})), "an integrity probe failed", "probe.disk"},
		{"halt", play(open, halt()), "the execution was halted", ""},
		{"bad signal, then refused, then halted", play(open, allow(refund), badSignal(), ended(refund, StatusRefused), halt()),
			"an integrity probe failed", "probe.policy"},
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
		{"refused, no halt yet", play(open, allow(refund), ended(refund, StatusRefused)), all, Cancelled, CauseCancelled},
	}
	for _, tt := range tests {
		if v, cause, _ := lineage(t, tt.build).Judge(tt.began); v != tt.verdict || cause != tt.cause {
			t.Errorf("%s: %s (%s), want %s (%s)", tt.name, v, cause, tt.verdict, tt.cause)
		}
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
