package activities_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// asking is a policy that asks for two of three people, for a minute.
func asking(f evidence.Facts) evidence.Ruling {
	r := evidence.RuleResult{ID: "asks", Effect: evidence.StepUp, Ask: &evidence.Ask{
		By: []string{evidencetest.Carol, evidencetest.Dave, evidencetest.Alice}, Need: 2, WithinMS: 60_000,
	}}
	if r.Granted(f.Said, f.Requester, f.Now) {
		return evidence.Ruling{Effect: evidence.Allow, Cause: "policy.allow", Rules: []evidence.RuleResult{r}}
	}
	return evidence.Ruling{Effect: evidence.StepUp, Cause: "policy.step_up", Reason: "two people", Rules: []evidence.RuleResult{r}}
}

// later is a policy that says not yet, until the given time.
func later(until time.Time) func(evidence.Facts) evidence.Ruling {
	return func(f evidence.Facts) evidence.Ruling {
		if !f.Now.Time().Before(until) {
			return yes()
		}
		return evidence.Ruling{Effect: evidence.Defer, Cause: "policy.defer", Rules: []evidence.RuleResult{
			{ID: "night", Effect: evidence.Defer, Delay: &evidence.Delay{ForMS: 60_000, EveryMS: 10_000}},
		}}
	}
}

// waiting is a plane on which step a waits for approval.
func waiting(t *testing.T) *plane {
	t.Helper()
	p := newPlane(t)
	p.policy.rule = asking
	p.granted()
	w := p.waits("a")
	require.Equal(t, evidence.StepUp, w.Effect)
	require.Equal(t, 2, w.Missing)
	require.NotContains(t, w.By, evidencetest.Alice, "the requester is not asked")
	return p
}

// waits decides a step that must wait.
func (p *plane) waits(step string, messages ...contract.Message) contract.Wait {
	p.t.Helper()
	out := p.hears(step, messages...)
	require.Len(p.t, out.Waiting, 1, "%+v", out)
	require.Empty(p.t, out.Allowed)
	return out.Waiting[0]
}

// hears decides a step, with messages, and follows.
func (p *plane) hears(step string, messages ...contract.Message) *contract.DecideOutput {
	p.t.Helper()
	in := contract.DecideInput{Head: p.head, Messages: messages}
	if step != "" {
		in.Steps = []string{step}
	}
	out, err := call[contract.DecideOutput](p, p.act.Decide, in)
	require.NoError(p.t, err)
	p.follow(out.Entries)
	return out
}

// asked returns the newest decision that waits, with its record.
func (p *plane) asked() (*evidence.Decision, *evidence.Record) {
	p.t.Helper()
	for i := len(p.all) - 1; i >= 0; i-- {
		rec, err := p.all[i].Decode()
		require.NoError(p.t, err)
		if d, ok := rec.Predicate.(*evidence.Decision); ok && d.Effect.Waits() {
			return d, rec
		}
	}
	p.t.Fatal("nothing waits")
	return nil, nil
}

// word is what somebody says of the newest decision that waits.
func (p *plane) word(signer string, edits ...func(*evidence.Approval)) contract.Message {
	p.t.Helper()
	d, rec := p.asked()
	a := &evidence.Approval{
		At: max(d.At, evidence.TimeOf(p.now())), Grant: d.Grant, Binding: d.Binding, Decision: rec.Digest, Step: d.Step, Action: d.Action,
		Args: d.Args, Sends: d.Sends, Policy: d.Policy, Catalogue: d.Catalogue, Approver: signer, Word: evidence.Approve, Expires: d.Until,
	}
	for _, edit := range edits {
		edit(a)
	}
	e, err := evidencetest.Signer(signer).Sign(rec.Subject, a)
	require.NoError(p.t, err)
	return sent(p.t, e)
}

// sent is a value as it comes in a message.
func sent(t *testing.T, v any) contract.Message {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return contract.Message{Digest: evidence.FileDigest(data), Data: data}
}

