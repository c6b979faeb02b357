package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// lost lets step a begin and never end. The head is that before the seal.
func (p *plane) lost(t *testing.T) {
	t.Helper()
	p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	_, err = p.store.(*store.Store).Fence(t.Context(), store.Slot{
		Run: testRun, Step: "a", Decision: out.Allowed[0].Decision, Key: evidence.IdempotencyKey(p.all[0].Digest(), "a"), Worker: evidencetest.Worker, At: 1,
	})
	require.NoError(t, err)
}

// found signs what olga found out about step a.
func (p *plane) found(t *testing.T, found evidence.Found) evidence.Envelope {
	t.Helper()
	var l evidence.Lineage
	for _, e := range p.all {
		rec, err := e.Decode()
		require.NoError(t, err)
		require.NoError(t, l.Add(rec))
	}
	r, err := l.Resolve("a")
	require.NoError(t, err)
	r.At, r.Operator, r.Found, r.Note = max(r.At, evidence.TimeOf(p.now())), evidencetest.Operator, found, "looked"
	e, err := evidencetest.Signer(evidencetest.Operator).Sign(l.Subject(), r)
	require.NoError(t, err)
	return e
}

// resolve runs the activity as the workflow does, once.
func (p *plane) resolve(signed evidence.Envelope) (*contract.Resolved, error) {
	p.t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.ResolveID(testRun.Run, "a"), TaskQueue: "q"})
	env.ExecuteWorkflow(func(ctx workflow.Context, e evidence.Envelope) (*contract.Resolved, error) {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
			ScheduleToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
		})
		var out contract.Resolved
		err := workflow.ExecuteLocalActivity(ctx, p.act.Resolve, e).Get(ctx, &out)
		return &out, err
	}, signed)
	var out contract.Resolved
	err := env.GetWorkflowResult(&out)
	return &out, err
}

func requireRefused(t *testing.T, err error, check string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "%v", err)
	require.Equal(t, contract.ErrTypeRefused, app.Type(), "%v", err)
	require.True(t, app.NonRetryable())
	var cause contract.Cause
	require.NoError(t, app.Details(&cause))
	require.Equal(t, check, cause.Check, cause.Reason)
}

// TestT18ResolveAnswersTheSame: the activity runs at least once, and in a new
// process.
func TestT18ResolveAnswersTheSame(t *testing.T) {
	p := newPlane(t)
	p.lost(t)
	p.sealed(t, contract.SealInput{}, evidence.Unresolved, evidence.CauseNoOutcome)
	signed := p.found(t, evidence.Happened)
	first, err := p.resolve(signed)
	require.NoError(t, err)
	require.Equal(t, uint64(len(p.all)), first.Seq)
	p.build()
	again, err := p.resolve(signed)
	require.NoError(t, err)
	require.Equal(t, first, again)
	_, err = p.resolve(p.found(t, evidence.NotHappened))
	requireRefused(t, err, contract.CheckResolved)
	records, err := p.store.Records(t.Context(), testRun, 0)
	require.NoError(t, err)
	require.Len(t, records, len(p.all)+1)
	require.Equal(t, first.Link, records[len(p.all)].Link)
}

// TestSealAfterAResolution: a seal whose answer was lost is asked for again,
// after somebody resolved a step. The workflow's chain still ends with it.
func TestSealAfterAResolution(t *testing.T) {
	for _, unstored := range []bool{false, true} {
		p := newPlane(t)
		p.lost(t)
		in := contract.SealInput{Head: p.head}
		if unstored {
			in.All = append(in.All, p.all...)
		}
		first := p.sealed(t, contract.SealInput{}, evidence.Unresolved, evidence.CauseNoOutcome)
		_, err := p.resolve(p.found(t, evidence.Happened))
		require.NoError(t, err)
		p.build()
		again, err := call[contract.SealOutput](p, p.act.Seal, in)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

// TestResolveNeedsTheSealInTheStore: what is not sealed, or was sealed without
// the store, has nothing there that a resolution could follow.
func TestResolveNeedsTheSealInTheStore(t *testing.T) {
	p := newPlane(t)
	p.lost(t)
	out, err := call[contract.SealOutput](p, p.act.Seal, contract.SealInput{Head: p.head, All: p.all})
	require.NoError(t, err)
	require.Equal(t, evidence.Unresolved, out.Verdict)
	p.follow(out.Entries)
	_, err = p.resolve(p.found(t, evidence.Happened))
	requireRefused(t, err, "resolution.unsealed")
}

// TestResolveByAKeyThatIsNotGoodNow: a resolution that is dated when its key is
// good is not enough.
func TestResolveByAKeyThatIsNotGoodNow(t *testing.T) {
	p := newPlane(t)
	p.lost(t)
	p.sealed(t, contract.SealInput{}, evidence.Unresolved, evidence.CauseNoOutcome)
	signed := p.found(t, evidence.Happened)
	p.now = func() time.Time { return time.Now().AddDate(0, 0, -30) }
	_, err := p.resolve(signed)
	requireRefused(t, err, "resolution.untrusted")
}

// A shaky store fails to append as often as fail says, after doing it or not.
type shaky struct {
	*store.Store
	fail  int
	with  error
	after bool
}

func (s *shaky) Append(ctx context.Context, run store.Run, at evidence.Position, envs ...evidence.Envelope) (evidence.Position, error) {
	if s.fail == 0 {
		return s.Store.Append(ctx, run, at, envs...)
	}
	s.fail--
	if s.after {
		if at, err := s.Store.Append(ctx, run, at, envs...); err != nil {
			return at, err
		}
	}
	return evidence.Position{}, s.with
}

// TestT19ResolveWithAShakyStore: an answer that was lost is asked for again; a
// record that was not made is not claimed.
func TestT19ResolveWithAShakyStore(t *testing.T) {
	tests := []struct {
		name  string
		shaky shaky
		fails bool
	}{
		{"away", shaky{fail: 1, with: store.ErrUnavailable}, true},
		{"away after it was written", shaky{fail: 1, with: store.ErrUnavailable, after: true}, true},
		{"another control plane was faster, once", shaky{fail: 1, with: store.ErrConflict}, false},
		{"another control plane is always faster", shaky{fail: 3, with: store.ErrConflict}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlane(t)
			p.lost(t)
			p.sealed(t, contract.SealInput{}, evidence.Unresolved, evidence.CauseNoOutcome)
			tt.shaky.Store = p.store.(*store.Store)
			p.store = &tt.shaky
			p.build()
			signed := p.found(t, evidence.Happened)
			_, err := p.resolve(signed)
			if tt.fails {
				var app *temporal.ApplicationError
				require.True(t, errors.As(err, &app), "%v", err)
				require.Equal(t, contract.ErrTypeStore, app.Type())
				require.False(t, app.NonRetryable(), "it may be tried again")
			} else {
				require.NoError(t, err)
			}
			out, err := p.resolve(signed)
			require.NoError(t, err)
			require.Equal(t, uint64(len(p.all)), out.Seq)
			head, err := p.store.Head(t.Context(), testRun)
			require.NoError(t, err)
			require.Equal(t, uint64(len(p.all))+1, head.Seq, "once")
		})
	}
}
