package evidence_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

func TestLineageWaiting(t *testing.T) {
	build := play(open, later(refund), stepUp(refund), approve(refund, carol), rejection())
	l, records := lineage(t, build), built(t, build).Records
	d, r := l.Waiting(refund)
	if d == nil || d.Effect != StepUp || r.Digest != records[5].Digest() {
		t.Fatalf("waits by %+v", d)
	}
	if decided, _ := l.Decided(refund); decided != nil {
		t.Error("a step that waits is decided")
	}
	if said := l.Said(refund); len(said) != 1 || said[0].Holder != carol {
		t.Errorf("said: %+v", said)
	}
	first, err := evidencetest.Trust().Open(records[4])
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case l.Limit(refund, StepUp) != d.Until, l.Limit(refund, Defer) != first.Predicate.(*Decision).Until, l.Limit(notify, Defer) != 0, l.Limit("x", Defer) != 0:
		t.Errorf("limits %v, %v", l.Limit(refund, StepUp), l.Limit(refund, Defer))
	case l.Said("x") != nil, l.Requester() != evidencetest.Alice, rejections(l) != 1, l.Last() == d.At:
		t.Errorf("%+v", l)
	}
	for name, build := range map[string]func(*desk){
		"allowed": play(agreed(refund), approved(refund)), "denied": play(open, stepUp(refund), deny(refund)), "not decided": open,
	} {
		if d, r := lineage(t, build).Waiting(refund); d != nil || r != nil {
			t.Errorf("%s, and waits by %+v", name, d)
		}
	}
	if d, _ := l.Waiting("x"); d != nil {
		t.Error("a step that is not planned waits")
	}
}

// said are the words of people, none of them verified.
func said(words ...Record) Approvals {
	all := Approvals{}
	for i := range words {
		all = append(all, &words[i])
	}
	return all
}

func word(holder string, at Time, edits ...func(*Approval)) Record {
	a := &Approval{At: at, Word: Approve, Expires: at + 1000}
	for _, edit := range edits {
		edit(a)
	}
	return Record{Holder: holder, Predicate: a}
}

func refusal(a *Approval) { a.Word = Refuse }

// TestT28Approvals asks of words whether they are enough.
func TestT28Approvals(t *testing.T) {
	const now = 10_000
	two := &Ask{By: []string{"ann", "ben", "cid"}, Need: 2, WithinMS: 500}
	tests := []struct {
		name    string
		said    Approvals
		ask     *Ask
		missing int
	}{
		{"two", said(word("ann", now), word("ben", now-500)), two, 0},
		{"three", said(word("ann", now), word("ben", now), word("cid", now)), two, 0},
		{"two, and one again", said(word("ann", now), word("ann", now), word("ben", now)), two, 0},
		{"nobody", nil, two, 2},
		{"one", said(word("ann", now)), two, 1},
		{"one twice", said(word("ann", now), word("ann", now-1)), two, 1},
		{"somebody not asked", said(word("ann", now), word("dan", now)), two, 1},
		{"somebody of another spelling", said(word("ann", now), word("Ben", now)), two, 1},
		{"somebody without a name", said(word("ann", now), word("", now)), &Ask{By: []string{"ann", ""}, Need: 2, WithinMS: 500}, 1},
		{"the requester", said(word("ann", now), word("req", now)), &Ask{By: []string{"ann", "req"}, Need: 2, WithinMS: 500}, 1},
		{"too old", said(word("ann", now), word("ben", now-501)), two, 1},
		{"in the future", said(word("ann", now), word("ben", now+1)), two, 1},
		{"expired", said(word("ann", now), word("ben", now-1, func(a *Approval) { a.Expires = now })), two, 1},
		{"refused", said(word("ann", now), word("ben", now), word("cid", now, refusal)), two, 1},
		{"nothing but a refusal", said(word("ann", now, refusal)), two, 2},
		{"refused first", said(word("cid", now, refusal), word("ann", now), word("ben", now)), two, 1},
		{"refused long ago", said(word("cid", 1, refusal), word("ann", now), word("ben", now)), two, 1},
		{"refused by somebody not asked", said(word("dan", now, refusal), word("ann", now), word("ben", now)), two, 1},
		{"an unknown word", said(word("cid", now, func(a *Approval) { a.Word = "Approve" }), word("ann", now), word("ben", now)), two, 1},
		{"no word", said(word("cid", now, func(a *Approval) { a.Word = "" }), word("ann", now), word("ben", now)), two, 1},
		{"something else", said(Record{Holder: "cid", Predicate: &Halt{}}, word("ann", now), word("ben", now)), two, 1},
		{"nothing asked", said(word("ann", now)), nil, 1},
		{"nobody needed", said(word("ann", now)), &Ask{By: []string{"ann"}, WithinMS: 500}, 1},
		{"fewer than nobody needed", said(word("ann", now)), &Ask{By: []string{"ann"}, Need: -1, WithinMS: 500}, 1},
		{"nobody asked", said(word("ann", now)), &Ask{Need: 1, WithinMS: 500}, 1},
	}
	for _, tt := range tests {
		if got := tt.said.Missing(tt.ask, "req", now); got != tt.missing || tt.said.Met(tt.ask, "req", now) != (tt.missing == 0) {
			t.Errorf("%s: %d missing, met %v, want %d", tt.name, got, tt.said.Met(tt.ask, "req", now), tt.missing)
		}
	}
}

