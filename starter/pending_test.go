package starter_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

// approver returns a starter that signs with the approver's key of that name,
// a few seconds after the records of a desk.
func approver(t *testing.T, name string, edits ...func(*starter.Config)) *starter.Starter {
	t.Helper()
	return newStarter(t, append([]func(*starter.Config){func(c *starter.Config) {
		c.Approver, c.Namespace = evidencetest.Signer(name), "default"
		c.Now = func() time.Time { return evidencetest.Start.Add(5 * time.Second).Time() }
	}}, edits...)...)
}

// desk returns a desk with the execution of that id, up to where its refund
// can be decided.
func desk(t *testing.T, id string) *evidencetest.Desk {
	d := evidencetest.New(t)
	d.Request(func(r *evidence.Request) { r.ID = id })
	d.Grant()
	d.Step(evidencetest.Lookup)
	return d
}

// running starts a stand-in with this id, and with these records.
func running(t *testing.T, id string, p play) {
	t.Helper()
	plays.Store(id, p)
	_, err := temporal(t).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, contract.Workflow, evidence.Envelope{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = temporal(t).TerminateWorkflow(context.Background(), id, "", "test") })
}

// TestPendingShowsWhatIsProven, and what people have said so far.
func TestPendingShowsWhatIsProven(t *testing.T) {
	id := idOf(t)
	d := desk(t, id)
	d.StepUp(evidencetest.Refund)
	d.Approve(evidencetest.Refund, evidencetest.CarolsPhone, func(a *evidence.Approval) { a.Note = "fine" })
	running(t, id, answering(d.Records()))
	all, err := approver(t, evidencetest.Dave).PendingOf(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, all, 1)
	w := all[0]
	require.Equal(t, id, w.Execution)
	require.Equal(t, d.Binding().Run, w.Run)
	require.Equal(t, "orders.refund", w.Action)
	require.Equal(t, `{"order":"o-1","cents":1250}`, string(w.Args), "exactly the signed bytes")
	require.Equal(t, "refund order o-1, see ticket 42", w.Purpose)
	require.Equal(t, 1, w.Missing)
	require.Equal(t, []string{evidencetest.Dave, evidencetest.Erin}, w.May)
	require.Len(t, w.Said, 1)
	require.Equal(t, evidencetest.Carol, w.Said[0].Person)
	require.Equal(t, evidencetest.CarolsPhone, w.Said[0].Approver)

	about, a := w.Statement(evidencetest.Dave, evidencetest.Dave, evidence.Approve, "", w.Since-1)
	require.Equal(t, w.Since, a.At, "no earlier than the decision, whatever the clock says")
	require.Equal(t, a.At.Add(10*time.Minute), a.Expires)
	require.Equal(t, evidence.ValueDigest(w.Args), a.Args)
	d.Append(sign(t, evidencetest.Dave, about, a))
	var l evidence.Lineage
	for _, e := range d.Records() {
		rec, err := evidencetest.Trust().Open(e)
		require.NoError(t, err)
		require.NoError(t, l.Add(rec))
	}
}

func sign(t *testing.T, name string, about evidence.Subject, p evidence.Predicate) evidence.Envelope {
	t.Helper()
	e, err := evidencetest.Signer(name).Sign(about, p)
	require.NoError(t, err)
	return e
}

