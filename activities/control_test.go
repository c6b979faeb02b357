package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// ruling is a policy that a test can change its mind with.
type ruling struct {
	ref   evidence.PolicyRef
	admit evidence.Ruling
	step  evidence.Ruling
	watch evidence.Ruling
	rule  func(evidence.Facts) evidence.Ruling // in place of step, if it is set
}

func (p *ruling) Ref() evidence.PolicyRef { return p.ref }

func (p *ruling) Decide(f evidence.Facts) evidence.Ruling {
	switch f.Phase {
	case evidence.PhaseAdmit:
		return p.admit
	case evidence.PhaseStep:
		if p.rule != nil {
			return p.rule(f)
		}
		return p.step
	case evidence.PhaseIntegrity:
		return p.watch
	}
	return evidence.Ruling{}
}

// A plane is a control plane over a real store, whose policy, probe and clock
// belong to the test.
type plane struct {
	t      *testing.T
	policy *ruling
	probe  func() (string, string, error)
	store  activities.Records
	now    func() time.Time
	act    *activities.Control
	terms  evidence.Terms
	outage time.Duration
	more   []activities.Probe
	head   evidence.Position
	all    []evidence.Envelope
}

func yes() evidence.Ruling {
	return evidence.Ruling{Effect: evidence.Allow, Cause: "policy.allow", Rules: []evidence.RuleResult{{ID: "r", Effect: evidence.Allow}}}
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	st, err := store.Open(t.Context(), t.TempDir()+"/evidence.db")
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	p := &plane{
		t: t, store: st, now: time.Now, terms: evidence.Terms{LeaseMS: 60_000, IntervalMS: 20, WindowMS: 100},
		policy: &ruling{ref: evidence.PolicyRef{Name: "desk", Version: 1, Digest: evidence.FileDigest([]byte("p"))}, admit: yes(), step: yes(), watch: yes()},
		probe:  func() (string, string, error) { return "same", "same", nil },
	}
	p.build()
	return p
}

// build makes the control plane anew, as after a restart.
func (p *plane) build() {
	p.t.Helper()
	cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
	require.NoError(p.t, err)
	p.act, err = activities.NewControl(activities.ControlConfig{
		Trust: trust(p.t), Authority: evidencetest.Signer(evidencetest.Authority), Recorder: evidencetest.Signer(evidencetest.Recorder),
		Policy: p.policy, Catalogue: cat, Store: p.store, Queue: testQueue, Log: zap.NewNop(),
		Process: evidence.Process{Executable: evidence.FileDigest([]byte("control")), Roles: "control"},
		Terms:   p.terms, Outage: p.outage, Now: func() time.Time { return p.now() },
		Probes: append([]activities.Probe{{Name: "p", Quick: true, Measure: func(context.Context, activities.Pinned) (string, string, error) { return p.probe() }}}, p.more...),
	})
	require.NoError(p.t, err)
}

// call runs an activity as Temporal would.
func call[T any](p *plane, fn any, in any) (*T, error) {
	p.t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterActivity(fn)
	run := env.ExecuteLocalActivity
	if _, ok := in.(contract.WatchInput); ok {
		run = env.ExecuteActivity
	}
	value, err := run(fn, in)
	if err != nil {
		return nil, err
	}
	var out T
	require.NoError(p.t, value.Get(&out))
	return &out, nil
}

// follow does what the workflow does with entries.
func (p *plane) follow(entries []contract.Entry, fresh ...evidence.Envelope) {
	p.t.Helper()
	chain := evidence.ChainAt(p.head)
	for _, e := range entries {
		env := e.Envelope
		for i := range fresh {
			if env == nil && fresh[i].Digest() == e.Digest {
				env = &fresh[i]
			}
		}
		require.NotNil(p.t, env)
		p.all = append(p.all, *env)
		chain.Append(env.Digest())
	}
	p.head = chain.Next()
}