func TestT16Approved(t *testing.T) {
	p := waiting(t)
	first := p.word(evidencetest.Carol)
	w := p.waits("a", first, first)
	require.Equal(t, 1, w.Missing)
	out := p.hears("a", first, p.word(evidencetest.Dave))
	require.Equal(t, []contract.Heard{{Counted: true, Step: "a", Missing: 1}, {Counted: true, Step: "a"}}, out.Heard)
	require.Len(t, out.Allowed, 1)
	p.policy.rule = nil
	p.sealed(t, contract.SealInput{Fresh: []evidence.Envelope{p.outcome(out.Allowed[0], evidence.StatusDone, "")}}, evidence.Cancelled, evidence.CauseCancelled)
}

// TestT16ApprovalsThatAreNone is about what somebody may sign, and what nobody
// needs to sign: none of it brings the step nearer to being allowed, and all of
// it is recorded.
func TestT16ApprovalsThatAreNone(t *testing.T) {
	phone := func(a *evidence.Approval) { a.Approver = evidencetest.CarolsPhone }
	tests := []struct {
		name    string
		message func(*plane) contract.Message
		check   string
	}{
		{"nothing", func(*plane) contract.Message { return contract.Message{Digest: evidence.FileDigest(nil)} }, "message.size"},
		{"no envelope", func(p *plane) contract.Message { return sent(p.t, "approve") }, "message.malformed"},
		{"an envelope with something more", func(p *plane) contract.Message { return sent(p.t, map[string]any{"payload": "", "yes": true}) }, "message.malformed"},
		{"no signature", func(p *plane) contract.Message {
			return sent(p.t, evidence.Envelope{PayloadType: evidence.PayloadType, Payload: []byte("{}")})
		}, "message.untrusted"},
		{"by a stranger", func(p *plane) contract.Message { return p.word(evidencetest.Stranger) }, "message.untrusted"},
		{"by the authority", func(p *plane) contract.Message { return p.word(evidencetest.Authority) }, "message.untrusted"},
		{"by the requester's key", func(p *plane) contract.Message { return p.word(evidencetest.Alice) }, "message.untrusted"},
		{"in another's name", func(p *plane) contract.Message {
			return p.word(evidencetest.Frank, func(a *evidence.Approval) { a.Approver = evidencetest.Carol })
		}, "message.untrusted"},
		{"a request", func(p *plane) contract.Message { return sent(p.t, p.request(nil)) }, "message.kind"},
		{"by the requester", func(p *plane) contract.Message { return p.word(evidencetest.AliceApprover) }, "approval.misplaced"},
		{"by somebody who was not asked", func(p *plane) contract.Message { return p.word(evidencetest.Frank) }, "approval.misplaced"},
		{"by one person with two keys", func(p *plane) contract.Message {
			p.waits("a", p.word(evidencetest.Carol))
			return p.word(evidencetest.CarolsPhone, phone)
		}, "approval.misplaced"},
		{"of other arguments", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Args = evidence.ValueDigest([]byte(`{"n":2}`)) })
		}, "approval.misplaced"},
		{"of other bytes", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Sends = evidence.FileDigest(nil) })
		}, "approval.misplaced"},
		{"of another action", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Action = "again" })
		}, "approval.misplaced"},
		{"of another step", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Step = "b" })
		}, "approval.misplaced"},
		{"under another policy", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Policy.Version++ })
		}, "approval.misplaced"},
		{"in another run", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Binding.Run = "x" })
		}, "approval.misplaced"},
		{"of another decision", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.Decision = evidence.FileDigest(nil) })
		}, "approval.misplaced"},
		{"made before it was asked for", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.At -= 5000 })
		}, "approval.misplaced"},
		{"of tomorrow", func(p *plane) contract.Message {
			return p.word(evidencetest.Dave, func(a *evidence.Approval) { a.At, a.Expires = a.At.Add(24*time.Hour), a.At.Add(48*time.Hour) })
		}, "message.future"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := waiting(t)
			m := tt.message(p)
			before := p.waits("a").Missing
			for range 2 { // the second time it is not recorded again
				out := p.hears("a", m)
				require.Len(t, out.Heard, 1)
				require.False(t, out.Heard[0].Counted)
				require.Equal(t, tt.check, out.Heard[0].Cause.Check, out.Heard[0].Cause.Reason)
				require.Len(t, out.Waiting, 1)
				require.Equal(t, before, out.Waiting[0].Missing)
			}
			require.Equal(t, 1, p.count(evidence.KindRejection))
			p.sealed(t, contract.SealInput{}, evidence.Cancelled, evidence.CauseCancelled)
		})
	}
}

