package starter_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

const resolveQueue = "starter-test-resolve"

// An answer is what a control plane, or whoever owns the namespace, answers in
// the place of a workflow that records resolutions.
type answer func(workflow.Context, evidence.Envelope) (*contract.Resolved, error)

func says(e evidence.Envelope) answer {
	return func(workflow.Context, evidence.Envelope) (*contract.Resolved, error) {
		return &contract.Resolved{Step: evidencetest.Refund, Seq: 7, Resolution: e}, nil
	}
}

func refuses(details ...any) answer {
	return func(workflow.Context, evidence.Envelope) (*contract.Resolved, error) {
		return nil, sdk.NewNonRetryableApplicationError("no", contract.ErrTypeRefused, nil, details...)
	}
}

// resolver answers as a, under the name that the real workflow has, until the
// test is over.
func resolver(t *testing.T, a answer) {
	t.Helper()
	w := worker.New(temporal(t), resolveQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context, e evidence.Envelope) (*contract.Resolved, error) { return a(ctx, e) },
		workflow.RegisterOptions{Name: contract.ResolveWorkflow})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

// unresolved returns the records of an execution that waits for somebody to
// resolve the refund, and the id under which that is done.
func unresolved(t *testing.T) (*evidence.Proof, string) {
	t.Helper()
	d := evidencetest.New(t)
	d.Request(func(r *evidence.Request) { r.ID = idOf(t) })
	d.Grant()
	d.Step(evidencetest.Lookup)
	d.Allow(evidencetest.Refund)
	d.Ended(evidencetest.Refund, evidence.StatusUnknown)
	d.Seal()
	return d.Proof(), contract.ResolveID(d.Binding().Run, evidencetest.Refund)
}

// resolutionOf is what the operator, or somebody else, signs about a proof.
func resolutionOf(t *testing.T, p *evidence.Proof, key string, edits ...func(*evidence.Resolution)) evidence.Envelope {
	t.Helper()
	var l evidence.Lineage
	for _, e := range p.Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		require.NoError(t, l.Add(rec))
	}
	r, err := l.Resolve(evidencetest.Refund)
	require.NoError(t, err)
	r.At, r.Operator, r.Found, r.Note = r.At.Add(time.Second), evidencetest.Operator, evidence.Happened, "looked"
	for _, edit := range edits {
		edit(r)
	}
	e, err := evidencetest.Signer(key).Sign(l.Subject(), r)
	require.NoError(t, err)
	return e
}

// TestProofLeavesOutWhatSpoilsIt: what stands in place of a resolution is in
// the proof only if it can be believed there.
func TestProofLeavesOutWhatSpoilsIt(t *testing.T) {
	p, id := unresolved(t)
	good := resolutionOf(t, p, evidencetest.Operator)
	tests := []struct {
		name   string
		answer answer
		want   []evidence.Envelope
	}{
		{"resolved", says(good), []evidence.Envelope{good}},
		{"resolved before", refuses(contract.Cause{Check: contract.CheckResolved}, contract.Resolved{Resolution: good}), []evidence.Envelope{good}},
		{"refused", refuses(contract.Cause{Check: "resolution.refused"}), nil},
		{"failed without a word", refuses(), nil},
		{"nothing", says(evidence.Envelope{}), nil},
		{"another record", says(p.Records[0]), nil},
		{"signed by a stranger", says(resolutionOf(t, p, evidencetest.Stranger)), nil},
		{"signed by the principal", says(resolutionOf(t, p, evidencetest.Alice)), nil},
		{"of another seal", says(resolutionOf(t, p, evidencetest.Operator, func(r *evidence.Resolution) { r.Seal = r.Grant })), nil},
	}
	x := started(t, answering(p.Records))
	got, err := newStarter(t).Proof(t.Context(), x.ID())
	require.NoError(t, err, "that nobody has resolved it is no error")
	require.Equal(t, p, got)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resolver(t, tt.answer)
			run, err := temporal(t).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: resolveQueue}, contract.ResolveWorkflow, good)
			require.NoError(t, err)
			_ = run.Get(t.Context(), nil)
			got, err := newStarter(t).Proof(t.Context(), x.ID())
			require.NoError(t, err)
			require.Equal(t, append(p.Records[:len(p.Records):len(p.Records)], tt.want...), got.Records)
			report := evidence.Verify(evidencetest.Trust(), got)
			require.NoError(t, report.Err())
			require.Len(t, report.Resolved, len(tt.want))
		})
	}
	for _, kind := range []string{"SomethingElse", contract.ResolveWorkflow} {
		_, err := temporal(t).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, kind, good)
		require.NoError(t, err)
		got, err := newStarter(t).Proof(t.Context(), x.ID())
		require.NoError(t, err, "a workflow that does not end must not hold up a proof")
		require.Equal(t, p, got)
		require.NoError(t, temporal(t).TerminateWorkflow(t.Context(), id, "", "test"))
	}
}

