package activities_test

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// These attacks reach the guard itself, with a task that says it is in the
// right run: as far as somebody gets who owns Temporal and its transport. The
// ones that Temporal's own client can make are in package worker.

// newDesk returns a desk with an empty store.
func newDesk(t *testing.T) (*desk, *catalogue.Catalogue) {
	t.Helper()
	cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
	require.NoError(t, err)
	st, err := store.Open(t.Context(), t.TempDir()+"/evidence.db")
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	return &desk{store: st}, cat
}

// presented is the attack of handing a work order to the guard. It succeeds if
// the guard lets it through to the executor.
func presented(tt guardCase) defencetest.Attack {
	return func(t *testing.T) bool {
		d, cat := newDesk(t)
		in := d.decide(t, tt, cat)
		if tt.before != nil {
			tt.before(t, d)
		}
		if tt.input != nil {
			tt.input(&in)
		}
		_, _ = d.call(t, tt, cat, in)
		return d.calls > 0
	}
}

func TestT08DecisionsThatAreNone(t *testing.T) {
	for _, name := range []string{evidencetest.Stranger, evidencetest.Alice, evidencetest.Worker, evidencetest.Recorder} {
		t.Run("signed by "+name, func(t *testing.T) {
			defencetest.Run(t, presented(guardCase{action: "once", signer: name}), defence.DecisionSignature)
		})
	}
	t.Run("signed for another", func(t *testing.T) {
		defencetest.Run(t, presented(guardCase{action: "once", input: func(in *contract.RunInput) {
			in.Decision.Signatures[0].Sig[0] ^= 1
		}}), defence.DecisionSignature)
	})
	t.Run("a denial", func(t *testing.T) {
		denied := func(d *evidence.Decision) { d.Effect = evidence.Deny }
		defencetest.Run(t, presented(guardCase{action: "once", change: denied}), defence.DecisionAllows)
	})
	t.Run("about the request", func(t *testing.T) {
		admitted := func(d *evidence.Decision) { d.Phase = evidence.PhaseAdmit }
		defencetest.Run(t, presented(guardCase{action: "once", change: admitted}), defence.DecisionAllows)
	})
}

func TestT01DecisionsOfAnotherRun(t *testing.T) {
	for name, change := range map[string]func(*evidence.Binding){
		"namespace": func(b *evidence.Binding) { b.Namespace = "x" },
		"workflow":  func(b *evidence.Binding) { b.Workflow = "x" },
		"run":       func(b *evidence.Binding) { b.Run = "x" },
		"epoch":     func(b *evidence.Binding) { b.Epoch++ },
		"queue":     func(b *evidence.Binding) { b.Queue = "x" },
	} {
		t.Run(name, func(t *testing.T) {
			other := func(d *evidence.Decision) { change(&d.Binding) }
			defencetest.Run(t, presented(guardCase{action: "once", change: other}), defence.DecisionBinding)
		})
	}
}

func TestT10OtherArguments(t *testing.T) {
	other := func(in *contract.RunInput) { in.Args = []byte(`{"n":2}`) }
	defencetest.Run(t, presented(guardCase{action: "once", input: other}), defence.DecisionArgs, defence.ExactBytes)
}

// TestT25LocalActivity calls the step as a local activity of the worker that
// has the credentials.
func TestT25LocalActivity(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		d, cat := newDesk(t)
		in := d.decide(t, guardCase{action: "once"}, cat)
		var effects atomic.Int32
		steps := newSteps(t, cat, d.store, acting(&effects))
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.SetTestTimeout(time.Minute)
		_, _ = env.ExecuteLocalActivity(steps.RunStep, in)
		return effects.Load() > 0
	}, defence.DecisionBinding)
}

// TestT01SixtyFourAtOneSlot hands the same order, a good one, to the guard 64
// times at once. It may act once.
func TestT01SixtyFourAtOneSlot(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		d, cat := newDesk(t)
		in := d.decide(t, guardCase{action: "once"}, cat)
		var effects atomic.Int32
		steps := newSteps(t, cat, d.store, acting(&effects))
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { runStep(steps, in) })
		}
		all.Wait()
		require.NotZero(t, effects.Load(), "the order is a good one")
		return effects.Load() > 1
	}, defence.SlotOnce)
}