// count returns how many records of a kind the chain has.
func (p *plane) count(k evidence.Kind) (n int) {
	p.t.Helper()
	for _, e := range p.all {
		rec, err := e.Decode()
		require.NoError(p.t, err)
		if rec.Kind() == k {
			n++
		}
	}
	return n
}

// TestT21ManyMessages cannot fill the evidence.
func TestT21ManyMessages(t *testing.T) {
	p := waiting(t)
	var all []contract.Message
	for i := range 100 {
		all = append(all, sent(t, i))
	}
	out := p.hears("", all...)
	require.Len(t, out.Heard, len(all))
	require.Equal(t, 64, p.count(evidence.KindRejection))
	p.waits("a", p.word(evidencetest.Carol))
	require.Len(t, p.hears("a", p.word(evidencetest.Dave)).Allowed, 1)
}

func TestWaitsEnd(t *testing.T) {
	refuse := func(a *evidence.Approval) { a.Word, a.Note = evidence.Refuse, "not on my watch" }
	after := func(p *plane, d time.Duration) { now := p.now; p.now = func() time.Time { return now().Add(d) } }
	frozen := time.Now()
	tests := []struct {
		name  string
		rule  func(evidence.Facts) evidence.Ruling
		then  func(*plane) []contract.Message
		check string // of the denial; empty if it is allowed
	}{
		{"somebody refuses", asking, func(p *plane) []contract.Message { return []contract.Message{p.word(evidencetest.Carol, refuse)} }, "approval.refused"},
		{"one approves and refuses", asking, func(p *plane) []contract.Message {
			return []contract.Message{p.word(evidencetest.Carol), p.word(evidencetest.Carol, refuse)}
		}, "approval.refused"},
		{"enough approve, and one refuses", asking, func(p *plane) []contract.Message {
			return []contract.Message{p.word(evidencetest.Carol), p.word(evidencetest.Dave), p.word(evidencetest.Carol, refuse)}
		}, "approval.refused"},
		{"nobody says anything", asking, func(p *plane) []contract.Message { after(p, 61*time.Second); return nil }, "approval.timeout"},
		{"one says something", asking, func(p *plane) []contract.Message {
			p.waits("a", p.word(evidencetest.Carol))
			after(p, 61*time.Second)
			return nil
		}, "approval.timeout"},
		{"the world has changed when they have approved", asking, func(p *plane) []contract.Message {
			m := []contract.Message{p.word(evidencetest.Carol), p.word(evidencetest.Dave)}
			p.policy.rule = func(evidence.Facts) evidence.Ruling {
				return evidence.Ruling{Effect: evidence.Deny, Cause: "policy.deny", Reason: "the order was cancelled"}
			}
			return m
		}, "policy.deny"},
		{"approvals expire before there are enough", asking, func(p *plane) []contract.Message {
			p.waits("a", p.word(evidencetest.Carol, func(a *evidence.Approval) { a.Expires = a.At + 1000 }))
			after(p, 2*time.Second)
			require.Equal(p.t, 1, p.waits("a", p.word(evidencetest.Dave)).Missing)
			after(p, 61*time.Second)
			return nil
		}, "approval.timeout"},
		{"signed when the wait was over, and dated back", asking, func(p *plane) []contract.Message {
			back := func(a *evidence.Approval) { a.At, a.Expires = a.At.Add(-40*time.Second), a.At.Add(time.Hour) }
			after(p, 90*time.Second)
			return []contract.Message{p.word(evidencetest.Carol, back), p.word(evidencetest.Dave, back)}
		}, "approval.timeout"},
		{"signed by clocks that are ahead", asking, func(p *plane) []contract.Message {
			ahead := func(a *evidence.Approval) { a.At = a.At.Add(5 * time.Second) }
			w := p.waits("a", p.word(evidencetest.Carol, ahead), p.word(evidencetest.Dave, ahead))
			require.Zero(p.t, w.Missing, "they count from then on")
			require.LessOrEqual(p.t, w.At, evidence.TimeOf(p.now().Add(5*time.Second)), "it is asked for again then")
			after(p, 5*time.Second)
			return nil
		}, ""},
		{"deferred, and it is time", later(frozen.Add(15 * time.Second)), func(p *plane) []contract.Message {
			after(p, 11*time.Second)
			p.waits("a") // not yet, again
			after(p, 10*time.Second)
			return nil
		}, ""},
		{"deferred for ever", later(frozen.Add(time.Hour)), func(p *plane) []contract.Message {
			for range 6 {
				after(p, 9500*time.Millisecond)
				p.hears("a")
			}
			after(p, 10*time.Second)
			return nil
		}, "defer.timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlane(t)
			p.terms = evidence.Terms{LeaseMS: 600_000, IntervalMS: 20, WindowMS: 100}
			p.now = func() time.Time { return frozen } // only these tests let time pass
			p.build()
			p.policy.rule = tt.rule
			p.granted()
			p.waits("a")
			out := p.hears("a", tt.then(p)...)
			require.Equal(t, tt.check, out.Stop.Check, out.Stop.Reason)
			require.Empty(t, out.Waiting)
			if tt.check == "" {
				require.Len(t, out.Allowed, 1)
				return
			}
			require.Empty(t, out.Allowed)
			p.sealed(t, contract.SealInput{}, evidence.Denied, tt.check)
		})
	}
}