func (p *plane) request(change func(*evidence.Request)) evidence.Envelope {
	p.t.Helper()
	now := evidence.TimeOf(p.now())
	r := &evidence.Request{
		ID: testRun.Workflow, Audience: evidencetest.Domain, Principal: evidencetest.Alice, Purpose: "testing", Policy: "desk",
		Issued: now, Expires: now.Add(time.Hour), Nonce: "0123456789abcdef0123456789abcdef",
		Steps: []evidence.Step{{ID: "a", Action: "once", Args: []byte(`{}`)}, {ID: "b", Action: "again", Args: []byte(`{}`), Needs: []string{"a"}}},
	}
	if change != nil {
		change(r)
	}
	e, err := evidencetest.Signer(evidencetest.Alice).SignRequest(r)
	require.NoError(p.t, err)
	return e
}

// granted authorizes a good request.
func (p *plane) granted() *contract.Ticket {
	p.t.Helper()
	a, err := call[contract.Admission](p, p.act.Authorize, p.request(nil))
	require.NoError(p.t, err)
	require.NotNil(p.t, a.Ticket, a.Cause)
	p.follow(a.Entries)
	return a.Ticket
}

func (p *plane) decide(steps []string, fresh ...evidence.Envelope) (*contract.DecideOutput, error) {
	p.t.Helper()
	return call[contract.DecideOutput](p, p.act.Decide, contract.DecideInput{Head: p.head, Steps: steps, Fresh: fresh})
}

// outcome is what an honest worker says of step a.
func (p *plane) outcome(work contract.Work, status evidence.Status, cause string) evidence.Envelope {
	p.t.Helper()
	rec := p.record(work)
	d := rec.Predicate.(*evidence.Decision)
	o := &evidence.Outcome{
		Decision: rec.Digest, Binding: d.Binding, Step: d.Step, Action: d.Action, Worker: evidencetest.Worker, Attempt: 1,
		Started: d.At, At: d.At, Status: status, Cause: cause,
	}
	if status == evidence.StatusDone {
		o.Result = []byte(`{}`)
	}
	e, err := evidencetest.Signer(evidencetest.Worker).Sign(rec.Subject, o)
	require.NoError(p.t, err)
	return e
}

// record returns the decision of a work order, which the test has followed to.
func (p *plane) record(work contract.Work) *evidence.Record {
	p.t.Helper()
	for _, e := range p.all {
		if e.Digest() == work.Decision {
			rec, err := e.Decode()
			require.NoError(p.t, err)
			return rec
		}
	}
	p.t.Fatal("no such decision")
	return nil
}

func TestAuthorizeRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*plane)
		want   string
	}{
		{"a probe that fails", func(p *plane) { p.probe = func() (string, string, error) { return "a", "b", nil } }, "probe.p"},
		{"a probe that cannot answer", func(p *plane) { p.probe = func() (string, string, error) { return "a", "a", errors.New("x") } }, "probe.p"},
		{"a probe that says nothing", func(p *plane) { p.probe = func() (string, string, error) { return "", "", nil } }, "probe.p"},
		{"a policy that says nothing", func(p *plane) { p.policy.admit = evidence.Ruling{} }, "policy.silent"},
		{"a policy that says something unknown", func(p *plane) { p.policy.admit.Effect = "maybe" }, "policy.allow"},
		{"an allow without a rule", func(p *plane) { p.policy.admit.Rules = nil }, "grant.impossible"},
		{"an allow beside a denying rule", func(p *plane) {
			p.policy.admit.Rules = append(p.policy.admit.Rules, evidence.RuleResult{ID: "d", Effect: evidence.Deny})
		}, "grant.impossible"},
		{"an allow by a rule that failed", func(p *plane) { p.policy.admit.Rules[0].Error = "x" }, "grant.impossible"},
		{"another policy", func(p *plane) { p.policy.ref.Name = "other" }, "policy.unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlane(t)
			tt.change(p)
			a, err := call[contract.Admission](p, p.act.Authorize, p.request(nil))
			require.NoError(t, err)
			require.Nil(t, a.Ticket)
			require.Equal(t, tt.want, a.Cause.Check)
			p.follow(a.Entries)
			p.sealed(t, contract.SealInput{}, evidence.Denied, tt.want)
		})
	}
}