// TestPendingShowsNothingThatDoesNotWait any more, or yet.
func TestPendingShowsNothingThatDoesNotWait(t *testing.T) {
	tests := map[string]func(*evidencetest.Desk){
		"not decided": func(*evidencetest.Desk) {},
		"allowed":     func(d *evidencetest.Desk) { d.Allow(evidencetest.Refund) },
		"denied":      func(d *evidencetest.Desk) { d.StepUp(evidencetest.Refund); d.Deny(evidencetest.Refund) },
		"refused": func(d *evidencetest.Desk) {
			d.StepUp(evidencetest.Refund)
			d.RefuseBy(evidencetest.Refund, evidencetest.Carol)
		},
		"handed over":  func(d *evidencetest.Desk) { d.StepUp(evidencetest.Refund); d.Handover() },
		"halted":       func(d *evidencetest.Desk) { d.StepUp(evidencetest.Refund); d.Halt() },
		"sealed":       func(d *evidencetest.Desk) { d.StepUp(evidencetest.Refund); d.Seal() },
		"ordered away": func(d *evidencetest.Desk) { d.StepUp(evidencetest.Refund); d.Order() },
		"two have said": func(d *evidencetest.Desk) {
			d.StepUp(evidencetest.Refund)
			d.Approve(evidencetest.Refund, evidencetest.Carol)
			d.Approve(evidencetest.Refund, evidencetest.Dave)
		},
		"over": func(d *evidencetest.Desk) {
			d.StepUp(evidencetest.Refund, func(p *evidence.Decision) { p.Until = p.At.Add(time.Second) })
		},
	}
	for name, then := range tests {
		t.Run(name, func(t *testing.T) {
			id := idOf(t)
			d := desk(t, id)
			then(d)
			running(t, id, answering(d.Records()))
			all, err := approver(t, evidencetest.Dave).PendingOf(t.Context(), id)
			require.NoError(t, err)
			require.Empty(t, all)
		})
	}
	running(t, "no-records", answering(nil))
	all, err := approver(t, evidencetest.Dave).PendingOf(t.Context(), "no-records")
	require.NoError(t, err)
	require.Empty(t, all)
	_, err = approver(t, evidencetest.Dave).PendingOf(t.Context(), "there-is-none")
	require.ErrorIs(t, err, starter.ErrNotFound)
}

// TestPendingBelievesNoForgery: rows are what an attacker who owns the Temporal
// service could answer, to have somebody approve what is not shown.
func TestPendingBelievesNoForgery(t *testing.T) {
	const refund = evidencetest.Refund
	by := func(name string) func(*evidencetest.Desk) {
		return func(d *evidencetest.Desk) { d.SignNextWith(name); d.StepUp(refund) }
	}
	edited := func(edit func(*evidence.Decision)) func(*evidencetest.Desk) {
		return func(d *evidencetest.Desk) { d.StepUp(refund, edit) }
	}
	waits := func(d *evidencetest.Desk) { d.StepUp(refund) }
	same := func(r []evidence.Envelope) []evidence.Envelope { return r }
	tests := []struct {
		name string
		then func(*evidencetest.Desk)
		edit func([]evidence.Envelope) []evidence.Envelope
	}{
		{"the decision is by a stranger", by(evidencetest.Stranger), same},
		{"the decision is by the recorder", by(evidencetest.Recorder), same},
		{"the decision is by an approver", by(evidencetest.Carol), same},
		{"the decision is by a key of the past", by(evidencetest.Retired), same},
		{"the decision is not signed", waits, func(r []evidence.Envelope) []evidence.Envelope { r[len(r)-1].Signatures = nil; return r }},
		{"the signature is of another record", waits, func(r []evidence.Envelope) []evidence.Envelope {
			r[len(r)-1].Signatures = r[len(r)-2].Signatures
			return r
		}},
		{"the payload was changed", waits, func(r []evidence.Envelope) []evidence.Envelope {
			r[0].Payload = []byte(string(r[0].Payload[:len(r[0].Payload)-1]) + " ")
			return r
		}},
		{"a request with other arguments", waits, func(r []evidence.Envelope) []evidence.Envelope {
			req, err := r[0].Decode()
			require.NoError(t, err)
			p := *req.Predicate.(*evidence.Request)
			p.Steps[1].Args = json.RawMessage(`{"order":"o-1","cents":1}`)
			signed, err := evidencetest.Signer(evidencetest.Alice).SignRequest(&p)
			require.NoError(t, err)
			return append([]evidence.Envelope{signed}, r[1:]...)
		}},
		{"a decision about other arguments", edited(func(p *evidence.Decision) { p.Args = evidence.ValueDigest([]byte(`{}`)) }), same},
		{"a decision about another action", edited(func(p *evidence.Decision) { p.Action = "orders.read" }), same},
		{"a decision on another grant", edited(func(p *evidence.Decision) { p.Grant = p.Request }), same},
		{"a decision in another run", edited(func(p *evidence.Decision) { p.Binding.Run = "another" }), same},
		{"a decision that nobody can see an end of", edited(func(p *evidence.Decision) { p.Until = p.At.Add(24 * time.Hour) }), same},
		{"a decision that no rule asks for", edited(func(p *evidence.Decision) { p.Rules = p.Rules[:1] }), same},
		{"a record is missing", func(d *evidencetest.Desk) { d.Signal(); d.StepUp(refund) }, func(r []evidence.Envelope) []evidence.Envelope {
			return append(r[:len(r)-2:len(r)-2], r[len(r)-1])
		}},
		{"no request", waits, func(r []evidence.Envelope) []evidence.Envelope { return r[1:] }},
		{"the decision alone", waits, func(r []evidence.Envelope) []evidence.Envelope { return r[len(r)-1:] }},
		{"a decision twice", waits, func(r []evidence.Envelope) []evidence.Envelope { return append(r, r[len(r)-1]) }},
		{"rubbish", waits, func(r []evidence.Envelope) []evidence.Envelope { return append(r, evidence.Envelope{PayloadType: "x"}) }},
		{"an approval by nobody", func(d *evidencetest.Desk) {
			d.StepUp(refund)
			d.SignNextWith(evidencetest.Stranger)
			d.Approve(refund, evidencetest.Carol)
		}, same},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := idOf(t)
			d := desk(t, id)
			tt.then(d)
			running(t, id, answering(tt.edit(append([]evidence.Envelope(nil), d.Records()...))))
			all, err := approver(t, evidencetest.Dave).PendingOf(t.Context(), id)
			require.ErrorIs(t, err, starter.ErrUnproven)
			require.Empty(t, all)
		})
	}
	elsewhere := map[string]func(*evidence.Request){
		"of another execution":     func(r *evidence.Request) { r.ID = "another" },
		"for another trust domain": func(r *evidence.Request) { r.Audience = "elsewhere" },
	}
	for name, edit := range elsewhere {
		t.Run(name, func(t *testing.T) {
			id := idOf(t)
			d := evidencetest.New(t)
			d.Request(func(r *evidence.Request) { r.ID = id; edit(r) })
			d.Grant()
			d.Step(evidencetest.Lookup)
			d.StepUp(refund)
			running(t, id, answering(d.Records()))
			_, err := approver(t, evidencetest.Dave).PendingOf(t.Context(), id)
			require.ErrorIs(t, err, starter.ErrUnproven)
		})
	}
	t.Run("of another namespace", func(t *testing.T) {
		id := idOf(t)
		d := desk(t, id)
		d.StepUp(refund)
		running(t, id, answering(d.Records()))
		_, err := approver(t, evidencetest.Dave, func(c *starter.Config) { c.Namespace = "production" }).PendingOf(t.Context(), id)
		require.ErrorIs(t, err, starter.ErrUnproven)
	})
}