// TestWaitIsOverAtOnce: the process stood still for longer than the wait that
// it decided. The step is asked for again.
func TestWaitIsOverAtOnce(t *testing.T) {
	p := newPlane(t)
	now, rule := p.now, later(time.Now().Add(time.Hour))
	p.policy.rule = func(f evidence.Facts) evidence.Ruling {
		p.now = func() time.Time { return now().Add(11 * time.Second) }
		return rule(f)
	}
	p.granted()
	w := p.waits("a")
	require.Equal(t, evidence.Defer, w.Effect)
	require.LessOrEqual(t, w.At, evidence.TimeOf(p.now()))
}

// TestMessagesAfterTheHandover: where the answer to a handover was lost, the
// run is asked again, and has messages then. They are answered, or the
// workflow would ask for ever.
func TestMessagesAfterTheHandover(t *testing.T) {
	p := newPlane(t)
	p.granted()
	first, err := call[contract.DecideOutput](p, p.act.Decide, contract.DecideInput{Head: p.head, HandOver: true})
	require.NoError(t, err)
	require.False(t, first.Handover.IsZero())
	again, err := call[contract.DecideOutput](p, p.act.Decide, contract.DecideInput{Head: p.head, Messages: []contract.Message{sent(t, "x"), sent(t, "y")}})
	require.NoError(t, err)
	require.Equal(t, first.Handover, again.Handover)
	require.Equal(t, first.Entries, again.Entries)
	require.Equal(t, []contract.Heard{contract.Again(), contract.Again()}, again.Heard)
	require.False(t, again.Heard[0].Refused())
}

