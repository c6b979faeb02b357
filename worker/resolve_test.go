package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// operator returns a starter that resolves with the key of that name.
func operator(t *testing.T, f *workertest.Fixture, name string) *starter.Starter {
	t.Helper()
	s, err := starter.New(starter.Config{Client: f.Client, Trust: f.Trust, Queue: f.Queue, Operator: evidencetest.Signer(name)})
	require.NoError(t, err)
	return s
}

// proofOf asks for the proof as users do: with what came after the seal.
func proofOf(t *testing.T, f *workertest.Fixture, s *starter.Starter, id string) (*evidence.Proof, *evidence.Report) {
	t.Helper()
	proof, err := s.Proof(t.Context(), id)
	require.NoError(t, err)
	report := evidence.Verify(f.Trust, proof)
	require.NoError(t, report.Err())
	return proof, report
}

// lose runs an execution whose step "pay" is lost after "read" was done.
func lose(t *testing.T, f *workertest.Fixture) client.WorkflowRun {
	t.Helper()
	run := f.Begin(workertest.Step("read", "desk.read", `{}`), workertest.Step("pay", "desk.lose", `{}`, "read"))
	report := f.Verified(run)
	require.Equal(t, evidence.Unresolved, report.Verdict)
	require.Equal(t, []string{"pay"}, report.Open)
	return run
}

// present starts the workflow that records resolutions, as anybody may who
// owns the namespace, and returns its answer or why it refused.
func present(t *testing.T, f *workertest.Fixture, id string, signed evidence.Envelope) (*contract.Resolved, contract.Cause) {
	t.Helper()
	run, err := f.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: f.Queue, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, contract.ResolveWorkflow, signed)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out contract.Resolved
	err = run.Get(ctx, &out)
	if err == nil {
		return &out, contract.Cause{}
	}
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "%v", err)
	require.Equal(t, contract.ErrTypeRefused, app.Type(), "%v", err)
	var cause contract.Cause
	require.NoError(t, app.Details(&cause))
	return nil, cause
}

// resolution returns what an operator would sign about the step "pay".
func resolution(t *testing.T, proof *evidence.Proof) (*evidence.Resolution, evidence.Subject) {
	t.Helper()
	var l evidence.Lineage
	for _, e := range proof.Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		require.NoError(t, l.Add(rec))
	}
	r, err := l.Resolve("pay")
	require.NoError(t, err)
	r.At = max(r.At, evidence.TimeOf(time.Now()))
	r.Operator, r.Found, r.Note = evidencetest.Operator, evidence.Happened, "the ledger has it"
	return r, l.Subject()
}

func signAs(t *testing.T, name string, about evidence.Subject, p evidence.Predicate) evidence.Envelope {
	t.Helper()
	e, err := evidencetest.Signer(name).Sign(about, p)
	require.NoError(t, err)
	return e
}

