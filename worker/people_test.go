package worker_test

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// people is a fixture whose policy asks people.
func people(t *testing.T, options ...workertest.Option) *workertest.Fixture {
	t.Helper()
	return workertest.New(t, append([]workertest.Option{workertest.WithPolicy(workertest.PeoplePolicy)}, options...)...)
}

// large begins an execution that pays so much that two people must approve,
// and waits until it asks them.
func large(t *testing.T, f *workertest.Fixture) (client.WorkflowRun, starter.Waiting) {
	t.Helper()
	r := f.Request(workertest.Step("read", "desk.read", `{}`), workertest.Step("pay", "desk.pay", `{"amount": 250}`, "read"))
	r.Context = map[string]string{"ticket": "42"}
	run := f.Submit(r.ID, f.Sign(evidencetest.Alice, r))
	return run, f.Pending(r.ID, 1)[0]
}

// TestTwoOfThreeApprove goes the whole way: what waits is shown as it was
// signed, one approval is not enough, a second one is.
func TestTwoOfThreeApprove(t *testing.T) {
	f := people(t)
	run, w := large(t, f)
	require.Equal(t, run.GetID(), w.Execution)
	require.Equal(t, run.GetRunID(), w.Run)
	require.Equal(t, "default", w.Namespace)
	require.Equal(t, "pay", w.Step)
	require.Equal(t, "desk.pay", w.Action)
	require.JSONEq(t, `{"amount": 250}`, string(w.Args))
	require.Equal(t, map[string]string{"ticket": "42"}, w.Context)
	require.Equal(t, evidencetest.Alice, w.Requester)
	require.Equal(t, evidence.StepUp, w.Effect)
	require.Equal(t, 2, w.Missing)
	require.Equal(t, []string{"carol", "dave", "erin"}, w.May, "alice asked for it")
	require.Equal(t, []starter.Ask{{
		Rule: "large-amounts", Message: "more than 100 wants two people", By: []string{"alice", "carol", "dave", "erin"}, Need: 2, WithinMS: 3_600_000, Missing: 2,
	}}, w.Asks)
	require.Greater(t, w.Until, w.Since)
	require.Equal(t, w.Decision, w.Signed.Digest())

	heard, err := f.As(evidencetest.Carol).Approve(t.Context(), w, "seen the invoice")
	require.NoError(t, err)
	require.Equal(t, contract.Heard{Counted: true, Step: "pay", Missing: 1}, *heard)
	w = f.Pending(run.GetID(), 1)[0]
	require.Equal(t, 1, w.Missing)
	require.Equal(t, []string{"dave", "erin"}, w.May)
	require.Len(t, w.Said, 1)
	require.Equal(t, "seen the invoice", w.Said[0].Note)
	require.True(t, w.Said[0].Newest)
	require.Zero(t, f.World.Count("desk.pay"))

	heard, err = f.As(evidencetest.Dave).Approve(t.Context(), w, "")
	require.NoError(t, err)
	require.Zero(t, heard.Missing)
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict)
	require.Len(t, report.Approvals, 2)
	require.Equal(t, 1, f.World.Count("desk.pay"))

	_, err = f.As(evidencetest.Erin).Approve(t.Context(), w, "")
	require.ErrorIs(t, err, starter.ErrNotPending, "the execution has ended")
	none, err := f.As(evidencetest.Erin).PendingOf(t.Context(), run.GetID())
	require.NoError(t, err)
	require.Empty(t, none)
}

// TestOneRefusalIsEnough, also after somebody approved.
func TestOneRefusalIsEnough(t *testing.T) {
	f := people(t)
	run, w := large(t, f)
	_, err := f.As(evidencetest.Carol).Approve(t.Context(), w, "")
	require.NoError(t, err)
	_, err = f.As(evidencetest.Carol).Refuse(t.Context(), w, "I had misread it")
	require.NoError(t, err)
	report := f.Verified(run)
	require.Equal(t, evidence.Denied, report.Verdict)
	require.Len(t, report.Approvals, 2)
	require.Zero(t, f.World.Count("desk.pay"))
	_, err = f.As(evidencetest.Dave).Approve(t.Context(), w, "")
	require.ErrorIs(t, err, starter.ErrNotPending)
}