// TestT01ForgedDecisionTakesNoSlot tries to use a slot up, with a decision
// that nobody signed, before the real one arrives.
func TestT01ForgedDecisionTakesNoSlot(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		d, cat := newDesk(t)
		in := d.decide(t, guardCase{action: "once"}, cat)
		forged := *d.signed
		forged.Reason = "forged"
		e, err := evidencetest.Signer(evidencetest.Stranger).Sign(d.about, &forged)
		require.NoError(t, err)
		var effects atomic.Int32
		steps := newSteps(t, cat, d.store, acting(&effects))
		runStep(steps, contract.RunInput{Decision: e, Args: in.Args})
		require.Zero(t, effects.Load())
		runStep(steps, in)
		return effects.Load() == 0
	}, defence.SlotAfterSignature)
}

// TestT01StoreAway takes the store away from the step worker, which then
// cannot know whether the step was done.
func TestT01StoreAway(t *testing.T) {
	away := func(t *testing.T, d *desk) { require.NoError(t, d.store.Close()) }
	defencetest.Run(t, presented(guardCase{action: "once", before: away}), defence.StoreAway)
}

// TestT01StoreOfAnother gives the step worker a store that the decision was
// never written to, in which every slot is free.
func TestT01StoreOfAnother(t *testing.T) {
	defencetest.Run(t, presented(guardCase{action: "once", elsewhere: true}), defence.KnownRun)
}

func TestT17WithheldLease(t *testing.T) {
	t.Run("before it begins", func(t *testing.T) {
		defencetest.Run(t, presented(guardCase{action: "once", change: lapsed}), defence.LeaseLive)
	})
	t.Run("renewed by a worker", func(t *testing.T) {
		defencetest.Run(t, presented(guardCase{action: "once", change: lapsed, before: renewBy(evidencetest.Worker)}), defence.LeaseLive)
	})
	t.Run("while it runs", func(t *testing.T) {
		defencetest.Run(t, func(t *testing.T) bool {
			d, cat := newDesk(t)
			in := d.decide(t, guardCase{action: "once", change: soon}, cat)
			var effects atomic.Int32
			runStep(newSteps(t, cat, d.store, slowly(&effects)), in)
			return effects.Load() > 0
		}, defence.LeaseLive)
	})
}

// TestT18LostAnswer runs a step again whose first attempt took the slot and
// was never heard of.
func TestT18LostAnswer(t *testing.T) {
	defencetest.Run(t, presented(guardCase{action: "once", before: taken("")}), defence.SlotOnce)
}

// TestT18AttemptsCountedAnew runs a step again, as its first attempt by
// Temporal's count, whose real first attempt was never heard of. This one has no
// effect; the outcome must not say that there was none.
func TestT18AttemptsCountedAnew(t *testing.T) {
	for name, e := range map[string]*executor.Error{
		"it could not be asked": {Cause: "x", NoEffect: true, Permanent: true},
		"it had been asked":     nil, // an executor that takes a conflict for a failure in first attempts
	} {
		t.Run(name, func(t *testing.T) {
			tt := guardCase{action: "again", before: taken(""), act: func(_ context.Context, c executor.Call) (json.RawMessage, error) {
				if e == nil {
					return nil, &executor.Error{Cause: "http.409", Permanent: true, NoEffect: c.Attempt == 1, Answered: c.Attempt == 1}
				}
				return nil, e
			}}
			defencetest.Run(t, func(t *testing.T) bool {
				d, cat := newDesk(t)
				in := d.decide(t, tt, cat)
				tt.before(t, d)
				out, err := d.call(t, tt, cat, in)
				require.NoError(t, err)
				return out.Status == evidence.StatusFailed
			}, defence.AttemptsCounted)
		})
	}
}

// TestT09OutcomeWithABrokenSignature hands in, on the way from the step worker,
// an outcome whose signature was broken. The store has the real one; the
// workflow must not keep the other, because its proof would not verify.
func TestT09OutcomeWithABrokenSignature(t *testing.T) {
	p := newPlane(t)
	p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	st := p.store.(*store.Store)
	_, err = st.Fence(t.Context(), store.Slot{Run: testRun, Step: "a", Decision: out.Allowed[0].Decision, Key: "k", Worker: evidencetest.Worker, At: 1})
	require.NoError(t, err)
	genuine := p.outcome(out.Allowed[0], evidence.StatusFailed, "x")
	require.NoError(t, st.Finish(t.Context(), testRun, "a", genuine))
	broken := genuine
	broken.Signatures = []evidence.Signature{{KeyID: genuine.Signatures[0].KeyID, Sig: make([]byte, 64)}}
	p.sealed(t, contract.SealInput{Fresh: []evidence.Envelope{broken}}, evidence.Halted, "record.forged")
}

