package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// continuation is the part of conformance about runs that go on with the chain
// of another.
func continuation(t *testing.T, open opener) {
	t.Run("continue refuses", func(t *testing.T) { testContinueRefuses(t, open) })
	t.Run("continued", func(t *testing.T) { testContinued(t, open) })
	t.Run("superseded", func(t *testing.T) { testSuperseded(t, open) })
	t.Run("one handover, many runs", func(t *testing.T) { testOneHandoverManyRuns(t, open) })
	t.Run("many handovers, one chain", func(t *testing.T) { testManyHandoversOneChain(t, open) })
}

// testContinueRefuses has a row for each way to go on that must not be. None
// may change anything; a handover that was not consumed can still be.
func testContinueRefuses(t *testing.T, open opener) {
	handover, next := handoverOf("handover"), runOf("next")
	records := envelopes("continued")
	// used continues a as b.
	used := func(w world) evidence.Position {
		head, err := w.Continue(ctx, w.a, runOf("b"), w.head, handoverOf("used"), envelope("continued"))
		require.NoError(w.t, err)
		return head
	}
	type call struct {
		from, to store.Run
		at       evidence.Position
		handover evidence.Digest
		records  []evidence.Envelope
	}
	tests := []struct {
		name   string
		before func(w world) evidence.Position // where the chain ends then; nil: as in newWorld
		change func(c *call)
		want   error
	}{
		{"without a record", nil, func(c *call) { c.records = nil }, evidence.ErrEnvelope},
		{"without a handover", nil, func(c *call) { c.handover = evidence.Digest{} }, evidence.ErrEnvelope},
		{"with a good record and one that never verifies", nil, func(c *call) {
			c.records = append(envelopes("good"), evidence.Envelope{Payload: make([]byte, evidence.MaxPayload+1)})
		}, evidence.ErrEnvelope},
		{"into another namespace", nil, func(c *call) { c.to.Namespace = "other" }, store.ErrConflict},
		{"into another workflow", nil, func(c *call) { c.to.Workflow = "other" }, store.ErrConflict},
		{"from another namespace", nil, func(c *call) { c.from.Namespace = "other" }, store.ErrConflict},
		{"from a run that is not known", nil, func(c *call) { c.from = runOf("none") }, store.ErrNoRun},
		{"from a run without a chain", func(w world) evidence.Position {
			require.NoError(w.t, w.Renew(ctx, runOf("lease only"), evidence.Lease{Number: 1}, envelope("x")))
			return w.head
		}, func(c *call) { c.from, c.at = runOf("lease only"), evidence.Position{} }, store.ErrNoRun},
		{"to itself", nil, func(c *call) { c.to = c.from }, store.ErrConflict},
		{"to a run with a chain", func(w world) evidence.Position {
			_, err := w.Begin(ctx, runOf("other"), nil, envelope("request"))
			require.NoError(w.t, err)
			return w.head
		}, func(c *call) { c.to = runOf("other") }, store.ErrConflict},
		{"to a run with a lease", func(w world) evidence.Position {
			require.NoError(w.t, w.Renew(ctx, runOf("other"), evidence.Lease{Number: 1}, envelope("x")))
			return w.head
		}, func(c *call) { c.to = runOf("other") }, store.ErrConflict},
		{"back to the run before", used, func(c *call) { c.from, c.to = runOf("b"), runOf("a") }, store.ErrConflict},
		{"from a run that was continued", used, func(*call) {}, store.ErrSuperseded},
		{"the same again", used, func(c *call) { c.to, c.handover = runOf("b"), handoverOf("used") }, store.ErrTaken},
		{"another run with the same handover", used, func(c *call) { c.handover = handoverOf("used") }, store.ErrTaken},
		{"the newest run with the same handover", used, func(c *call) {
			c.from, c.handover = runOf("b"), handoverOf("used")
		}, store.ErrTaken},
		{"another chain with the same handover", func(w world) evidence.Position {
			_, err := w.Begin(ctx, runOf("other"), nil, envelope("request"))
			require.NoError(w.t, err)
			return used(w)
		}, func(c *call) { c.from, c.handover = runOf("other"), handoverOf("used") }, store.ErrTaken},
		{"behind the head", nil, func(c *call) { c.at = evidence.Position{} }, store.ErrConflict},
		{"beyond the head", nil, func(c *call) { c.at.Seq++ }, store.ErrConflict},
		{"after another link", nil, func(c *call) { c.at.Prev = evidence.ValueDigest(nil) }, store.ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, open(t)())
			at, newest := w.head, w.a
			if tt.before != nil {
				at = tt.before(w)
			}
			if at != w.head {
				newest = runOf("b")
			}
			before, err := w.List(ctx, 99)
			require.NoError(t, err)
			c := call{w.a, next, at, handover, records}
			tt.change(&c)
			_, err = w.Continue(ctx, c.from, c.to, c.at, c.handover, c.records...)
			require.ErrorIs(t, err, tt.want)
			w.check(int(at.Seq))
			checkChain(t, w, next, 0)
			after, err := w.List(ctx, 99)
			require.NoError(t, err)
			require.Equal(t, before, after)

			_, err = w.Continue(ctx, newest, next, at, handover, records...)
			require.NoError(t, err, "the handover was not consumed")
		})
	}
}