// sealed seals, verifies the whole as a stranger would, and checks the end.
func (p *plane) sealed(t *testing.T, in contract.SealInput, verdict evidence.Verdict, cause string) *contract.SealOutput {
	t.Helper()
	in.Head = p.head
	out, err := call[contract.SealOutput](p, p.act.Seal, in)
	require.NoError(t, err)
	p.follow(out.Entries, in.Fresh...)
	report := evidence.Verify(trust(t), &evidence.Proof{Records: p.all})
	require.NoError(t, report.Err())
	require.Equal(t, verdict, report.Verdict)
	require.Equal(t, cause, report.Cause)
	require.Equal(t, verdict, out.Verdict)
	return out
}

// TestActivitiesAnswerTheSame runs each activity twice, the second time in a
// new process: Temporal runs activities at least once.
func TestActivitiesAnswerTheSame(t *testing.T) {
	p := newPlane(t)
	request := p.request(nil)
	first, err := call[contract.Admission](p, p.act.Authorize, request)
	require.NoError(t, err)
	p.build()
	second, err := call[contract.Admission](p, p.act.Authorize, request)
	require.NoError(t, err)
	require.Equal(t, first, second)
	p.follow(first.Entries)

	one, err := p.decide([]string{"a"})
	require.NoError(t, err)
	require.Len(t, one.Allowed, 1)
	p.build()
	p.policy.step = evidence.Ruling{} // what is decided is decided
	two, err := p.decide([]string{"a"})
	require.NoError(t, err)
	require.Equal(t, one, two)
	p.follow(one.Entries)
	p.policy.step = yes()

	head, all := p.head, p.all
	in := contract.SealInput{Fresh: []evidence.Envelope{p.outcome(one.Allowed[0], evidence.StatusFailed, "x")}}
	sealed := p.sealed(t, in, evidence.Failed, "x")
	p.head, p.all = head, all
	p.build()
	require.Equal(t, sealed, p.sealed(t, in, evidence.Failed, "x"))
}

// TestDecideReturnsWhatItMissed: a decision that was stored, and whose marker
// was lost, comes back although the workflow has more to say by then.
func TestDecideReturnsWhatItMissed(t *testing.T) {
	p := newPlane(t)
	p.granted()
	lost, err := p.decide([]string{"a"})
	require.NoError(t, err)
	again, err := p.decide([]string{"a"})
	require.NoError(t, err)
	require.Equal(t, lost.Entries, again.Entries)
	p.follow(again.Entries)
	done := p.outcome(again.Allowed[0], evidence.StatusDone, "")
	_, err = p.decide([]string{"b"}, done) // stored, and lost again
	require.NoError(t, err)
	out, err := p.decide([]string{"b"}, done)
	require.NoError(t, err)
	require.Len(t, out.Entries, 2)
	require.Nil(t, out.Entries[0].Envelope, "what was handed in comes back as a digest")
	p.follow(out.Entries, done)
	p.sealed(t, contract.SealInput{Fresh: []evidence.Envelope{p.outcome(out.Allowed[0], evidence.StatusDone, "")}}, evidence.Completed, "completed")
}