// TestWhoCannotApprove: what could not count is not signed; signed all the
// same, it does not count.
func TestWhoCannotApprove(t *testing.T) {
	f := people(t)
	run, w := large(t, f)
	_, err := f.As(evidencetest.Carol).Approve(t.Context(), w, "")
	require.NoError(t, err)
	w = f.Pending(run.GetID(), 1)[0]
	tests := []struct {
		name, key, person string
		want              error
		says              string
	}{
		{"who asked for it", evidencetest.AliceApprover, "alice", starter.ErrNotAsked, "asked for execution"},
		{"who was not asked", evidencetest.Frank, "frank", starter.ErrNotAsked, "no rule asks frank"},
		{"who has approved", evidencetest.Carol, "carol", starter.ErrNotCounted, "carol said approve before"},
		{"who has approved, with another key", evidencetest.CarolsPhone, "carol", starter.ErrNotCounted, "carol said approve before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := f.As(tt.key)
			_, err := s.Approve(t.Context(), w, "")
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.says)

			// Somebody else's program might sign it.
			about, a := w.Statement(tt.key, "dave", evidence.Approve, "", evidence.TimeOf(time.Now()))
			_, err = s.SubmitApproval(t.Context(), w.Execution, signAs(t, tt.key, about, a))
			var refused *starter.RefusedError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, starter.ErrNotCounted)
			require.Equal(t, "approval.misplaced", refused.Cause.Check)
		})
	}
	require.Equal(t, 1, f.Pending(run.GetID(), 1)[0].Missing)
	require.Equal(t, len(tests), f.Progress(run).Rejected)
	_, err = f.As(evidencetest.Erin).Approve(t.Context(), w, "")
	require.NoError(t, err)
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
}

// TestApprovalIsOfWhatIsShown: an approval of something else than what was
// decided counts for nothing.
func TestApprovalIsOfWhatIsShown(t *testing.T) {
	f := people(t)
	run, shown := large(t, f)
	_, other := large(t, f)
	tests := map[string]func(*starter.Waiting){
		"other arguments":   func(w *starter.Waiting) { w.Args = json.RawMessage(`{"amount":1}`) },
		"another action":    func(w *starter.Waiting) { w.Action = "desk.read" },
		"other bytes":       func(w *starter.Waiting) { w.Sends = evidence.FileDigest(nil) },
		"another step":      func(w *starter.Waiting) { w.Step = "read" },
		"another decision":  func(w *starter.Waiting) { w.Decision = other.Decision },
		"another policy":    func(w *starter.Waiting) { w.Policy.Version++ },
		"another execution": func(w *starter.Waiting) { *w = other; w.Execution = run.GetID() },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			w := shown
			edit(&w)
			_, err := f.As(evidencetest.Carol).Approve(t.Context(), w, "")
			require.Error(t, err)
			require.Equal(t, 2, f.Pending(run.GetID(), 1)[0].Missing)
		})
	}
	t.Run("nothing that was verified", func(t *testing.T) {
		data, err := json.Marshal(shown)
		require.NoError(t, err)
		var w starter.Waiting
		require.NoError(t, json.Unmarshal(data, &w))
		_, err = f.As(evidencetest.Carol).Approve(t.Context(), w, "")
		require.ErrorIs(t, err, starter.ErrUnproven)
	})
	t.Run("by nobody", func(t *testing.T) {
		_, err := f.As(evidencetest.Revoker).Approve(t.Context(), shown, "")
		require.ErrorIs(t, err, starter.ErrNoApprover)
	})
	t.Run("in a long note", func(t *testing.T) {
		_, err := f.As(evidencetest.Carol).Approve(t.Context(), shown, string(make([]byte, evidence.MaxNote+1)))
		require.ErrorIs(t, err, evidence.ErrField)
	})
}

// TestWithKeysElsewhere: the same signed bytes can be submitted again.
func TestWithKeysElsewhere(t *testing.T) {
	f := people(t)
	run, w := large(t, f)
	about, a := w.Statement(evidencetest.Dave, "dave", evidence.Approve, "from a browser", evidence.TimeOf(time.Now()))
	signed := signAs(t, evidencetest.Dave, about, a)
	web := f.As(evidencetest.Revoker) // it has no approver's key
	for range 3 {
		heard, err := web.SubmitApproval(t.Context(), w.Execution, signed)
		require.NoError(t, err)
		require.Equal(t, 1, heard.Missing)
	}
	require.Zero(t, f.Progress(run).Rejected)
	_, err := web.SubmitApproval(t.Context(), w.Execution, signAs(t, evidencetest.Stranger, about, a))
	require.ErrorIs(t, err, evidence.ErrUntrusted)
	_, err = web.SubmitApproval(t.Context(), "another", signed)
	require.ErrorIs(t, err, evidence.ErrField)
	_, err = web.SubmitApproval(t.Context(), w.Execution, w.Signed)
	require.ErrorIs(t, err, evidence.ErrStatement)
}