// continued is newWorld, continued by b, which c has continued. It returns
// the runs from the oldest to the newest, and their head.
func continued(t *testing.T, open opener) (w world, runs []store.Run, head evidence.Position) {
	again := open(t)
	w = newWorld(t, again())
	runs = []store.Run{w.a, runOf("b"), runOf("c")}
	head, err := w.Continue(ctx, runs[0], runs[1], w.head, handoverOf("b"), envelopes("continued by b", "and more")...)
	require.NoError(t, err)
	head, err = w.Append(ctx, runs[1], head, envelope("of b"))
	require.NoError(t, err)
	_, err = w.Take(ctx, slotOf(runs[1], "second"))
	require.NoError(t, err)
	head, err = w.Continue(ctx, runs[1], runs[2], head, handoverOf("c"), envelope("continued by c"))
	require.NoError(t, err)
	require.Equal(t, uint64(6), head.Seq)
	w.backend = again() // what happened is in the store, not in the process
	return w, runs, head
}

// testContinued: all runs of a chain read the same, and the newest goes on as
// if it had been the first.
func testContinued(t *testing.T, open opener) {
	w, runs, head := continued(t, open)
	newest := runs[2]
	listed, err := w.Runs(ctx, newest.Workflow)
	require.NoError(t, err)
	require.Equal(t, []store.Run{runs[2], runs[1], runs[0]}, listed)

	again := slotOf(newest, "done")
	again.Worker = "worker-2"
	taken, err := w.Take(ctx, again)
	require.ErrorIs(t, err, store.ErrTaken, "once for the chain")
	require.Equal(t, "worker-1", taken.Worker)
	require.NotNil(t, taken.Outcome)
	_, err = w.Begin(ctx, newest, w.nonce, envelope("request"))
	require.ErrorIs(t, err, store.ErrConflict, "it has begun, with this nonce")
	_, err = w.Begin(ctx, runOf("other"), w.nonce, envelope("request"))
	require.ErrorIs(t, err, store.ErrNonceUsed)
	require.ErrorIs(t, w.Renew(ctx, newest, evidence.Lease{Number: 5, Until: 900}, envelope("x")), store.ErrStale)
	require.ErrorIs(t, w.Attest(ctx, attestationOf(newest, "open", 2, 5)), store.ErrStale)

	head, err = w.Append(ctx, newest, head, envelope("of c"))
	require.NoError(t, err)
	_, err = w.Take(ctx, slotOf(newest, "third"))
	require.NoError(t, err)
	require.NoError(t, w.Finish(ctx, newest, "second", envelope("outcome")))
	require.NoError(t, w.Attest(ctx, attestationOf(newest, "open", 2, 6)))
	require.NoError(t, w.Attest(ctx, attestationOf(newest, "third", 1, 1)))
	require.NoError(t, w.Renew(ctx, newest, evidence.Lease{Number: 6, Until: 900}, envelope("lease 6")))
	for _, run := range runs {
		checkChain(t, w, run, int(head.Seq))
		late, err := w.Records(ctx, run, 6)
		require.NoError(t, err)
		require.Equal(t, envelope("of c"), late[0].Envelope)
		second, outcome := slotOf(run, "second"), envelope("outcome")
		second.Outcome = &outcome
		slots, err := w.Slots(ctx, run)
		require.NoError(t, err)
		require.Len(t, slots, 4)
		require.Equal(t, []store.Slot{slotOf(run, "open"), second, slotOf(run, "third")}, slots[1:])
		attested, err := w.Attestations(ctx, run)
		require.NoError(t, err)
		require.Equal(t, []store.Attestation{attestationOf(run, "open", 2, 6), attestationOf(run, "third", 1, 1)}, attested)
		lease, signed, err := w.Lease(ctx, run)
		require.NoError(t, err)
		require.Equal(t, evidence.Lease{Number: 6, Until: 900}, lease)
		require.Equal(t, envelope("lease 6"), signed)
	}
	checkChain(t, w, runOf("other"), 0)
}