// hearing plays an execution that answers each message in turn, the last
// answer again and again.
func hearing(d *evidencetest.Desk, answers ...contract.Heard) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		heard := 0
		err := workflow.SetUpdateHandler(ctx, contract.MessageName, func(workflow.Context, evidence.Envelope) (*contract.Heard, error) {
			a := answers[min(heard, len(answers)-1)]
			heard++
			return &a, nil
		})
		if err != nil {
			return nil, err
		}
		if err := workflow.SetQueryHandler(ctx, contract.QueryProof, func() ([]evidence.Envelope, error) { return d.Records(), nil }); err != nil {
			return nil, err
		}
		return untilCancelled(ctx, request)
	}
}

// TestApproveIsAnswered in each of the ways that a control plane answers.
func TestApproveIsAnswered(t *testing.T) {
	no := func(check string) contract.Heard {
		return contract.Heard{Cause: contract.Cause{Check: check, Reason: "for a reason"}}
	}
	yes := contract.Heard{Counted: true, Step: evidencetest.Refund, Missing: 1}
	tests := []struct {
		name    string
		answers []contract.Heard
		want    error
	}{
		{"counted", []contract.Heard{yes}, nil},
		{"counted by the next run", []contract.Heard{no(contract.CauseContinues), no(contract.CauseContinues), yes}, nil},
		{"over", []contract.Heard{no(contract.CauseOver)}, starter.ErrNotPending},
		{"not counted", []contract.Heard{no("approval.misplaced")}, starter.ErrNotCounted},
		{"nothing", []contract.Heard{{}}, starter.ErrNotCounted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := idOf(t)
			d := desk(t, id)
			d.StepUp(evidencetest.Refund)
			running(t, id, hearing(d, tt.answers...))
			s := approver(t, evidencetest.Dave)
			all, err := s.PendingOf(t.Context(), id)
			require.NoError(t, err)
			heard, err := s.Approve(t.Context(), all[0], "")
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				require.Equal(t, &yes, heard)
			}
		})
	}
}