// TestT19Resolve: an operator says what happened, the control plane records
// it after the seal, and the proof shows both, for good.
func TestT19Resolve(t *testing.T) {
	f := workertest.New(t)
	run := lose(t, f)
	receipt, _ := f.Wait(run)
	s := operator(t, f, evidencetest.Operator)
	before, report := proofOf(t, f, s, run.GetID())
	require.Equal(t, []string{"pay"}, report.Open)

	done, err := s.Resolve(t.Context(), before, "pay", evidence.Happened, "the bank's statement shows it")
	require.NoError(t, err)
	require.Equal(t, uint64(len(before.Records)), done.Seq)
	require.Empty(t, done.Open)

	proof, err := s.Proof(t.Context(), run.GetID())
	require.NoError(t, err)
	require.Equal(t, append(before.Records[:len(before.Records):len(before.Records)], done.Resolution), proof.Records)
	var chain evidence.Chain
	for _, e := range proof.Records {
		chain.Append(e.Digest())
	}
	require.Equal(t, chain.Next().Prev, done.Link)
	report = evidence.Verify(f.Trust, proof)
	require.NoError(t, report.Err())
	require.Equal(t, evidence.Unresolved, report.Verdict, "the verdict is for ever")
	require.Empty(t, report.Open)
	require.Len(t, report.Resolved, 1)
	require.Equal(t, "pay", report.Resolved[0].Step)
	require.Equal(t, evidencetest.Operator, report.Resolved[0].Operator)
	require.Equal(t, receipt.Head, report.Head, "a receipt and every proof of the execution agree")

	// Nobody says otherwise afterwards: with the newest proof, with an old
	// one, by another operator, or past the starter.
	other := operator(t, f, evidencetest.OtherOperator)
	for _, p := range []*evidence.Proof{proof, before} {
		_, err = other.Resolve(t.Context(), p, "pay", evidence.NotHappened, "I do not believe it")
		require.ErrorIs(t, err, starter.ErrResolved)
		require.ErrorContains(t, err, "pay happened, by olga on ")
	}
	contradicting, about := resolution(t, before)
	contradicting.Found = evidence.NotHappened
	id := contract.ResolveID(run.GetRunID(), "pay")
	_, cause := present(t, f, id, signAs(t, evidencetest.Operator, about, contradicting))
	require.Equal(t, contract.CheckResolved, cause.Check)
	require.Contains(t, cause.Reason, "already resolved: pay happened, by olga on ")
	again, err := s.Proof(t.Context(), run.GetID())
	require.NoError(t, err)
	require.Equal(t, proof, again, "a later attempt does not hide what was recorded")

	// The same resolution again is the same answer, also from a control plane
	// that starts anew.
	f.Stop()
	f.Start()
	same, cause := present(t, f, id, done.Resolution)
	require.Empty(t, cause)
	require.Equal(t, done, same)
	again, err = s.Proof(t.Context(), run.GetID())
	require.NoError(t, err)
	require.Equal(t, proof, again)
	require.Len(t, f.World.Effects(), 1, "resolving does nothing to the world")
}