func TestDecideHalts(t *testing.T) {
	tests := []struct {
		name   string
		change func(*plane)
		steps  []string
		fresh  func(*plane, contract.Work) evidence.Envelope
		want   string
	}{
		{name: "a probe that fails", change: func(p *plane) { p.probe = func() (string, string, error) { return "a", "b", nil } }, want: "probe.p"},
		{name: "another policy in force", change: func(p *plane) { p.policy.ref.Digest = evidence.FileDigest(nil) }, want: "policy.pinned"},
		{name: "the grant is over", change: func(p *plane) { p.now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, want: "grant.expired"},
		{name: "a probe that panics", change: func(p *plane) { p.probe = func() (string, string, error) { panic("x") } }, want: "probe.p"},
		{name: "a head that the store has not", change: func(p *plane) { p.head.Seq++ }, want: "store.head"},
		{name: "a head with another link", change: func(p *plane) { p.head.Prev[0] ^= 1 }, want: "store.head"},
		{name: "a step that is not in the plan", steps: []string{"z"}, want: "decision.impossible"},
		{name: "a step that needs one that is not done", steps: []string{"b"}, want: "decision.impossible"},
		{name: "nonsense as an outcome", fresh: func(*plane, contract.Work) evidence.Envelope { return evidence.Envelope{} }, want: "record.forged"},
		{name: "a halt of the authority's as an outcome", fresh: func(p *plane, w contract.Work) evidence.Envelope {
			rec := p.record(w)
			d := rec.Predicate.(*evidence.Decision)
			e, err := evidencetest.Signer(evidencetest.Authority).Sign(rec.Subject, &evidence.Halt{
				Position: p.head, At: d.At, Grant: d.Grant, Binding: d.Binding, Check: "x", Reason: "x",
			})
			require.NoError(p.t, err)
			return e
		}, want: "record.forged"},
		{name: "a refusal by the guard", fresh: func(p *plane, w contract.Work) evidence.Envelope {
			return p.outcome(w, evidence.StatusRefused, "lease")
		}, want: "guard.lease"},
		{name: "a lapsed lease", fresh: func(p *plane, w contract.Work) evidence.Envelope {
			return p.outcome(w, evidence.StatusCancelled, evidence.CauseLapsed)
		}, want: evidence.CauseLapsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlane(t)
			p.granted()
			first, err := p.decide([]string{"a"})
			require.NoError(t, err)
			p.follow(first.Entries)
			if tt.change != nil {
				tt.change(p)
			}
			var fresh []evidence.Envelope
			if tt.fresh != nil {
				fresh = append(fresh, tt.fresh(p, first.Allowed[0]))
			}
			steps := tt.steps
			if steps == nil {
				steps = []string{"b"}
			}
			out, err := p.decide(steps, fresh...)
			require.NoError(t, err)
			require.True(t, out.Halt)
			require.Equal(t, tt.want, out.Stop.Check)
			require.Empty(t, out.Allowed)
		})
	}
}

func TestDecideDenies(t *testing.T) {
	tests := []struct {
		name string
		step evidence.Ruling
		want string
	}{
		{"a policy that says nothing", evidence.Ruling{}, "policy.silent"},
		{"an unknown effect", evidence.Ruling{Effect: "maybe", Cause: "x"}, "x"},
		{"a denial", evidence.Ruling{Effect: evidence.Deny, Cause: "policy.deny"}, "policy.deny"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlane(t)
			p.granted()
			p.policy.step = tt.step
			out, err := p.decide([]string{"a"})
			require.NoError(t, err)
			require.Empty(t, out.Allowed)
			require.Equal(t, tt.want, out.Stop.Check)
			p.follow(out.Entries)
			p.policy.step = yes() // and nothing more is allowed, whatever policy says now
			more, err := p.decide([]string{"a", "b"})
			require.NoError(t, err)
			require.Empty(t, more.Allowed)
			p.sealed(t, contract.SealInput{}, evidence.Denied, tt.want)
		})
	}
}

// TestLeaseLapsed: without a live lease nothing is decided, and nothing is
// denied either, until it is renewed.
func TestLeaseLapsed(t *testing.T) {
	p := newPlane(t)
	p.granted()
	p.now = func() time.Time { return time.Now().Add(5 * time.Minute) }
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	require.True(t, out.Lapsed)
	require.Empty(t, out.Allowed)
	require.Empty(t, out.Entries)
}

func TestSealJudgesByTheRecords(t *testing.T) {
	p := newPlane(t)
	ticket := p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	d := out.Allowed[0].Decision
	_, err = p.store.(*store.Store).Fence(t.Context(), store.Slot{
		Run: testRun, Step: "a", Decision: d, Key: evidence.IdempotencyKey(p.all[0].Digest(), "a"), Worker: evidencetest.Worker, At: 1,
	})
	require.NoError(t, err)
	require.Equal(t, testRun.Run, ticket.Binding.Run)
	p.sealed(t, contract.SealInput{}, evidence.Unresolved, evidence.CauseNoOutcome)
}