// TestT11UndoneBeforeAnybodyLooked: a restoration is for what begins after it.
// What began before the kill is stopped by it, however late it is looked at.
func TestT11UndoneBeforeAnybodyLooked(t *testing.T) {
	p := newPlane(t)
	ticket := p.granted()
	undo(t, p.store.(*store.Store), give(t, p.store.(*store.Store), evidence.Scope{Kind: evidence.ScopeAll}))
	watched, err := call[contract.WatchOutput](p, p.act.Watch, contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding})
	require.NoError(t, err)
	require.Equal(t, evidence.CauseKilled, watched.Halt.Check)
	out := p.hears("a")
	require.Empty(t, out.Allowed)
	require.Equal(t, evidence.CauseKilled, out.Stop.Check)
	p.sealed(t, contract.SealInput{Halt: out.Stop}, evidence.Halted, evidence.CauseKilled)

	t.Run("and what begins after it", func(t *testing.T) {
		p := newPlane(t)
		undo(t, p.store.(*store.Store), give(t, p.store.(*store.Store), evidence.Scope{Kind: evidence.ScopeAll}))
		p.granted()
		require.Len(t, p.hears("a").Allowed, 1)
	})
	t.Run("and a step that waits at its guard", func(t *testing.T) {
		guardCase{action: "once", change: func(d *evidence.Decision) { d.Orders = evidence.Position{} }, errIs: contract.ErrTypeRefused, cause: evidence.CauseKilled,
			before: func(t *testing.T, d *desk) {
				undo(t, d.store, give(t, d.store, evidence.Scope{Kind: evidence.ScopeAll}))
			}}.run(t)
	})
}

// undo gives the order that undoes another.
func undo(t *testing.T, st *store.Store, stop *evidence.Record) {
	t.Helper()
	e, err := evidencetest.Signer(evidencetest.Revoker).SignOrder(&evidence.Order{
		At: evidence.TimeOf(time.Now()), Audience: evidencetest.Domain, Revoker: evidencetest.Revoker, Does: evidence.Restore,
		Scope: stop.Predicate.(*evidence.Order).Scope, Undoes: stop.Digest, Reason: "because", Nonce: strings.Repeat("1", 32),
	})
	require.NoError(t, err)
	head, err := st.Head(t.Context(), store.Orders)
	require.NoError(t, err)
	_, err = st.Append(t.Context(), store.Orders, head, e)
	require.NoError(t, err)
}

// TestT11MessagesNeedASignature: what approvals are worth is what their
// signatures are worth.
func TestT11MessagesNeedASignature(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		p := waiting(t)
		forged := func(name string) contract.Message {
			return p.word(evidencetest.Stranger, func(a *evidence.Approval) { a.Approver = name })
		}
		out := p.hears("a", forged(evidencetest.Carol), forged(evidencetest.Dave))
		return len(out.Allowed) > 0
	}, defence.MessageSignature)
}

// give puts an order into a store, as a control plane would.
func give(t *testing.T, st *store.Store, scope evidence.Scope) *evidence.Record {
	t.Helper()
	return giveAs(t, st, evidencetest.Revoker, scope)
}

func giveAs(t *testing.T, st *store.Store, signer string, scope evidence.Scope) *evidence.Record {
	t.Helper()
	o := &evidence.Order{
		At: evidence.TimeOf(time.Now()), Audience: evidencetest.Domain, Revoker: signer, Does: evidence.Stop, Scope: scope,
		Reason: "because", Nonce: strings.Repeat("0", 32),
	}
	e, err := evidencetest.Signer(signer).SignOrder(o)
	require.NoError(t, err)
	head, err := st.Head(t.Context(), store.Orders)
	require.NoError(t, err)
	_, err = st.Append(t.Context(), store.Orders, head, e)
	require.NoError(t, err)
	rec, err := e.Decode()
	require.NoError(t, err)
	return rec
}

