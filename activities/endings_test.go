package activities_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestT09RefusedStaysRefused keeps the signed word that nothing began, and lets
// the same step be attempted again once there is a lease: whoever owns Temporal
// chooses which of two outcomes the workflow gets.
func TestT09RefusedStaysRefused(t *testing.T) {
	for _, action := range []string{"once", "again"} {
		t.Run(action, func(t *testing.T) {
			cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
			require.NoError(t, err)
			st, err := store.Open(t.Context(), t.TempDir()+"/evidence.db")
			require.NoError(t, err)
			t.Cleanup(func() { _ = st.Close() })
			tt := guardCase{action: action, change: lapsed}
			d := &desk{store: st}
			in := d.decide(t, tt, cat)
			out, err := d.call(t, tt, cat, in)
			require.NoError(t, err)
			require.Equal(t, evidence.StatusRefused, out.Status)
			renewBy(evidencetest.Authority)(t, d)
			again, err := d.call(t, tt, cat, in)
			require.Zero(t, d.calls, "it acted although its outcome says that nothing began")
			if err == nil {
				require.Equal(t, out.Outcome, again.Outcome)
			}
		})
	}
}

// TestT10RepeatedAfterTheSeal lets a lost attempt at a step that can be
// repeated be made again after the seal, under a lease that still runs.
func TestT10RepeatedAfterTheSeal(t *testing.T) {
	p := newPlane(t)
	p.granted()
	rec := p.take(t, p.decideB(t))
	p.sealed(t, contract.SealInput{Head: p.head}, evidence.Unresolved, evidence.CauseNoOutcome)

	cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
	require.NoError(t, err)
	var effects atomic.Int32
	runStep(newSteps(t, cat, p.store.(*store.Store), acting(&effects)), contract.RunInput{Decision: rec.Envelope, Args: []byte(`{}`)})
	require.Zero(t, effects.Load(), "a step ran after the seal")
}

// decideB lets step a be done and allows step b, which can be repeated.
func (p *plane) decideB(t *testing.T) contract.Work {
	t.Helper()
	done := p.outcome(p.decideA(t), evidence.StatusDone, "")
	out, err := p.decide([]string{"b"}, done)
	require.NoError(t, err)
	p.follow(out.Entries, done)
	return out.Allowed[0]
}

// take takes the slot of a step as its worker does.
func (p *plane) take(t *testing.T, work contract.Work) *evidence.Record {
	t.Helper()
	rec := p.record(work)
	d := rec.Predicate.(*evidence.Decision)
	_, err := p.store.Fence(t.Context(), store.Slot{Run: testRun, Step: d.Step, Decision: rec.Digest, Key: d.Key, Worker: evidencetest.Worker, At: d.At})
	require.NoError(t, err)
	return rec
}

// TestT10AnsweredButNotStored has a worker that died between its answer and
// its store: the answer came back, the slot has no outcome. Temporal's owner
// hands the step in again after the seal.
func TestT10AnsweredButNotStored(t *testing.T) {
	p := newPlane(t)
	p.granted()
	work := p.decideB(t)
	rec := p.take(t, work)
	p.sealed(t, contract.SealInput{Head: p.head, Fresh: []evidence.Envelope{p.outcome(work, evidence.StatusFailed, "x")}}, evidence.Failed, "x")
	cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
	require.NoError(t, err)
	var effects atomic.Int32
	runStep(newSteps(t, cat, p.store.(*store.Store), acting(&effects)), contract.RunInput{Decision: rec.Envelope, Args: []byte(`{}`)})
	require.Zero(t, effects.Load(), "a step ran again after the seal")
}

