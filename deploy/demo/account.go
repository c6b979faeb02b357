package main

import (
	"fmt"
	"os"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// An account is what became of one execution.
type account struct {
	name    string
	receipt *contract.Receipt
	facts   facts
	took    time.Duration // from the request to the verdict
	url     string        // in the Temporal UI
	notes   []string      // what happened to it meanwhile

	report   *evidence.Report // set by verify
	replayed bool             // set by replay
	wrong    []error          // whatever is not as expected
}

func (a *account) blame(format string, args ...any) {
	a.wrong = append(a.wrong, fmt.Errorf("%s: %w", a.name, fmt.Errorf(format, args...)))
}

func (a *account) compare(want facts) {
	for _, d := range a.facts.differences(want) {
		a.blame("%s", d)
	}
}

// verify verifies the proof file, with only the trust root, and holds it
// against the receipt.
func (a *account) verify(f folder) {
	report, err := verifyFile(f.path("trust.json"), f.proof(a.name))
	if err != nil {
		a.report = &evidence.Report{}
		a.blame("the proof: %w", err)
		return
	}
	a.report = report
	if err := report.Err(); err != nil {
		a.blame("the proof: %w", err)
	}
	if report.Verdict != a.receipt.Verdict || report.Head != a.receipt.Head || report.Execution != a.name {
		a.blame("the proof is not that of the receipt: it ends %s in %s", report.Verdict, report.Head.Short())
	}
}

func verifyFile(trustPath, proofPath string) (*evidence.Report, error) {
	data, err := os.ReadFile(trustPath)
	if err != nil {
		return nil, err
	}
	trust, err := evidence.ParseTrust(data)
	if err != nil {
		return nil, err
	}
	if data, err = os.ReadFile(proofPath); err != nil {
		return nil, err
	}
	proof, err := evidence.DecodeProof(data)
	if err != nil {
		return nil, err
	}
	return evidence.Verify(trust, proof), nil
}