// TestSealFindsALostOutcome: the worker stored its outcome, and the answer to
// Temporal was lost.
func TestSealFindsALostOutcome(t *testing.T) {
	p := newPlane(t)
	p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	st := p.store.(*store.Store)
	_, err = st.Fence(t.Context(), store.Slot{Run: testRun, Step: "a", Decision: out.Allowed[0].Decision, Key: "k", Worker: evidencetest.Worker, At: 1})
	require.NoError(t, err)
	require.NoError(t, st.Finish(t.Context(), testRun, "a", p.outcome(out.Allowed[0], evidence.StatusFailed, "x")))
	p.sealed(t, contract.SealInput{}, evidence.Failed, "x")
}

// TestSealUnstored seals without the store, from the workflow's records, and
// refuses records that are not what the control plane signed.
func TestSealUnstored(t *testing.T) {
	p := newPlane(t)
	p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	require.NoError(t, p.store.(*store.Store).Close())
	p.build()
	halt := contract.Cause{Check: "store.unavailable", Reason: "gone"}

	_, err = call[contract.SealOutput](p, p.act.Seal, contract.SealInput{Head: p.head, Halt: halt})
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app))
	require.Equal(t, contract.ErrTypeStore, app.Type())

	for name, all := range map[string][]evidence.Envelope{
		"one is missing": p.all[:len(p.all)-1],
		"another order":  {p.all[1], p.all[0], p.all[2]},
		"one is forged":  {p.all[0], p.all[1], evidencetest.SignBytes(evidencetest.Stranger, evidence.PayloadType, p.all[2].Payload)},
	} {
		_, err := call[contract.SealOutput](p, p.act.Seal, contract.SealInput{Head: p.head, Halt: halt, All: all})
		require.True(t, errors.As(err, &app), name)
		require.Equal(t, contract.ErrTypeUnsealed, app.Type(), name)
	}
	head, records := p.head, p.all
	p.sealed(t, contract.SealInput{Halt: halt, All: records}, evidence.Unresolved, evidence.CauseNoOutcome)
	p.head, p.all = head, records
	p.sealed(t, contract.SealInput{All: records}, evidence.Unresolved, evidence.CauseNoOutcome)
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name   string
		change func(*plane)
		input  func(*contract.WatchInput)
		halt   string
		signal bool
	}{
		{name: "all is well", signal: true},
		{name: "a probe fails", change: func(p *plane) { p.probe = func() (string, string, error) { return "a", "b", nil } }, halt: "probe.p", signal: true},
		{name: "a probe cannot answer", change: func(p *plane) { p.probe = func() (string, string, error) { return "", "", errors.New("x") } }, halt: "probe.p", signal: true},
		{name: "an integrity rule denies", change: func(p *plane) { p.policy.watch = evidence.Ruling{Effect: evidence.Deny, Cause: "policy.deny"} }, halt: "probe.policy.integrity", signal: true},
		{name: "a policy that says nothing", change: func(p *plane) { p.policy.watch = evidence.Ruling{} }, halt: "probe.policy.integrity", signal: true},
		{name: "another policy in force", change: func(p *plane) { p.policy.ref.Version++ }, halt: "policy.pinned"},
		{name: "another run", input: func(in *contract.WatchInput) { in.Binding.Run = "x" }, halt: "policy.pinned"},
		{name: "the grant is over", change: func(p *plane) { p.now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, halt: "grant.expired"},
		{name: "the store is away", change: func(p *plane) { require.NoError(p.t, p.store.(*store.Store).Close()) }, halt: "probe.store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlane(t)
			ticket := p.granted()
			if tt.change != nil {
				tt.change(p)
			}
			in := contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding}
			if tt.input != nil {
				tt.input(&in)
			}
			out, err := call[contract.WatchOutput](p, p.act.Watch, in)
			require.NoError(t, err)
			require.Equal(t, tt.halt, out.Halt.Check)
			require.Equal(t, tt.signal, out.Signal != nil)
			if out.Signal == nil {
				return
			}
			in2 := contract.SealInput{Fresh: []evidence.Envelope{*out.Signal}, Halt: out.Halt}
			p.policy.watch, p.probe = yes(), func() (string, string, error) { return "s", "s", nil }
			if tt.halt == "" {
				p.sealed(t, in2, evidence.Cancelled, evidence.CauseCancelled)
			} else {
				p.sealed(t, in2, evidence.Halted, tt.halt)
			}
		})
	}
}