// testSuperseded has a row for each write that a run of the past may try. That
// it would change nothing is no excuse.
func testSuperseded(t *testing.T, open opener) {
	tests := []struct {
		name string
		do   func(w world, run store.Run, head evidence.Position) error
	}{
		{"begin", func(w world, run store.Run, _ evidence.Position) error {
			_, err := w.Begin(ctx, run, nil, envelope("request"))
			return err
		}},
		{"begin with its nonce", func(w world, run store.Run, _ evidence.Position) error {
			_, err := w.Begin(ctx, run, w.nonce, envelope("request"))
			return err
		}},
		{"append", func(w world, run store.Run, head evidence.Position) error {
			_, err := w.Append(ctx, run, head, envelope("x"))
			return err
		}},
		{"append nothing", func(w world, run store.Run, head evidence.Position) error {
			_, err := w.Append(ctx, run, head)
			return err
		}},
		{"take", func(w world, run store.Run, _ evidence.Position) error {
			_, err := w.Take(ctx, slotOf(run, "new"))
			return err
		}},
		{"take what was taken", func(w world, run store.Run, _ evidence.Position) error {
			got, err := w.Take(ctx, slotOf(run, "done"))
			require.Nil(w.t, got.Outcome)
			return err
		}},
		{"finish", func(w world, run store.Run, _ evidence.Position) error {
			return w.Finish(ctx, run, "open", envelope("outcome"))
		}},
		{"finish what is finished", func(w world, run store.Run, _ evidence.Position) error {
			return w.Finish(ctx, run, "done", envelope("outcome"))
		}},
		{"finish without a slot", func(w world, run store.Run, _ evidence.Position) error {
			return w.Finish(ctx, run, "never", envelope("outcome"))
		}},
		{"attest", func(w world, run store.Run, _ evidence.Position) error {
			return w.Attest(ctx, attestationOf(run, "open", 9, 9))
		}},
		{"renew", func(w world, run store.Run, _ evidence.Position) error {
			return w.Renew(ctx, run, evidence.Lease{Number: 9, Until: 900}, envelope("lease 9"))
		}},
		{"continue", func(w world, run store.Run, head evidence.Position) error {
			_, err := w.Continue(ctx, run, runOf("d"), head, handoverOf("d"), envelope("x"))
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, runs, head := continued(t, open)
			for _, run := range runs[:2] {
				require.ErrorIs(t, tt.do(w, run, head), store.ErrSuperseded)
			}
			for _, run := range runs {
				checkChain(t, w, run, int(head.Seq))
				slots, err := w.Slots(ctx, run)
				require.NoError(t, err)
				require.Len(t, slots, 3)
				require.Nil(t, slots[1].Outcome)
				attested, err := w.Attestations(ctx, run)
				require.NoError(t, err)
				require.Equal(t, []store.Attestation{attestationOf(run, "open", 2, 5)}, attested)
				lease, _, err := w.Lease(ctx, run)
				require.NoError(t, err)
				require.Equal(t, uint64(5), lease.Number)
			}
		})
	}
}