// TestT19ResolutionsAreRefused: whoever owns the namespace can present
// anything. Only what an operator signed about an unresolved step becomes a
// record.
func TestT19ResolutionsAreRefused(t *testing.T) {
	f := workertest.New(t)
	run := lose(t, f)
	s := operator(t, f, evidencetest.Operator)
	proof, _ := proofOf(t, f, s, run.GetID())
	right, about := resolution(t, proof)
	fine := f.Begin(workertest.Step("pay", "desk.pay", `{"amount":1}`))
	completed := f.Verified(fine)
	by := func(name string) evidence.Envelope {
		r := *right
		r.Operator = name
		return signAs(t, name, about, &r)
	}
	but := func(edit func(*evidence.Resolution)) evidence.Envelope {
		r := *right
		edit(&r)
		return signAs(t, evidencetest.Operator, about, &r)
	}
	id := contract.ResolveID(run.GetRunID(), "pay")
	tests := []struct {
		name, id string
		signed   evidence.Envelope
		want     string
		reason   string
	}{
		{"nothing", id, evidence.Envelope{}, "resolution.untrusted", "payload type"},
		{"by the principal", id, by(evidencetest.Alice), "resolution.untrusted", "has role principal, not operator"},
		{"by the worker", id, by(evidencetest.Worker), "resolution.untrusted", "has role worker, not operator"},
		{"by the authority", id, by(evidencetest.Authority), "resolution.untrusted", "has role authority, not operator"},
		{"by the recorder", id, by(evidencetest.Recorder), "resolution.untrusted", "has role recorder, not operator"},
		{"by a stranger", id, by(evidencetest.Stranger), "resolution.untrusted", "is not in the trust root"},
		{"in another operator's name", id, signAs(t, evidencetest.OtherOperator, about, right), "resolution.untrusted", "its key belongs to"},
		{"another record", id, proof.Records[0], "resolution.kind", "a request was presented"},
		{"under another id", id + "x", but(func(*evidence.Resolution) {}), "resolution.workflow", "not for the workflow id"},
		{"for another step's id", contract.ResolveID(run.GetRunID(), "read"), but(func(*evidence.Resolution) {}), "resolution.workflow", ""},
		{"in another namespace", id, but(func(r *evidence.Resolution) { r.Binding.Namespace = "elsewhere" }), "resolution.workflow", ""},
		{"from the future", id, but(func(r *evidence.Resolution) { r.At = r.At.Add(time.Hour) }), "resolution.future", "in the future"},
		{"of a run that never was", contract.ResolveID("r", "pay"), but(func(r *evidence.Resolution) { r.Binding.Run = "r" }), "resolution.unstored", "has no records of execution"},
		{"of a step that is done", contract.ResolveID(run.GetRunID(), "read"), but(func(r *evidence.Resolution) { r.Step = "read" }), "resolution.refused", "is not one that the seal left unresolved"},
		{"of another seal", id, but(func(r *evidence.Resolution) { r.Seal = r.Grant }), "resolution.refused", "it names another seal"},
		{"of another decision", id, but(func(r *evidence.Resolution) { r.Decision = r.Seal }), "resolution.refused", "another decision"},
		{"older than the seal", id, but(func(r *evidence.Resolution) { r.At = askedAt(proof) }), "resolution.refused", "older than the seal"},
		{"of another execution in its place", contract.ResolveID(completed.Run, "pay"),
			but(func(r *evidence.Resolution) { r.Binding.Workflow, r.Binding.Run = fine.GetID(), completed.Run }), "resolution.refused", "about another execution"},
		{"of a completed execution", contract.ResolveID(completed.Run, "pay"), ofCompleted(t, f, fine), "resolution.refused", "the execution is completed, so there is nothing to resolve"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, cause := present(t, f, tt.id, tt.signed)
			require.Nil(t, out)
			require.Equal(t, tt.want, cause.Check, cause.Reason)
			require.Contains(t, cause.Reason, tt.reason)
		})
	}

	// The starter does not even ask.
	finished, _ := proofOf(t, f, s, fine.GetID())
	_, err := s.Resolve(t.Context(), finished, "pay", evidence.Happened, "it did")
	require.ErrorIs(t, err, starter.ErrNothingToResolve)
	for step, says := range map[string]string{"read": "is done", "fly": "has no step"} {
		_, err = s.Resolve(t.Context(), proof, step, evidence.Happened, "it did")
		require.ErrorIs(t, err, starter.ErrNothingToResolve)
		require.ErrorContains(t, err, says)
	}
	for _, found := range []evidence.Found{"", "maybe"} {
		_, err = s.Resolve(t.Context(), proof, "pay", found, "it did")
		require.ErrorIs(t, err, evidence.ErrField)
	}
	_, err = s.Resolve(t.Context(), proof, "pay", evidence.Happened, "")
	require.ErrorIs(t, err, evidence.ErrField)
	_, err = s.Resolve(t.Context(), &evidence.Proof{Records: proof.Records[:3]}, "pay", evidence.Happened, "it did")
	require.ErrorIs(t, err, evidence.ErrIncomplete)

	// After all this nothing is recorded, and the right one still can be.
	_, report := proofOf(t, f, s, run.GetID())
	require.Equal(t, []string{"pay"}, report.Open)
	done, err := s.Resolve(t.Context(), proof, "pay", evidence.NotHappened, "the ledger has nothing")
	require.NoError(t, err)
	require.Equal(t, uint64(len(proof.Records)), done.Seq)
}

// ofCompleted is signed by an operator about an execution in which nothing is
// open, right in everything else.
func ofCompleted(t *testing.T, f *workertest.Fixture, run client.WorkflowRun) evidence.Envelope {
	t.Helper()
	var l evidence.Lineage
	var seal evidence.Digest
	for _, e := range f.Proof(run).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		require.NoError(t, l.Add(rec))
		seal = rec.Digest
	}
	_, decision := l.Decided("pay")
	return signAs(t, evidencetest.Operator, l.Subject(), &evidence.Resolution{
		At: evidence.TimeOf(time.Now()), Request: l.Subject().Digest, Grant: l.GrantDigest(), Binding: l.Binding(), Seal: seal,
		Step: "pay", Decision: decision.Digest, Operator: evidencetest.Operator, Found: evidence.NotHappened, Note: "it did not",
	})
}