func TestRuleGranted(t *testing.T) {
	enough := said(word("ann", 10))
	ask := &Ask{By: []string{"ann"}, Need: 1, WithinMS: 500}
	for name, tt := range map[string]struct {
		rule RuleResult
		want bool
	}{
		"zero":              {RuleResult{}, false},
		"allows":            {RuleResult{Effect: Allow}, true},
		"allows and asks":   {RuleResult{Effect: Allow, Ask: ask}, false},
		"allows and delays": {RuleResult{Effect: Allow, Delay: &Delay{1, 1}}, false},
		"failed":            {RuleResult{Effect: Allow, Error: "e"}, false},
		"denies":            {RuleResult{Effect: Deny}, false},
		"unknown":           {RuleResult{Effect: "Allow"}, false},
		"approved":          {RuleResult{Effect: StepUp, Ask: ask}, true},
		"approved, failed":  {RuleResult{Effect: StepUp, Ask: ask, Error: "e"}, false},
		"asks nothing":      {RuleResult{Effect: StepUp}, false},
		"asks too few":      {RuleResult{Effect: StepUp, Ask: &Ask{By: []string{"ann"}, Need: 2, WithinMS: 500}}, false},
		"asks and delays":   {RuleResult{Effect: StepUp, Ask: ask, Delay: &Delay{1, 1}}, false},
		"delays":            {RuleResult{Effect: Defer, Delay: &Delay{1, 1}}, false},
	} {
		if got := tt.rule.Granted(enough, "req", 20); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestT16ApprovalIsForOne takes a good approval of one execution and puts it
// everywhere that it does not belong.
func TestT16ApprovalIsForOne(t *testing.T) {
	good := built(t, play(open, stepUp(refund), approve(refund, carol)))
	approval := good.Records[len(good.Records)-1]
	r, err := evidencetest.Trust().Open(approval)
	if err != nil {
		t.Fatal(err)
	}
	other := func(r *Request) { r.Nonce = "ff0102030405060708090a0b0c0d0e0f" }
	for name, build := range map[string]func(*desk){
		"another execution":       play(request(other), grant(), step(lookup), stepUp(refund)),
		"a step not yet decided":  open,
		"a step decided anew":     play(open, stepUp(refund), stepUp(refund)),
		"a step that waits since": play(open, signal(), stepUp(refund)),
		"a step deferred since":   play(open, stepUp(refund), later(refund)),
		"itself":                  play(open, stepUp(refund), approve(refund, carol)),
	} {
		if err := lineage(t, build).Add(r); !errors.Is(err, ErrUngoverned) {
			t.Errorf("%s: %v, want ErrUngoverned", name, err)
		}
	}
	nobody := *r
	nobody.Holder = ""
	if err := lineage(t, play(open, stepUp(refund))).Add(&nobody); !errors.Is(err, ErrUngoverned) {
		t.Errorf("by nobody: %v, want ErrUngoverned", err)
	}
	unnamed := play(open, stepUp(refund, with(asks(1, 3600_000, carol, ""))))
	approval = built(t, play(unnamed, approve(refund, carol))).Records[5]
	if r, err := evidencetest.Trust().Open(approval); err != nil {
		t.Error(err)
	} else if r.Holder = ""; !errors.Is(lineage(t, unnamed).Add(r), ErrUngoverned) {
		t.Error("somebody without a name was asked, and nobody answered")
	}
	if err := lineage(t, play(open, stepUp(refund))).Add(r); err != nil {
		t.Errorf("where it belongs: %v", err)
	}
}

// TestReportSays checks what a report says of people and orders, and that the
// reason of a wait is not that of the verdict.
func TestReportSays(t *testing.T) {
	r := Verify(evidencetest.Trust(), evidencetest.Proof(t, "completed-approved-in-two-runs"))
	want := []Approved{
		{Step: refund, Approver: evidencetest.CarolsPhone, Holder: carol, Word: Approve},
		{Step: refund, Approver: erin, Holder: erin, Word: Approve},
	}
	for i := range r.Approvals {
		if r.Approvals[i].At <= evidencetest.Start {
			t.Errorf("said on %v", r.Approvals[i].At)
		}
		r.Approvals[i].At = 0
	}
	if r.Err() != nil || !slices.Equal(r.Approvals, want) || r.Reason != "" || r.Order != nil {
		t.Errorf("%v, reason %q: %+v", r.Err(), r.Reason, r.Approvals)
	}
	r = Verify(evidencetest.Trust(), evidencetest.Proof(t, "denied-refused"))
	if r.Err() != nil || len(r.Approvals) != 3 || r.Approvals[2].Word != Refuse || r.Approvals[2].Note == "" || r.Cause != "approval.refused" {
		t.Errorf("%v: %s, %+v", r.Err(), r.Cause, r.Approvals)
	}
	p := evidencetest.Proof(t, "halted-killed-while-it-waited")
	r = Verify(evidencetest.Trust(), p)
	o, err := evidencetest.Trust().Open(p.Records[6])
	if err != nil {
		t.Fatal(err)
	}
	said := o.Predicate.(*Order)
	if r.Err() != nil || !reflect.DeepEqual(r.Order, &Ordered{Order: o.Digest, Scope: Scope{Kind: ScopeAll}, Revoker: evidencetest.Revoker, Reason: "fire drill", At: said.At}) {
		t.Errorf("%v: %+v", r.Err(), r.Order)
	}
}

// TestReadUnverified: records that were only decoded can be read although
// nobody knows whose key is whose, and a lineage that decides says no to them.
func TestReadUnverified(t *testing.T) {
	for _, ending := range evidencetest.Endings() {
		records := ending.Proof(t).Records
		l, err := ReadUnverified(records)
		if err != nil {
			t.Errorf("%s: %v", ending.Name, err)
		} else if l.Count() != len(records) || l.Sealed().Verdict != ending.Verdict {
			t.Errorf("%s: %+v", ending.Name, l)
		}
	}
	phone := evidencetest.Proof(t, "completed-approved-in-two-runs").Records
	var l Lineage
	var err error
	for _, e := range phone {
		r, bad := e.Decode()
		if bad != nil {
			t.Fatal(bad)
		}
		if err = l.Add(r); err != nil {
			break
		}
	}
	checkRefusal(t, err, `"carols-phone" was not asked`)

	held := evidencetest.Keys()
	held[0].Person = "Alice Liddell"
	trust, err := NewTrust(evidencetest.Domain, held)
	if err != nil {
		t.Fatal(err)
	}
	about := built(t, play(open, order(scope(ScopePrincipal, "Alice Liddell")), halt(), seal()))
	if err := Verify(trust, about).Err(); err != nil {
		t.Errorf("an order about a person: %v", err)
	}
	if l, err := ReadUnverified(about.Records[:5]); err != nil || l.Ordered() == nil {
		t.Errorf("an order about a person that nobody knows: %v", err)
	}

	good := evidencetest.Proof(t, "completed").Records
	for name, tt := range map[string]struct {
		records []Envelope
		want    error
	}{
		"unreadable":  {[]Envelope{{}}, ErrEnvelope},
		"ungoverned":  {good[1:], ErrUngoverned},
		"failed rule": {built(t, play(agreed(refund), approved(refund, func(d *Decision) { d.Rules[1].Error = "e" }))).Records, ErrUngoverned},
		"denied rule": {built(t, play(agreed(refund), approved(refund, func(d *Decision) { d.Rules[0].Effect = Deny }))).Records, ErrUngoverned},
		"no rule":     {built(t, play(agreed(refund), approved(refund, with()))).Records, ErrUngoverned},
	} {
		if l, err := ReadUnverified(tt.records); !errors.Is(err, tt.want) || l != nil {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// rejections returns how many messages were rejected.
func rejections(l *Lineage) int {
	_, n := l.Rejected(Digest{})
	return n
}