// TestT19DiesAfterTheEffect: the worker acts and dies before it can record
// that, and Temporal runs the step again.
func TestT19DiesAfterTheEffect(t *testing.T) {
	twice := func(t *testing.T) bool {
		d, cat := newDesk(t)
		in := d.decide(t, guardCase{action: "once"}, cat)
		var effects atomic.Int32
		var dead atomic.Bool
		first := newSteps(t, cat, dying{d.store, &dead}, func(ctx context.Context, c executor.Call) (json.RawMessage, error) {
			defer dead.Store(true)
			return acting(&effects)(ctx, c)
		})
		runStep(first, in) // its answer is lost
		require.Equal(t, int32(1), effects.Load())
		runStep(newSteps(t, cat, d.store, acting(&effects)), in)
		return effects.Load() > 1
	}
	defencetest.Run(t, twice, defence.SlotOnce)
	defencetest.Run(t, twice, defence.SlotBeforeEffect)
}

// TestT10AfterTheSeal hands an order to the guard that was allowed, and held
// back until the execution was sealed.
func TestT10AfterTheSeal(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		p := newPlane(t)
		p.granted()
		out, err := p.decide([]string{"a"})
		require.NoError(t, err)
		p.follow(out.Entries)
		held := contract.RunInput{Decision: p.record(out.Allowed[0]).Envelope, Args: []byte(`{}`)}
		p.sealed(t, contract.SealInput{}, evidence.Cancelled, evidence.CauseCancelled)

		cat, err := catalogue.Parse("actions.yaml", []byte(testCatalogue))
		require.NoError(t, err)
		var effects atomic.Int32
		runStep(newSteps(t, cat, p.store.(*store.Store), acting(&effects)), held)
		return effects.Load() > 0
	}, defence.SealFence)
}

// newSteps returns a step worker whose executor is act.
func newSteps(t *testing.T, cat *catalogue.Catalogue, st activities.Effects, act executor.Func) *activities.Steps {
	t.Helper()
	steps, err := activities.NewSteps(activities.StepsConfig{
		Process: self, Probes: []activities.Probe{healthy()}, Reach: reachable,
		Trust: trust(t), Worker: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker,
		Catalogue: cat, Store: st, Log: zap.NewNop(), Poll: 10 * time.Millisecond, Wait: 50 * time.Millisecond,
		Executors: map[string]executor.Executor{"once": act, "again": act, "brief": act, "look": act},
	})
	require.NoError(t, err)
	return steps
}

// runStep runs the activity as Temporal would, and drops its answer.
func runStep(s *activities.Steps, in contract.RunInput) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterActivity(s.RunStep)
	_, _ = env.ExecuteActivity(s.RunStep, in)
}

func acting(effects *atomic.Int32) executor.Func {
	return func(context.Context, executor.Call) (json.RawMessage, error) {
		effects.Add(1)
		return json.RawMessage(`{}`), nil
	}
}

// slowly acts after some seconds, unless it is stopped before.
func slowly(effects *atomic.Int32) executor.Func {
	return func(ctx context.Context, c executor.Call) (json.RawMessage, error) {
		select {
		case <-ctx.Done():
			return nil, &executor.Error{Cause: "stopped", NoEffect: true}
		case <-time.After(5 * time.Second):
			return acting(effects)(ctx, c)
		}
	}
}

// dying is the store of a process that dies with dead.
type dying struct {
	activities.Effects
	dead *atomic.Bool
}

func (d dying) Take(ctx context.Context, s store.Slot) (store.Slot, error) {
	if d.dead.Load() {
		return store.Slot{}, store.ErrUnavailable
	}
	return d.Effects.Take(ctx, s)
}

func (d dying) Finish(ctx context.Context, run store.Run, step string, e evidence.Envelope) error {
	if d.dead.Load() {
		return store.ErrUnavailable
	}
	return d.Effects.Finish(ctx, run, step, e)
}