func askedAt(proof *evidence.Proof) evidence.Time {
	rec, err := proof.Records[0].Decode()
	if err != nil {
		return 0
	}
	return rec.Predicate.When()
}

// TestT18ResolvedAtOnce: eight people at once; one is heard, and the others
// are told whom.
func TestT18ResolvedAtOnce(t *testing.T) {
	f := workertest.New(t)
	workertest.Beside(f)
	run := lose(t, f)
	people := []*starter.Starter{operator(t, f, evidencetest.Operator), operator(t, f, evidencetest.OtherOperator)}
	proof, _ := proofOf(t, f, people[0], run.GetID())
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			found := evidence.Happened
			if i%3 == 0 {
				found = evidence.NotHappened
			}
			_, errs[i] = people[i%2].Resolve(t.Context(), proof, "pay", found, "looked")
		})
	}
	all.Wait()
	recorded := 0
	for _, err := range errs {
		if err == nil {
			recorded++
			continue
		}
		require.ErrorIs(t, err, starter.ErrResolved)
	}
	require.Equal(t, 1, recorded)
	after, err := people[0].Proof(t.Context(), run.GetID())
	require.NoError(t, err)
	require.Len(t, after.Records, len(proof.Records)+1)
	require.NoError(t, evidence.Verify(f.Trust, after).Err())
}

// TestT18TwoStepsResolvedAtOnce: two control planes append to one chain, and
// both resolutions are in it.
func TestT18TwoStepsResolvedAtOnce(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	f := workertest.New(t, workertest.WithConfig(func(c *worker.Config) {
		c.Steps.Funcs["fail"] = executor.Func(func(context.Context, executor.Call) (json.RawMessage, error) {
			both.Done()
			both.Wait()
			return nil, &executor.Error{Cause: "world.broken"}
		})
	}))
	workertest.Beside(f)
	run := f.Begin(workertest.Step("a", "desk.lose", `{}`), workertest.Step("b", "desk.lose", `{}`))
	require.Equal(t, []string{"a", "b"}, f.Verified(run).Open)
	s := operator(t, f, evidencetest.Operator)
	proof, _ := proofOf(t, f, s, run.GetID())
	errs := make([]error, 2)
	var all sync.WaitGroup
	for i, step := range []string{"a", "b"} {
		all.Go(func() { _, errs[i] = s.Resolve(t.Context(), proof, step, evidence.NotHappened, "looked") })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	after, err := s.Proof(t.Context(), run.GetID())
	require.NoError(t, err)
	report := evidence.Verify(f.Trust, after)
	require.NoError(t, report.Err())
	require.Len(t, report.Resolved, 2)
	require.Empty(t, report.Open)
}

// TestT19WhatIsNotStoredCannotBeResolved: without its records a resolution has
// nothing to follow, and the operator is told.
func TestT19WhatIsNotStoredCannotBeResolved(t *testing.T) {
	f := workertest.New(t)
	run := lose(t, f)
	s := operator(t, f, evidencetest.Operator)
	proof, _ := proofOf(t, f, s, run.GetID())
	f.Stop()
	f.Config.Store = f.Path("another.db")
	f.Start()
	_, err := s.Resolve(t.Context(), proof, "pay", evidence.Happened, "looked")
	require.ErrorIs(t, err, starter.ErrNotRecorded)
	require.ErrorContains(t, err, "the evidence store has no records of execution")
	f.Stop()
	f.Config.Store = f.Path("evidence.db")
	f.Start()
	_, err = s.Resolve(t.Context(), proof, "pay", evidence.Happened, "looked")
	require.NoError(t, err, "a refusal does not stand in the way")
}