// scopes are those that the execution of these tests is in, and some that it
// is not in.
func scopes(inside bool) map[string]evidence.Scope {
	if !inside {
		return map[string]evidence.Scope{
			"another execution": {Kind: evidence.ScopeExecution, Value: "x"}, "another principal": {Kind: evidence.ScopePrincipal, Value: evidencetest.Bob},
			"another policy": {Kind: evidence.ScopePolicy, Value: "x"}, "another action": {Kind: evidence.ScopeAction, Value: "brief"},
			"another key": {Kind: evidence.ScopeKey, Value: evidencetest.Signer(evidencetest.Bob).KeyID()},
		}
	}
	key := func(name string) evidence.Scope {
		return evidence.Scope{Kind: evidence.ScopeKey, Value: evidencetest.Signer(name).KeyID()}
	}
	return map[string]evidence.Scope{
		"execution": {Kind: evidence.ScopeExecution, Value: testRun.Workflow}, "principal": {Kind: evidence.ScopePrincipal, Value: evidencetest.Alice},
		"policy": {Kind: evidence.ScopePolicy, Value: "desk"}, "action": {Kind: evidence.ScopeAction, Value: "once"}, "all": {Kind: evidence.ScopeAll},
		"the principal's key": key(evidencetest.Alice), "the authority's key": key(evidencetest.Authority),
	}
}

// TestT11OrdersStop an execution wherever it stands: before it is authorized,
// before a step is decided, and while it is watched over.
func TestT11OrdersStop(t *testing.T) {
	for name, scope := range scopes(true) {
		check := evidence.CauseKilled
		if scope.Kind == evidence.ScopeExecution {
			check = evidence.CauseRevoked
		}
		t.Run(name+" before the grant", func(t *testing.T) {
			p := newPlane(t)
			give(t, p.store.(*store.Store), scope)
			a, err := call[contract.Admission](p, p.act.Authorize, p.request(nil))
			require.NoError(t, err)
			require.Nil(t, a.Ticket)
			require.Equal(t, check, a.Cause.Check)
			p.follow(a.Entries)
			p.sealed(t, contract.SealInput{}, evidence.Denied, check)
		})
		t.Run(name+" before a step", func(t *testing.T) {
			p := newPlane(t)
			p.granted()
			order := give(t, p.store.(*store.Store), scope)
			out := p.hears("a")
			require.True(t, out.Halt)
			require.Empty(t, out.Allowed)
			require.Equal(t, check, out.Stop.Check)
			require.Equal(t, order.Digest, p.all[len(p.all)-1].Digest(), "the order is evidence")
			p.sealed(t, contract.SealInput{Halt: out.Stop}, evidence.Halted, check)
		})
		t.Run(name+" while it is watched", func(t *testing.T) {
			p := newPlane(t)
			ticket := p.granted()
			give(t, p.store.(*store.Store), scope)
			out, err := call[contract.WatchOutput](p, p.act.Watch, contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding})
			require.NoError(t, err)
			require.Equal(t, check, out.Halt.Check)
			p.sealed(t, contract.SealInput{Halt: out.Halt}, evidence.Halted, check)
			require.Equal(t, 1, p.count(evidence.KindOrder))
		})
	}
	for name, scope := range scopes(false) {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			give(t, p.store.(*store.Store), scope)
			p.granted()
			require.Len(t, p.hears("a").Allowed, 1)
		})
	}
	for _, name := range []string{evidencetest.Stranger, evidencetest.Authority, evidencetest.Carol} {
		t.Run("signed by "+name, func(t *testing.T) {
			p := newPlane(t)
			giveAs(t, p.store.(*store.Store), name, evidence.Scope{Kind: evidence.ScopeAll})
			p.granted()
			require.Len(t, p.hears("a").Allowed, 1)
		})
	}
	t.Run("obeyed", func(t *testing.T) {
		defencetest.Run(t, func(t *testing.T) bool {
			p := newPlane(t)
			p.granted()
			give(t, p.store.(*store.Store), evidence.Scope{Kind: evidence.ScopeAll})
			return len(p.hears("a").Allowed) > 0
		}, defence.OrdersObeyed)
	})
}

