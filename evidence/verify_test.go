package evidence_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// TestT30SeparateAnswers checks that each way to be wrong is an answer of its
// own, and that none is given for what was not looked at.
func TestT30SeparateAnswers(t *testing.T) {
	good := evidencetest.Proof(t, "completed").Records
	unreadable := append([]Envelope{{}}, good[1:]...)
	forged := replaced(good, 4, evidencetest.SignBytes(evidencetest.Stranger, PayloadType, good[4].Payload))
	forgedAndCut := forged[:5]
	ungoverned := built(t, play(open, seal(func(s *Seal) { s.Verdict = Completed }))).Records
	tests := []struct {
		name                          string
		trust                         *Trust
		records                       []Envelope
		authentic, complete, governed Answer
		want                          error
	}{
		{"good", evidencetest.Trust(), good, Yes, Yes, Yes, nil},
		{"nothing", evidencetest.Trust(), nil, No, NotChecked, NotChecked, ErrNotAuthentic},
		{"trusts nobody", &Trust{}, good, No, Yes, NotChecked, ErrNotAuthentic},
		{"unreadable", evidencetest.Trust(), unreadable, No, NotChecked, NotChecked, ErrNotAuthentic},
		{"forged", evidencetest.Trust(), forged, No, Yes, NotChecked, ErrNotAuthentic},
		{"forged and cut", evidencetest.Trust(), forgedAndCut, No, No, NotChecked, ErrNotAuthentic},
		{"cut", evidencetest.Trust(), good[:5], Yes, No, NotChecked, ErrIncomplete},
		{"not governed", evidencetest.Trust(), ungoverned, Yes, Yes, No, ErrUngoverned},
	}
	for _, tt := range tests {
		r := Verify(tt.trust, &Proof{Records: tt.records})
		if r.Authentic.Answer != tt.authentic || r.Complete.Answer != tt.complete || r.Governed.Answer != tt.governed {
			t.Errorf("%s: %v, %v, %v", tt.name, r.Authentic, r.Complete, r.Governed)
		}
		if err := r.Err(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := new(Report).Err(); !errors.Is(err, ErrNotAuthentic) || !strings.HasSuffix(err.Error(), "not checked") {
		t.Errorf("the zero report: %v", err)
	}
}

// TestVerifyAllRecords checks that findings do not end with the first.
func TestVerifyAllRecords(t *testing.T) {
	r := Verify(&Trust{}, evidencetest.Proof(t, "completed"))
	for i, f := range r.Authentic.Findings {
		if f.Record != i {
			t.Errorf("finding %d is about record %d", i, f.Record)
		}
	}
	if len(r.Authentic.Findings) != r.Records {
		t.Errorf("%d findings in %d records that nobody may sign", len(r.Authentic.Findings), r.Records)
	}
}

func TestReport(t *testing.T) {
	p := evidencetest.Proof(t, "denied-at-a-step")
	got := Verify(evidencetest.Trust(), p)
	var chain Chain
	for _, e := range p.Records {
		chain.Append(e.Digest())
	}
	grant, err := p.Records[1].Decode()
	if err != nil {
		t.Fatal(err)
	}
	denial, err := p.Records[4].Decode()
	if err != nil {
		t.Fatal(err)
	}
	want := &Report{
		Reason:    denial.Predicate.(*Decision).Reason,
		Execution: "refund-0042", Run: grant.Predicate.(*Grant).Binding.Run, Principal: "alice",
		Policy: grant.Predicate.(*Grant).Policy, Verdict: Denied, Cause: "policy.deny",
		Sealed: got.Sealed, Records: 6, Head: chain.Next().Prev,
		Steps:     []StepEnd{{lookup, "orders.read", StateDone}, {refund, "orders.refund", StateDenied}, {notify, "mail.send", StateNotStarted}},
		Approvals: []Approved{}, Resolved: []Resolved{}, Open: []string{},
		Authentic: Check{Answer: Yes}, Complete: Check{Answer: Yes}, Governed: Check{Answer: Yes},
	}
	if !reflect.DeepEqual(got, want) || got.Reason == "" || got.Sealed <= evidencetest.Start {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestReportPolicy checks that a report names the policy if there is only a
// grant, and if there is only a denial.
func TestReportPolicy(t *testing.T) {
	for name, build := range map[string]func(*desk){
		"grant":  play(request(), grant(), seal()),
		"denial": play(request(), refuse(), seal()),
	} {
		r := Verify(evidencetest.Trust(), built(t, build))
		if r.Err() != nil || r.Policy.Name != "refunds" || r.Policy.Digest.IsZero() {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestReportJSON checks that lists are never null, whatever a seal states.
func TestReportJSON(t *testing.T) {
	r := Verify(evidencetest.Trust(), built(t, play(refuse(), seal(func(s *Seal) { s.Steps = nil }))))
	b, err := json.Marshal(r)
	if err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	if s := string(b); !strings.Contains(s, `"steps":[]`) || !strings.Contains(s, `"approvals":[]`) || strings.Contains(s, `"order"`) || !strings.Contains(s, `"answer":"yes"`) {
		t.Error(s)
	}
	if b, err = json.Marshal(Verify(&Trust{}, &Proof{})); err != nil || !strings.Contains(string(b), `"answer":"not checked"`) {
		t.Error(string(b), err)
	}
}

// TestVerifyLeavesItsArguments runs the verifier twice over one proof.
func TestVerifyLeavesItsArguments(t *testing.T) {
	p := evidencetest.Proof(t, "halted-by-a-signal")
	trust := evidencetest.Trust()
	if !reflect.DeepEqual(Verify(trust, p), Verify(trust, p)) || !reflect.DeepEqual(p, evidencetest.Proof(t, "halted-by-a-signal")) {
		t.Error("a proof was changed by being verified")
	}
}