func testOneHandoverManyRuns(t *testing.T, open opener) {
	again := open(t)
	stores := []backend{again(), again()}
	w := newWorld(t, stores[0])
	winners, _ := race(t, 64, func(i int) (string, error) {
		_, err := stores[i%2].Continue(ctx, w.a, runOf(fmt.Sprint(i)), w.head, handoverOf("one"), envelope(fmt.Sprint(i)))
		return "", err
	}, store.ErrTaken)
	require.Len(t, winners, 1)
	w.check(3)
	for i := range 64 {
		n := 0
		if i == winners[0] {
			n = 3
		}
		checkChain(t, stores[1], runOf(fmt.Sprint(i)), n)
	}
}

// testManyHandoversOneChain lets runs continue one chain, each with a handover
// of its own, while the run that they continue writes.
func testManyHandoversOneChain(t *testing.T, open opener) {
	again := open(t)
	stores := []backend{again(), again()}
	w := newWorld(t, stores[0])
	winners, _ := race(t, 64, func(i int) (string, error) {
		var err error
		if b := stores[i/2%2]; i%2 == 0 {
			_, err = b.Continue(ctx, w.a, runOf(fmt.Sprint(i)), w.head, handoverOf(fmt.Sprint(i)), envelope(fmt.Sprint(i)))
		} else {
			_, err = b.Append(ctx, w.a, w.head, envelope(fmt.Sprint(i)))
		}
		if errors.Is(err, store.ErrSuperseded) {
			err = store.ErrConflict
		}
		return "", err
	}, store.ErrConflict)
	require.Len(t, winners, 1, "one record comes next, whoever writes it")
	w.check(3)
	runs, err := w.List(ctx, 99)
	require.NoError(t, err)
	require.Len(t, runs, 2-winners[0]%2)
}

// continueOnce lets this process continue the chain of newWorld, in a run that
// has its name from the process. It prints whether it could.
func continueOnce(path string) error {
	s, err := store.Open(context.Background(), path)
	if err != nil {
		return err
	}
	records, err := s.Records(ctx, runOf("a"), 0)
	if err != nil {
		return err
	}
	var chain evidence.Chain
	for _, r := range records[:2] {
		chain.Append(r.Envelope.Digest())
	}
	_, err = s.Continue(ctx, runOf("a"), runOf(fmt.Sprint(os.Getpid())), chain.Next(), handoverOf("one"), envelope("x"))
	if errors.Is(err, store.ErrTaken) {
		return nil
	}
	if err == nil {
		fmt.Println("won", os.Getpid())
	}
	return err
}

// TestT12ManyProcessesContinue has processes continue one handover at once.
func TestT12ManyProcessesContinue(t *testing.T) { onEach(t, testManyProcessesContinue) }

func testManyProcessesContinue(t *testing.T, temp tempStore) {
	path := temp(t)
	w := newWorld(t, openAt(t, path))
	var children []*exec.Cmd
	var outs [8]bytes.Buffer
	for i := range outs {
		cmd := child("continue", path)
		cmd.Stdout = &outs[i]
		require.NoError(t, cmd.Start())
		children = append(children, cmd)
	}
	var won []string
	for i, cmd := range children {
		require.NoError(t, cmd.Wait(), outs[i].String())
		if run, ok := strings.CutPrefix(outs[i].String(), "won "); ok {
			won = append(won, strings.TrimSpace(run))
		}
	}
	require.Len(t, won, 1)
	w.check(3)
	runs, err := w.List(ctx, 99)
	require.NoError(t, err)
	require.Equal(t, []store.Run{runOf(won[0]), w.a}, runs)
}
