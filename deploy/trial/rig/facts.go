package rig

import (
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// Facts are what a verified proof says.
type Facts struct {
	Verdict evidence.Verdict
	Cause   string
	Sealed  time.Time
	Steps   []StepFacts // the plan's, in its order
}

// StepFacts are what a proof says of one step.
type StepFacts struct {
	ID      string
	Action  string
	Key     string // of the decision that allows it; empty without one
	Outcome evidence.Status
	State   evidence.State // by the seal
}

// FactsOf verifies a proof, and fails unless it is authentic, complete and
// governed.
func FactsOf(trust *evidence.Trust, proof *evidence.Proof) (Facts, error) {
	report := evidence.Verify(trust, proof)
	if err := report.Err(); err != nil {
		return Facts{}, fmt.Errorf("the proof does not verify: %w", err)
	}
	f := Facts{Verdict: report.Verdict, Cause: report.Cause, Sealed: report.Sealed.Time()}
	for _, end := range report.Steps {
		f.Steps = append(f.Steps, StepFacts{ID: end.ID, Action: end.Action, State: end.State})
	}
	for i, e := range proof.Records {
		rec, err := e.Decode()
		if err != nil {
			return f, fmt.Errorf("record %d: %w", i, err)
		}
		f.add(rec.Predicate)
	}
	return f, nil
}

func (f *Facts) add(p evidence.Predicate) {
	switch p := p.(type) {
	case *evidence.Decision:
		if s := f.step(p.Step); s != nil && p.Effect.Allows() {
			s.Key = p.Key
		}
	case *evidence.Outcome:
		if s := f.step(p.Step); s != nil {
			s.Outcome = p.Status
		}
	}
}

func (f *Facts) step(id string) *StepFacts {
	for i := range f.Steps {
		if f.Steps[i].ID == id {
			return &f.Steps[i]
		}
	}
	return nil
}