// TestSealFencesWhatHasNotBegun: after the seal nobody can begin a step that
// was allowed before it, however late its order arrives.
func TestSealFencesWhatHasNotBegun(t *testing.T) {
	p := newPlane(t)
	p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	p.sealed(t, contract.SealInput{}, evidence.Cancelled, evidence.CauseCancelled)
	slot, err := p.store.Fence(t.Context(), store.Slot{Run: testRun, Step: "a", Decision: out.Allowed[0].Decision, Worker: evidencetest.Worker})
	require.ErrorIs(t, err, store.ErrTaken)
	require.Equal(t, "(sealed)", slot.Worker)
}

// TestSealUnstoredBelievesTheStore: records that leave something out do not
// hide what the store holds.
func TestSealUnstoredBelievesTheStore(t *testing.T) {
	p := newPlane(t)
	p.granted()
	granted, records := p.head, p.all
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	sealed := p.sealed(t, contract.SealInput{Halt: contract.Cause{Check: "x", Reason: "x"}}, evidence.Halted, "x")

	again, err := call[contract.SealOutput](p, p.act.Seal, contract.SealInput{Head: granted, All: records})
	require.NoError(t, err)
	require.Equal(t, sealed.Verdict, again.Verdict)
	require.Equal(t, sealed.Entries[len(sealed.Entries)-1], again.Entries[len(again.Entries)-1], "there is one seal")
}

// TestSealAfterTheGrantIsOver: what ended in time is completed, whenever it is
// sealed.
func TestSealAfterTheGrantIsOver(t *testing.T) {
	p := newPlane(t)
	p.granted()
	for _, step := range []string{"a", "b"} {
		out, err := p.decide([]string{step})
		require.NoError(t, err)
		p.follow(out.Entries)
		done := p.outcome(out.Allowed[0], evidence.StatusDone, "")
		recorded, err := p.decide(nil, done)
		require.NoError(t, err)
		p.follow(recorded.Entries, done)
	}
	p.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	p.sealed(t, contract.SealInput{}, evidence.Completed, evidence.CauseCompleted)
}

// TestTermsAreTheGrants: changing the configuration does not change what an
// execution was granted.
func TestTermsAreTheGrants(t *testing.T) {
	for _, lease := range []int64{30_000, 120_000} {
		p := newPlane(t)
		ticket := p.granted()
		p.terms.LeaseMS = lease
		p.build()
		out, err := call[contract.WatchOutput](p, p.act.Watch, contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding})
		require.NoError(t, err)
		require.Empty(t, out.Halt.Check)
		p.sealed(t, contract.SealInput{Fresh: []evidence.Envelope{*out.Signal}}, evidence.Cancelled, evidence.CauseCancelled)
	}
}

// TestStaleCopyIsReadAgain: two control planes take turns on one store.
func TestStaleCopyIsReadAgain(t *testing.T) {
	p := newPlane(t)
	p.granted()
	first := p.act
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	p.build() // the second
	done := p.outcome(out.Allowed[0], evidence.StatusDone, "")
	out, err = p.decide([]string{"b"}, done)
	require.NoError(t, err)
	p.follow(out.Entries, done)
	p.act = first // its copy ends before the outcome
	p.sealed(t, contract.SealInput{Fresh: []evidence.Envelope{p.outcome(out.Allowed[0], evidence.StatusDone, "")}}, evidence.Completed, evidence.CauseCompleted)
}

// hanging is a store whose writes never come back.
type hanging struct{ base }

type base = activities.Records

func (hanging) Append(context.Context, store.Run, evidence.Position, ...evidence.Envelope) (evidence.Position, error) {
	select {}
}

// TestStoreThatHangs: a store that does not answer is one that refuses.
func TestStoreThatHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for as long as an activity does")
	}
	p := newPlane(t)
	p.granted()
	p.store = hanging{p.store}
	p.build()
	_, err := p.decide([]string{"a"})
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "%v", err)
	require.Equal(t, contract.ErrTypeStore, app.Type())
	p.sealed(t, contract.SealInput{All: p.all}, evidence.Halted, "store.unavailable")
}