// TestT09TheOtherOutcome has two attempts at a step that can be repeated, of
// which one was stopped and one acted. Temporal's owner hands in the first.
func TestT09TheOtherOutcome(t *testing.T) {
	for name, tt := range map[string]struct {
		stored  evidence.Status
		verdict evidence.Verdict
		cause   string
	}{
		"stored as done":      {evidence.StatusDone, evidence.Halted, "outcome.contradicted"},
		"stored as cancelled": {evidence.StatusCancelled, evidence.Cancelled, evidence.CauseCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			p.granted()
			work := p.decideB(t)
			p.take(t, work)
			cause := map[bool]string{true: "", false: "another"}[tt.stored == evidence.StatusDone]
			require.NoError(t, p.store.(*store.Store).Finish(t.Context(), testRun, "b", p.outcome(work, tt.stored, cause)))
			p.sealed(t, contract.SealInput{Head: p.head, Fresh: []evidence.Envelope{p.outcome(work, evidence.StatusCancelled, "step.cancelled")}}, tt.verdict, tt.cause)
		})
	}
}

// decideA allows step a.
func (p *plane) decideA(t *testing.T) contract.Work {
	t.Helper()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	return out.Allowed[0]
}

// TestWatchEndsWithTheSeal checks that a Watch that nobody stopped renews no
// lease of an execution that was sealed with a step open.
func TestWatchEndsWithTheSeal(t *testing.T) {
	p := newPlane(t)
	p.terms = evidence.Terms{LeaseMS: 20_000, IntervalMS: 20, WindowMS: 20_000}
	p.build()
	ticket := p.granted()
	work := p.decideA(t)
	rec := p.record(work)
	d := rec.Predicate.(*evidence.Decision)
	st := p.store.(*store.Store)
	_, err := st.Fence(t.Context(), store.Slot{Run: testRun, Step: "a", Decision: rec.Digest, Key: d.Key, Worker: evidencetest.Worker, At: d.At})
	require.NoError(t, err)
	in := contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding}
	watched := make(chan *contract.WatchOutput, 1)
	go func() {
		out, _ := call[contract.WatchOutput](p, p.act.Watch, in)
		watched <- out
	}()
	number := func() uint64 { l, _, _ := st.Lease(context.WithoutCancel(t.Context()), testRun); return l.Number }
	require.Eventually(t, func() bool { return number() > 3 }, time.Minute, 5*time.Millisecond)
	p.sealed(t, contract.SealInput{Head: p.head}, evidence.Unresolved, evidence.CauseNoOutcome)
	select {
	case out := <-watched:
		require.NotEmpty(t, out.Halt.Check)
	case <-time.After(10 * time.Second):
		t.Fatal("it is still renewing the lease of a sealed execution")
	}
}

// TestRollCallOfFinishedSteps has a step whose outcome is in the chain, but not
// beside its slot, because its worker died in between, or because the run was
// superseded before: what it last attested is of no interest any more.
func TestRollCallOfFinishedSteps(t *testing.T) {
	p := newPlane(t)
	p.terms = evidence.Terms{LeaseMS: 20_000, IntervalMS: 20, WindowMS: 100}
	p.build()
	ticket := p.granted()
	work := p.decideA(t)
	rec := p.record(work)
	d := rec.Predicate.(*evidence.Decision)
	st := p.store.(*store.Store)
	_, err := st.Fence(t.Context(), store.Slot{Run: testRun, Step: "a", Decision: rec.Digest, Key: d.Key, Worker: evidencetest.Worker, At: d.At})
	require.NoError(t, err)
	done := p.outcome(work, evidence.StatusDone, "")
	out, err := p.decide([]string{"b"}, done)
	require.NoError(t, err)
	p.follow(out.Entries, done)
	elsewhere := d.Binding
	elsewhere.Run = "the run before"
	e, err := evidencetest.Signer(evidencetest.Worker).Sign(rec.Subject, &evidence.Attestation{
		At: d.At, Decision: rec.Digest, Binding: elsewhere, Step: "a", Worker: evidencetest.Worker, Attempt: 1, Counter: 1,
		Nonce: d.Lease.Nonce, Process: self, Probes: []evidence.Probe{{Name: "p", Status: evidence.ProbeOK, Want: "a", Got: "a"}},
	})
	require.NoError(t, err)
	require.NoError(t, st.Attest(t.Context(), store.Attestation{Run: testRun, Step: "a", Attempt: 1, Counter: 1, Signed: e}))
	watched, err := call[contract.WatchOutput](p, p.act.Watch, contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding})
	require.NoError(t, err)
	require.Empty(t, watched.Halt, "a step that has ended halts the execution")
}