// TestNobodyApproves: what nobody approves in time is denied.
func TestNobodyApproves(t *testing.T) {
	f := people(t)
	report := f.Verified(f.Begin(workertest.Step("note", "desk.note", `{"text":"quick"}`)))
	require.Equal(t, evidence.Denied, report.Verdict)
	require.Equal(t, "approval.timeout", report.Cause)
	require.Empty(t, f.World.Effects())
}

// TestDeferredIsShown, and nobody can approve it.
func TestDeferredIsShown(t *testing.T) {
	f := people(t)
	run := f.Begin(workertest.Step("note", "desk.note", `{"text":"later"}`))
	w := f.Pending(run.GetID(), 1)[0]
	require.Equal(t, evidence.Defer, w.Effect)
	require.Greater(t, w.Again, w.Since)
	require.Greater(t, w.Until, w.Again)
	_, err := f.As(evidencetest.Dave).Approve(t.Context(), w, "")
	require.ErrorIs(t, err, starter.ErrNotPending)
	require.NoError(t, f.Client.CancelWorkflow(t.Context(), run.GetID(), ""))
	require.Equal(t, evidence.Cancelled, f.Verified(run).Verdict)
}

// TestPendingListsAll that wait, of this control plane.
func TestPendingListsAll(t *testing.T) {
	f := people(t)
	var want []string
	for range 3 {
		run, _ := large(t, f)
		want = append(want, run.GetID())
	}
	slices.Sort(want)
	require.Eventually(t, func() bool { // visibility is late
		all, err := f.As(evidencetest.Erin).Pending(t.Context())
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(all, func(a, b starter.Waiting) int { return int(a.Until - b.Until) }))
		var got []string
		for _, w := range all {
			got = append(got, w.Execution)
		}
		slices.Sort(got)
		return slices.Equal(want, got)
	}, 3*time.Minute, 50*time.Millisecond)
}

// TestApprovedAcrossRuns: an execution that continues as new still hears.
func TestApprovedAcrossRuns(t *testing.T) {
	f := people(t, briefly(60))
	steps := append(inARow(12), workertest.Step("pay", "desk.pay", `{"amount":250}`, "s11"), workertest.Step("more", "desk.pay", `{"amount":350}`, "pay"))
	run := f.Begin(steps...)
	for range 2 {
		w := f.Pending(run.GetID(), 1)[0]
		for _, name := range []string{evidencetest.Carol, evidencetest.Dave} {
			_, err := f.As(name).Approve(t.Context(), w, "")
			require.NoError(t, err)
		}
	}
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
	require.Greater(t, len(f.Runs(run)), 1)
	require.Equal(t, 2, f.World.Count("desk.pay"))
}

// TestAllAtOnce: people who answer in the same moment count once each, and the
// step is done once.
func TestAllAtOnce(t *testing.T) {
	f := people(t)
	run, w := large(t, f)
	keys := []string{evidencetest.Carol, evidencetest.CarolsPhone, evidencetest.Dave, evidencetest.Erin, evidencetest.AliceApprover}
	answers := make([]error, len(keys))
	var asking sync.WaitGroup
	for i, name := range keys {
		asking.Go(func() { _, answers[i] = f.As(name).Approve(t.Context(), w, "") })
	}
	asking.Wait()
	counted := 0
	for i, err := range answers {
		if err == nil {
			counted++
			continue
		}
		require.True(t, errors.Is(err, starter.ErrNotAsked) || errors.Is(err, starter.ErrNotCounted) || errors.Is(err, starter.ErrNotPending), "%s: %v", keys[i], err)
	}
	require.GreaterOrEqual(t, counted, 2)
	report := f.Verified(run)
	require.Equal(t, evidence.Completed, report.Verdict)
	require.Equal(t, 1, f.World.Count("desk.pay"))
	said := map[string]int{}
	for _, a := range report.Approvals {
		said[a.Holder]++
	}
	require.Zero(t, said["alice"])
	require.LessOrEqual(t, said["carol"], 1)
	require.Len(t, report.Approvals, counted)
}

// TestAnotherControlPlaneHears: what people said is in the evidence, and not in
// the memory of a process.
func TestAnotherControlPlaneHears(t *testing.T) {
	f := people(t)
	run, w := large(t, f)
	_, err := f.As(evidencetest.Carol).Approve(t.Context(), w, "")
	require.NoError(t, err)
	f.Stop()
	f.Start()
	w = f.Pending(run.GetID(), 1)[0]
	require.Equal(t, 1, w.Missing)
	_, err = f.As(evidencetest.Dave).Approve(t.Context(), w, "")
	require.NoError(t, err)
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
}