// TestT11OrdersThatWentBack: a chain of orders that got shorter is a store that
// was rolled back, and nothing is decided by it.
func TestT11OrdersThatWentBack(t *testing.T) {
	p := newPlane(t)
	give(t, p.store.(*store.Store), evidence.Scope{Kind: evidence.ScopeExecution, Value: "x"})
	p.granted()
	p.store = unordered{p.store.(*store.Store)}
	p.build()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	require.Empty(t, out.Allowed)
	require.True(t, out.Halt)
}

// unordered is a store that has lost its orders.
type unordered struct{ *store.Store }

func (u unordered) Head(ctx context.Context, run store.Run) (evidence.Position, error) {
	if run == store.Orders {
		return evidence.Position{}, nil
	}
	return u.Store.Head(ctx, run)
}

// TestT11GuardObeysOrders that the workflow was not told of: the decision is
// good, and the step does not begin, or does not go on.
func TestT11GuardObeysOrders(t *testing.T) {
	about := func(d *evidence.Decision) {
		d.Principal, d.Policy = evidencetest.Alice, evidence.PolicyRef{Name: "desk"}
	}
	ordered := func(scope evidence.Scope) func(*testing.T, *desk) {
		return func(t *testing.T, d *desk) { give(t, d.store, scope) }
	}
	stopped := func(scope evidence.Scope) string {
		if scope.Kind == evidence.ScopeExecution {
			return evidence.CauseRevoked
		}
		return evidence.CauseKilled
	}
	for name, scope := range scopes(true) {
		t.Run(name, func(t *testing.T) {
			guardCase{action: "once", change: about, before: ordered(scope), errIs: contract.ErrTypeRefused, cause: stopped(scope)}.run(t)
		})
		t.Run(name+" while it runs", func(t *testing.T) {
			tt := guardCase{action: "once", change: about, status: evidence.StatusUnknown, cause: stopped(scope), calls: 1}
			tt.before = func(t *testing.T, d *desk) {
				tt := t
				d.during = func() { give(tt, d.store, scope) }
			}
			tt.act = untilStopped
			tt.run(t)
		})
	}
	for name, scope := range scopes(false) {
		t.Run(name, func(t *testing.T) {
			guardCase{action: "once", change: about, before: ordered(scope), status: evidence.StatusDone, calls: 1}.run(t)
		})
	}
	t.Run("an order that comes while the slot is taken", func(t *testing.T) {
		guardCase{action: "once", change: about, errIs: contract.ErrTypeRefused, cause: evidence.CauseKilled,
			config: func(c *activities.StepsConfig) { c.Store = &ordering{Effects: c.Store, t: t} }}.run(t)
	})
	t.Run("a step that may be repeated is not", func(t *testing.T) {
		guardCase{action: "again", change: about, act: untilStopped, status: evidence.StatusUnknown, cause: evidence.CauseKilled, calls: 1,
			before: func(t *testing.T, d *desk) {
				d.during = func() { give(t, d.store, evidence.Scope{Kind: evidence.ScopeAll}) }
			}}.run(t)
	})
	t.Run("obeyed", func(t *testing.T) {
		defencetest.Run(t, presented(guardCase{action: "once", change: about, before: ordered(evidence.Scope{Kind: evidence.ScopeAll})}), defence.GuardObeys)
	})
}

// ordering is a store into which an order comes just before a slot is taken
// for the first time.
type ordering struct {
	activities.Effects
	t    *testing.T
	once bool
}

func (o *ordering) Take(ctx context.Context, slot store.Slot) (store.Slot, error) {
	if !o.once {
		o.once = true
		give(o.t, o.Effects.(*store.Store), evidence.Scope{Kind: evidence.ScopeAll})
	}
	return o.Effects.Take(ctx, slot)
}