// TestResolveBelievesNothingElse: that a resolution was recorded is believed
// only if it is this one that comes back.
func TestResolveBelievesNothingElse(t *testing.T) {
	p, id := unresolved(t)
	olga := newStarter(t, func(c *starter.Config) {
		c.Queue, c.Operator = resolveQueue, evidencetest.Signer(evidencetest.Operator)
	})
	other := resolutionOf(t, p, evidencetest.OtherOperator, func(r *evidence.Resolution) { r.Operator = evidencetest.OtherOperator })
	tests := []struct {
		name   string
		answer answer
		want   error
		says   string
	}{
		{"nothing", says(evidence.Envelope{}), starter.ErrNotRecorded, "is not to be believed"},
		{"a stranger's", says(resolutionOf(t, p, evidencetest.Stranger)), starter.ErrNotRecorded, "is not to be believed"},
		{"another record", says(p.Records[0]), starter.ErrNotRecorded, "a request is said to be in its place"},
		{"another operator's", says(other), starter.ErrResolved, "refund happened, by otto on"},
		{"another operator's, before", refuses(contract.Cause{Check: contract.CheckResolved}, contract.Resolved{Resolution: other}), starter.ErrResolved, "by otto on"},
		{"refused", refuses(contract.Cause{Check: "resolution.unsealed", Reason: "the seal is elsewhere"}), starter.ErrNotRecorded, "the seal is elsewhere"},
		{"failed without a word", refuses(), starter.ErrNotRecorded, "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resolver(t, tt.answer)
			_, err := olga.Resolve(t.Context(), p, evidencetest.Refund, evidence.Happened, "looked")
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.says)
			// Completed ones stay: make room for the next row.
			run, err := temporal(t).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "nobody"}, contract.ResolveWorkflow)
			require.NoError(t, err)
			require.NoError(t, temporal(t).TerminateWorkflow(t.Context(), id, run.GetRunID(), "test"))
		})
	}
	resolver(t, func(_ workflow.Context, e evidence.Envelope) (*contract.Resolved, error) {
		return &contract.Resolved{Resolution: e}, nil
	})
	out, err := olga.Resolve(t.Context(), p, evidencetest.Refund, evidence.NotHappened, "looked")
	require.NoError(t, err)
	rec, err := evidencetest.Trust().Open(out.Resolution)
	require.NoError(t, err)
	require.Equal(t, evidence.NotHappened, rec.Predicate.(*evidence.Resolution).Found)
}

func TestResolveNeedsAnOperator(t *testing.T) {
	p, _ := unresolved(t)
	_, err := newStarter(t).Resolve(t.Context(), p, evidencetest.Refund, evidence.Happened, "looked")
	require.ErrorIs(t, err, starter.ErrNoOperator)
	for _, name := range []string{evidencetest.Alice, evidencetest.Recorder, evidencetest.Stranger} {
		_, err := starter.New(starter.Config{
			Client: temporal(t), Trust: evidencetest.Trust(), Queue: queue, Operator: evidencetest.Signer(name),
			Now: func() time.Time { return evidencetest.Start.Time() },
		})
		require.ErrorIs(t, err, evidence.ErrUntrusted)
	}
}
