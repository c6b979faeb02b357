package workertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// patience bounds every wait for Temporal. Answers can be tens of seconds late
// on a busy machine.
const patience = 3 * time.Minute

// Random returns a new id.
func Random() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// Step makes a step of a plan.
func Step(id, action, args string, needs ...string) evidence.Step {
	return evidence.Step{ID: id, Action: action, Args: json.RawMessage(args), Needs: needs}
}

// Request makes an unsigned request of alice's.
func (f *Fixture) Request(steps ...evidence.Step) *evidence.Request {
	now := time.Now()
	return &evidence.Request{
		ID: "exec-" + Random(), Audience: evidencetest.Domain, Principal: evidencetest.Alice,
		Purpose: "testing", Policy: "desk", Nonce: Random(), Steps: steps,
		Issued: evidence.TimeOf(now), Expires: evidence.TimeOf(now.Add(time.Hour)),
	}
}

// Sign signs a request with the key of the given name.
func (f *Fixture) Sign(name string, r *evidence.Request) evidence.Envelope {
	f.T.Helper()
	e, err := evidencetest.Signer(name).SignRequest(r)
	require.NoError(f.T, err)
	return e
}

// Submit starts an execution of a signed request.
func (f *Fixture) Submit(id string, signed any) client.WorkflowRun {
	f.T.Helper()
	run, err := f.Client.ExecuteWorkflow(f.T.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: f.Queue}, contract.Workflow, signed)
	require.NoError(f.T, err)
	return run
}

// Begin signs a request of alice's and starts it.
func (f *Fixture) Begin(steps ...evidence.Step) client.WorkflowRun {
	f.T.Helper()
	r := f.Request(steps...)
	return f.Submit(r.ID, f.Sign(evidencetest.Alice, r))
}

// Wait waits for the receipt of an execution, whatever its verdict.
func (f *Fixture) Wait(run client.WorkflowRun) (*contract.Receipt, error) {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(f.T.Context(), patience)
	defer cancel()
	var r contract.Receipt
	err := run.Get(ctx, &r)
	if err == nil {
		return &r, nil
	}
	require.NoError(f.T, ctx.Err(), "the execution hangs")
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(err, &app) && app.HasDetails():
		require.NoError(f.T, app.Details(&r))
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		require.NoError(f.T, cancelled.Details(&r))
	}
	return &r, err
}

// Proof asks for the proof of an execution.
func (f *Fixture) Proof(run client.WorkflowRun) *evidence.Proof {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(f.T.Context(), patience)
	defer cancel()
	var p evidence.Proof
	for _, id := range f.Runs(run) {
		value, err := f.Client.QueryWorkflow(ctx, run.GetID(), id, contract.QueryProof)
		require.NoError(f.T, err)
		var records []evidence.Envelope
		require.NoError(f.T, value.Get(&records))
		p.Records = append(p.Records, records...)
	}
	return &p
}

// Runs returns the ids of a run and of those that it continued as, in order.
func (f *Fixture) Runs(run client.WorkflowRun) []string {
	f.T.Helper()
	ids := []string{run.GetRunID()}
	for before := run.GetRunID(); before != ""; {
		first, err := f.Client.GetWorkflowHistory(f.T.Context(), run.GetID(), before, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
		require.NoError(f.T, err)
		ids[0] = before
		before = first.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()
	}
	for {
		history := f.Client.GetWorkflowHistory(f.T.Context(), run.GetID(), ids[len(ids)-1], false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
		if !history.HasNext() {
			return ids
		}
		last, err := history.Next()
		require.NoError(f.T, err)
		next := last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		if next == "" {
			return ids
		}
		ids = append(ids, next)
	}
}

// Verified waits for an execution, verifies its proof, and returns what it
// says. The receipt must agree with the proof.
func (f *Fixture) Verified(run client.WorkflowRun) *evidence.Report {
	f.T.Helper()
	receipt, err := f.Wait(run)
	proof := f.Proof(run)
	report := evidence.Verify(f.Trust, proof)
	require.NoError(f.T, report.Err())
	require.Equal(f.T, report.Verdict, receipt.Verdict)
	require.Equal(f.T, report.Head, receipt.Head)
	require.Equal(f.T, uint64(report.Records), receipt.Records)
	require.Equal(f.T, report.Verdict == evidence.Completed, err == nil, "only a completed execution ends without an error: %v", err)
	return report
}

// Progress asks how far an execution is.
func (f *Fixture) Progress(run client.WorkflowRun) contract.Progress {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(f.T.Context(), patience)
	defer cancel()
	value, err := f.Client.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), contract.QueryProgress)
	require.NoError(f.T, err)
	var p contract.Progress
	require.NoError(f.T, value.Get(&p))
	return p
}

// Input reads the arguments that a run was started with.
func Input(f *Fixture, id, run string, into ...any) {
	f.T.Helper()
	first, err := f.Client.GetWorkflowHistory(f.T.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	require.NoError(f.T, err)
	require.NoError(f.T, converter.GetDefaultDataConverter().FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), into...))
}
