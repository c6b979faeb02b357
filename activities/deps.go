package activities

import (
	"context"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// A Policy says whether something may happen. Decide must be pure: the same
// facts give the same ruling. It must be usable concurrently, and deny
// whatever it cannot decide.
type Policy interface {
	Decide(evidence.Facts) evidence.Ruling
	Ref() evidence.PolicyRef
}

// Records is the part of the evidence store that the control plane needs. See
// [store.Store] for what each method promises; every write must be on disk
// before it returns nil.
type Records interface {
	Begin(context.Context, store.Run, *store.Nonce, ...evidence.Envelope) (evidence.Position, error)
	Append(context.Context, store.Run, evidence.Position, ...evidence.Envelope) (evidence.Position, error)
	Continue(context.Context, store.Run, store.Run, evidence.Position, evidence.Digest, ...evidence.Envelope) (evidence.Position, error)
	Records(context.Context, store.Run, uint64) ([]store.Record, error)
	Head(context.Context, store.Run) (evidence.Position, error)
	Fence(context.Context, store.Slot) (store.Slot, error)
	Slots(context.Context, store.Run) ([]store.Slot, error)
	Renew(context.Context, store.Run, evidence.Lease, evidence.Envelope) error
	Lease(context.Context, store.Run) (evidence.Lease, evidence.Envelope, error)
	Attestations(context.Context, store.Run) ([]store.Attestation, error)
	Seen(context.Context) (evidence.Time, error)
}

// Effects is the part of the evidence store that a step worker needs.
type Effects interface {
	Take(context.Context, store.Slot) (store.Slot, error)
	Slots(context.Context, store.Run) ([]store.Slot, error)
	Finish(context.Context, store.Run, string, evidence.Envelope) error
	Lease(context.Context, store.Run) (evidence.Lease, evidence.Envelope, error)
	Attest(context.Context, store.Attestation) error
	Attestations(context.Context, store.Run) ([]store.Attestation, error)
	Records(context.Context, store.Run, uint64) ([]store.Record, error)
	Head(context.Context, store.Run) (evidence.Position, error)
	Epoch(context.Context, store.Run) (uint64, error)
	Seen(context.Context) (evidence.Time, error)
}

// Pinned is what a probe compares with: what the execution was granted on.
type Pinned struct {
	Run       store.Run
	Policy    evidence.Digest
	Catalogue evidence.Digest
	Head      evidence.Position // a position that the execution's chain has passed
}

// A Probe is one named integrity check.
type Probe struct {
	// Name is a stable code. A probe that fails halts with "probe." and it.
	Name string
	// Quick means that the probe may be asked before every step: it neither
	// waits nor reads much.
	Quick bool
	// Measure returns what should be and what is. The probe is ok only if it
	// returns no error and both are the same, and not empty. Want and got
	// stand in evidence: digests or short texts, no secrets.
	Measure func(context.Context, Pinned) (want, got string, err error)
}

// measure asks probes and reports every answer. A probe that cannot answer has
// failed.
func measure(ctx context.Context, probes []Probe, of Pinned, quickOnly bool) []evidence.Probe {
	results, _ := survey(ctx, probes, of, quickOnly)
	return results
}

// survey is measure, and says why if all that failed is that the evidence store
// did not answer. A probe that is bad, or unanswered for any other reason, is
// not made good by that.
func survey(ctx context.Context, probes []Probe, of Pinned, quickOnly bool) (results []evidence.Probe, outage error) {
	results = []evidence.Probe{}
	worse := false
	for _, p := range probes {
		if quickOnly && !p.Quick {
			continue
		}
		want, got, err := p.ask(ctx, of)
		status := probeStatus(want, got, err)
		switch {
		case status == evidence.ProbeUnanswered && away(err):
			outage = err
		case status != evidence.ProbeOK:
			worse = true
		}
		results = append(results, evidence.Probe{Name: p.Name, Status: status, Want: want, Got: got})
	}
	if worse {
		return results, nil
	}
	return results, outage
}

// ask measures; a probe that panics cannot answer.
func (p *Probe) ask(ctx context.Context, of Pinned) (want, got string, err error) {
	defer func() {
		if r := recover(); r != nil {
			want, got, err = "", "", fmt.Errorf("probe %s panicked: %v", p.Name, r)
		}
	}()
	return p.Measure(ctx, of)
}

// probeStatus is the one place where the answer of a probe becomes a status.
func probeStatus(want, got string, err error) evidence.ProbeStatus {
	switch {
	case err != nil, want == "", got == "":
		return evidence.ProbeUnanswered
	case want != got:
		return evidence.ProbeBad
	}
	return evidence.ProbeOK
}

// failed returns the first probe that is not ok, or nil. No probes at all is
// no proof of anything, and counts as a failure.
func failed(probes []evidence.Probe) *evidence.Probe {
	for i := range probes {
		if probes[i].Status != evidence.ProbeOK {
			return &probes[i]
		}
	}
	if len(probes) == 0 {
		return &evidence.Probe{Name: "none", Status: evidence.ProbeUnanswered}
	}
	return nil
}
