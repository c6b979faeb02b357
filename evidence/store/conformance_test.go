package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// backend is what every evidence store must offer, in the words of
// [store.Store].
type backend interface {
	Begin(context.Context, store.Run, *store.Nonce, ...evidence.Envelope) (evidence.Position, error)
	Append(context.Context, store.Run, evidence.Position, ...evidence.Envelope) (evidence.Position, error)
	Continue(context.Context, store.Run, store.Run, evidence.Position, evidence.Digest, ...evidence.Envelope) (evidence.Position, error)
	Records(context.Context, store.Run, uint64) ([]store.Record, error)
	Head(context.Context, store.Run) (evidence.Position, error)
	Take(context.Context, store.Slot) (store.Slot, error)
	Finish(context.Context, store.Run, string, evidence.Envelope) error
	Slots(context.Context, store.Run) ([]store.Slot, error)
	Attest(context.Context, store.Attestation) error
	Attestations(context.Context, store.Run) ([]store.Attestation, error)
	Renew(context.Context, store.Run, evidence.Lease, evidence.Envelope) error
	Lease(context.Context, store.Run) (evidence.Lease, evidence.Envelope, error)
	Seen(context.Context) (evidence.Time, error)
	Runs(context.Context, string) ([]store.Run, error)
	List(context.Context, int) ([]store.Run, error)
	Ping(context.Context) error
	Close() error
}

// An opener returns a function that opens one and the same new, empty store
// each time it is called, as several processes would.
type opener func(t *testing.T) func(...store.Option) backend

func TestSQLite(t *testing.T) {
	conformance(t, func(t *testing.T) func(...store.Option) backend {
		path := tempPath(t)
		return func(opts ...store.Option) backend { return openAt(t, path, opts...) }
	})
}

// conformance is what every backend must pass.
func conformance(t *testing.T, open opener) {
	t.Run("refusals", func(t *testing.T) { testRefusals(t, open) })
	t.Run("bytes", func(t *testing.T) { testBytes(t, open) })
	t.Run("records from", func(t *testing.T) { testRecordsFrom(t, open) })
	t.Run("slots", func(t *testing.T) { testSlots(t, open) })
	t.Run("attestations", func(t *testing.T) { testAttestations(t, open) })
	t.Run("leases", func(t *testing.T) { testLeases(t, open) })
	t.Run("time", func(t *testing.T) { testTime(t, open) })
	t.Run("runs", func(t *testing.T) { testRuns(t, open) })
	t.Run("one slot, many takers", func(t *testing.T) { testOneSlotManyTakers(t, open) })
	t.Run("one step, many attempts", func(t *testing.T) { testOneStepManyAttempts(t, open) })
	t.Run("one nonce, many runs", func(t *testing.T) { testOneNonceManyRuns(t, open) })
	t.Run("many chains", func(t *testing.T) { testManyChains(t, open) })
	continuation(t, open)
	reserved(t, open)
	t.Run("closed", func(t *testing.T) { testClosed(t, open) })
}

// world is a store with a short past: run "a" has two records, a consumed
// nonce, a slot with an outcome, one without that was attested once, and lease
// 5.
type world struct {
	backend
	t     *testing.T
	a     store.Run
	head  evidence.Position
	nonce *store.Nonce
}

var ctx = context.Background()

func newWorld(t *testing.T, b backend) world {
	t.Helper()
	w := world{backend: b, t: t, a: runOf("a"), nonce: &store.Nonce{Principal: "ann", Value: "n1"}}
	var err error
	w.head, err = b.Begin(ctx, w.a, w.nonce, envelopes("request", "grant")...)
	require.NoError(t, err)
	for _, step := range []string{"done", "open"} {
		_, err = b.Take(ctx, slotOf(w.a, step))
		require.NoError(t, err)
	}
	require.NoError(t, b.Attest(ctx, attestationOf(w.a, "done", 1, 1)))
	require.NoError(t, b.Finish(ctx, w.a, "done", envelope("outcome")))
	require.NoError(t, b.Attest(ctx, attestationOf(w.a, "open", 2, 5)))
	require.NoError(t, b.Renew(ctx, w.a, evidence.Lease{Number: 5, Until: 500}, envelope("lease 5")))
	return w
}

// check asserts what holds whatever was tried: the chain of a is intact and
// its n records stand, and so do its slots, its attestation and its lease.
func (w world) check(n int) {
	w.t.Helper()
	checkChain(w.t, w.backend, w.a, n)
	slots, err := w.Slots(ctx, w.a)
	require.NoError(w.t, err)
	outcome := envelope("outcome")
	done := slotOf(w.a, "done")
	done.Outcome = &outcome
	require.Equal(w.t, []store.Slot{done, slotOf(w.a, "open")}, slots)
	attested, err := w.Attestations(ctx, w.a)
	require.NoError(w.t, err)
	require.Equal(w.t, []store.Attestation{attestationOf(w.a, "open", 2, 5)}, attested)
	lease, signed, err := w.Lease(ctx, w.a)
	require.NoError(w.t, err)
	require.Equal(w.t, evidence.Lease{Number: 5, Until: 500}, lease)
	require.Equal(w.t, envelope("lease 5"), signed)
}

// checkChain asserts that run has exactly n records, and a head that follows
// from their bytes.
func checkChain(t *testing.T, b backend, run store.Run, n int) {
	t.Helper()
	records, err := b.Records(ctx, run, 0)
	require.NoError(t, err)
	require.Len(t, records, n)
	var chain evidence.Chain
	for i, r := range records {
		require.Equal(t, uint64(i), r.Seq)
		require.Equal(t, chain.Append(r.Envelope.Digest()), r.Link)
	}
	head, err := b.Head(ctx, run)
	require.NoError(t, err)
	require.Equal(t, chain.Next(), head)
}

// testRefusals has a row for each way to ask for what must not be. None may
// change anything.
func testRefusals(t *testing.T, open opener) {
	other := &store.Nonce{Principal: "ann", Value: "n2"}
	tests := []struct {
		name string
		do   func(w world) error
		want error
	}{
		{"nonce of another run", func(w world) error {
			_, err := w.Begin(ctx, runOf("b"), w.nonce, envelope("request"))
			return err
		}, store.ErrNonceUsed},
		{"nonce of another run, nothing to append", func(w world) error {
			_, err := w.Begin(ctx, runOf("b"), w.nonce)
			return err
		}, store.ErrNonceUsed},
		{"nonce of the same run in another namespace", func(w world) error {
			b := w.a
			b.Namespace = "other"
			_, err := w.Begin(ctx, b, w.nonce, envelope("request"))
			return err
		}, store.ErrNonceUsed},
		{"begun twice", func(w world) error {
			_, err := w.Begin(ctx, w.a, w.nonce, envelopes("request", "grant")...)
			return err
		}, store.ErrConflict},
		{"begun twice, with a new nonce", func(w world) error {
			_, err := w.Begin(ctx, w.a, other, envelope("request"))
			if err != nil { // the refused call must not have used it up
				_, free := w.Begin(ctx, runOf("b"), other)
				require.NoError(t, free)
			}
			return err
		}, store.ErrConflict},
		{"append behind the head", func(w world) error {
			_, err := w.Append(ctx, w.a, evidence.Position{}, envelope("x"))
			return err
		}, store.ErrConflict},
		{"append beyond the head", func(w world) error {
			_, err := w.Append(ctx, w.a, evidence.Position{Seq: 3, Prev: w.head.Prev}, envelope("x"))
			return err
		}, store.ErrConflict},
		{"append far beyond the head", func(w world) error {
			_, err := w.Append(ctx, w.a, evidence.Position{Seq: 1<<64 - 1, Prev: w.head.Prev}, envelope("x"))
			return err
		}, store.ErrConflict},
		{"append after another link", func(w world) error {
			_, err := w.Append(ctx, w.a, evidence.Position{Seq: 2, Prev: evidence.ValueDigest(nil)}, envelope("x"))
			return err
		}, store.ErrConflict},
		{"append nothing after another link", func(w world) error {
			_, err := w.Append(ctx, w.a, evidence.Position{Seq: 2})
			return err
		}, store.ErrConflict},
		{"append in the middle of a run that is not there", func(w world) error {
			_, err := w.Append(ctx, runOf("b"), w.head, envelope("x"))
			return err
		}, store.ErrConflict},
		{"append a good one and one that never verifies", func(w world) error {
			big := envelope("x")
			big.Payload = make([]byte, evidence.MaxPayload+1)
			_, err := w.Append(ctx, w.a, w.head, envelope("good"), big)
			return err
		}, evidence.ErrEnvelope},
		{"take twice", func(w world) error {
			again := slotOf(w.a, "open")
			again.Worker = "worker-2"
			got, err := w.Take(ctx, again)
			require.Equal(t, slotOf(w.a, "open"), got)
			return err
		}, store.ErrTaken},
		{"take a finished one", func(w world) error {
			got, err := w.Take(ctx, slotOf(w.a, "done"))
			require.NotNil(t, got.Outcome)
			require.Equal(t, envelope("outcome"), *got.Outcome)
			return err
		}, store.ErrTaken},
		{"finish without a slot", func(w world) error {
			return w.Finish(ctx, w.a, "never", envelope("outcome"))
		}, store.ErrNoSlot},
		{"finish the slot of another run", func(w world) error {
			return w.Finish(ctx, runOf("b"), "open", envelope("outcome"))
		}, store.ErrNoSlot},
		{"finish with another outcome", func(w world) error {
			return w.Finish(ctx, w.a, "done", envelope("another"))
		}, store.ErrConflict},
		{"finish with another signature", func(w world) error {
			e := envelope("outcome")
			e.Signatures[0].Sig = []byte("another")
			return w.Finish(ctx, w.a, "done", e)
		}, store.ErrConflict},
		{"attest the same again", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "open", 2, 5))
		}, store.ErrStale},
		{"attest with a smaller counter", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "open", 2, 4))
		}, store.ErrStale},
		{"attest by an attempt that was overtaken", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "open", 1, 6))
		}, store.ErrStale},
		{"attest with a counter out of range", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "open", 2, 1<<63))
		}, store.ErrStale},
		{"attest with an attempt out of range", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "open", -1, 6))
		}, store.ErrStale},
		{"attest a finished step", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "done", 3, 6))
		}, store.ErrStale},
		{"attest without a slot", func(w world) error {
			return w.Attest(ctx, attestationOf(w.a, "never", 1, 1))
		}, store.ErrNoSlot},
		{"attest the slot of another run", func(w world) error {
			return w.Attest(ctx, attestationOf(runOf("b"), "open", 3, 6))
		}, store.ErrNoSlot},
		{"attest what never verifies", func(w world) error {
			a := attestationOf(w.a, "open", 3, 6)
			a.Signed.Payload = make([]byte, evidence.MaxPayload+1)
			return w.Attest(ctx, a)
		}, evidence.ErrEnvelope},
		{"lease of the same number", func(w world) error {
			return w.Renew(ctx, w.a, evidence.Lease{Number: 5, Until: 600}, envelope("x"))
		}, store.ErrStale},
		{"lease of a smaller number", func(w world) error {
			return w.Renew(ctx, w.a, evidence.Lease{Number: 4, Until: 600}, envelope("x"))
		}, store.ErrStale},
		{"lease that ends earlier", func(w world) error {
			return w.Renew(ctx, w.a, evidence.Lease{Number: 6, Until: 499}, envelope("x"))
		}, store.ErrStale},
		{"lease of a number out of range", func(w world) error {
			return w.Renew(ctx, w.a, evidence.Lease{Number: 1 << 63, Until: 600}, envelope("x"))
		}, store.ErrStale},
		{"no lease", func(w world) error {
			_, _, err := w.Lease(ctx, runOf("b"))
			return err
		}, store.ErrNone},
		{"a caller who has left", func(w world) error {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			_, err := w.Append(gone, w.a, w.head, envelope("x"))
			require.ErrorIs(t, err, context.Canceled)
			return err
		}, store.ErrUnavailable},
		{"a reader who has left", func(w world) error {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			_, err := w.Records(gone, w.a, 0)
			require.ErrorIs(t, err, context.Canceled)
			return err
		}, store.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, open(t)())
			require.ErrorIs(t, tt.do(w), tt.want)
			w.check(2)
			checkChain(t, w, runOf("b"), 0)
		})
	}
}

// testBytes puts in what is awkward, and wants the same bytes back.
func testBytes(t *testing.T, open opener) {
	b := open(t)()
	envs := []evidence.Envelope{
		{PayloadType: "", Payload: []byte{}, Signatures: nil},
		{PayloadType: "t\x00y\"pe", Payload: []byte{0, 255, 0}, Signatures: []evidence.Signature{}},
		{PayloadType: "ü", Payload: []byte("{}"), Signatures: []evidence.Signature{{KeyID: "", Sig: nil}, {KeyID: "<ü&\x00>", Sig: []byte{0}}}},
		{PayloadType: "large", Payload: make([]byte, evidence.MaxPayload)},
	}
	head, err := b.Begin(ctx, runOf("a"), nil, envs...)
	require.NoError(t, err)
	require.Equal(t, uint64(len(envs)), head.Seq)
	records, err := b.Records(ctx, runOf("a"), 0)
	require.NoError(t, err)
	require.Len(t, records, len(envs))
	for i, r := range records {
		require.Equal(t, envs[i].PayloadType, r.Envelope.PayloadType)
		require.Equal(t, string(envs[i].Payload), string(r.Envelope.Payload))
		require.Equal(t, envs[i].Signatures, r.Envelope.Signatures)
	}
	_, err = b.Append(ctx, runOf("a"), head, evidence.Envelope{})
	require.NoError(t, err, "an envelope without a payload is not the store's business")
	checkChain(t, b, runOf("a"), len(envs)+1)

	bad := envelope("x")
	bad.Signatures[0].KeyID = "\xff"
	_, err = b.Begin(ctx, runOf("b"), nil, bad)
	require.ErrorIs(t, err, evidence.ErrEnvelope, "it would not come back as it went in")
}

func testRecordsFrom(t *testing.T, open opener) {
	w := newWorld(t, open(t)())
	head, err := w.Append(ctx, w.a, w.head)
	require.NoError(t, err)
	require.Equal(t, w.head, head, "nothing was appended")
	_, err = w.Append(ctx, w.a, w.head, envelopes("2", "3")...)
	require.NoError(t, err)
	for from, want := range map[uint64]int{0: 4, 1: 3, 3: 1, 4: 0, 5: 0, 99: 0, 1 << 63: 0, 1<<64 - 1: 0} {
		records, err := w.Records(ctx, w.a, from)
		require.NoError(t, err)
		require.Len(t, records, want, "from %d", from)
		if want > 0 {
			require.Equal(t, from, records[0].Seq)
		}
	}
	w.check(4)
	records, err := w.Records(ctx, runOf("none"), 0)
	require.NoError(t, err)
	require.Empty(t, records)
}

func testSlots(t *testing.T, open opener) {
	w := newWorld(t, open(t)())
	require.NoError(t, w.Finish(ctx, w.a, "done", envelope("outcome")), "the same bytes again")
	w.check(2)

	b := runOf("b")
	slot := slotOf(b, "done")
	ignored := envelope("not known yet")
	slot.Outcome = &ignored
	_, err := w.Take(ctx, slot)
	require.ErrorIs(t, err, store.ErrNoRun, "nothing was decided for that run, in this store")
	_, err = w.Begin(ctx, b, nil, envelope("request"))
	require.NoError(t, err)
	got, err := w.Take(ctx, slot)
	require.NoError(t, err, "the same step of another run")
	require.Equal(t, slotOf(b, "done"), got)
	slots, err := w.Slots(ctx, b)
	require.NoError(t, err)
	require.Equal(t, []store.Slot{slotOf(b, "done")}, slots)
}

func testAttestations(t *testing.T, open opener) {
	w := newWorld(t, open(t)())
	b := runOf("b")
	_, err := w.Begin(ctx, b, nil, envelope("request"))
	require.NoError(t, err)
	attested := func(run store.Run) []store.Attestation {
		got, err := w.Attestations(ctx, run)
		require.NoError(t, err)
		return got
	}
	require.Empty(t, attested(b))
	require.Empty(t, attested(runOf("none")))

	for _, step := range []string{"open", "also", "quiet"} { // not in the order of their names
		_, err := w.Take(ctx, slotOf(b, step))
		require.NoError(t, err)
	}
	first, second := attestationOf(b, "open", 0, 0), attestationOf(b, "also", 1, 1)
	require.NoError(t, w.Attest(ctx, second))
	require.NoError(t, w.Attest(ctx, first), "nothing is stored that it would have to be later than")
	require.Equal(t, []store.Attestation{first, second}, attested(b), "in the order of the slots")
	for _, next := range []store.Attestation{
		attestationOf(b, "open", 0, 1), attestationOf(b, "open", 3, 0), attestationOf(b, "open", 3, 1<<63-1),
	} {
		require.NoError(t, w.Attest(ctx, next))
		require.Equal(t, []store.Attestation{next, second}, attested(b))
	}
	require.NoError(t, w.Finish(ctx, b, "open", envelope("outcome")))
	require.Equal(t, []store.Attestation{second}, attested(b))
	w.check(2) // the other run's step of the same name is as it was
}

func testLeases(t *testing.T, open opener) {
	w := newWorld(t, open(t)())
	require.NoError(t, w.Renew(ctx, w.a, evidence.Lease{Number: 6, Until: 500}, envelope("lease 6")))
	require.NoError(t, w.Renew(ctx, w.a, evidence.Lease{Number: 9, Until: 501}, envelope("lease 9")))
	lease, signed, err := w.Lease(ctx, w.a)
	require.NoError(t, err)
	require.Equal(t, evidence.Lease{Number: 9, Until: 501}, lease)
	require.Equal(t, envelope("lease 9"), signed)
}

// testTime has a row for each thing that can happen to a clock, over two
// stores, one of which is closed and opened again.
func testTime(t *testing.T, open opener) {
	again := open(t)
	var now evidence.Time
	clock := store.WithClock(func() evidence.Time { return now })
	stores := []backend{again(clock), again(clock)}
	refused := func(b backend) {
		require.ErrorIs(t, b.Finish(ctx, runOf("none"), "1", envelope("x")), store.ErrNoSlot)
	}
	writes := func(b backend) { require.NoError(t, b.Ping(ctx)) }
	reopened := func(backend) {
		require.NoError(t, stores[0].Close())
		stores[0] = again(clock)
	}
	for _, tt := range []struct {
		name string
		now  evidence.Time
		do   func(backend)
		want evidence.Time
	}{
		{"none yet", 0, writes, 0},
		{"before 1970", -5, writes, 0},
		{"first", 100, writes, 100},
		{"no write", 150, func(backend) {}, 100},
		{"a refused write", 150, refused, 100},
		{"later", 200, writes, 200},
		{"set back", 150, writes, 200},
		{"set back and opened again", 1, reopened, 200},
		{"same again", 200, writes, 200},
		{"opened again", 201, reopened, 201},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now = tt.now
			tt.do(stores[0])
			for _, b := range stores {
				seen, err := b.Seen(ctx)
				require.NoError(t, err)
				require.Equal(t, tt.want, seen)
			}
		})
	}
	before := evidence.TimeOf(time.Now())
	seen, err := again().Seen(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, seen, before, "the system's clock, without an option")
}

func testRuns(t *testing.T, open opener) {
	b := open(t)()
	ours := []store.Run{runOf("1"), runOf("2"), {Namespace: "other", Workflow: "refund-7", Run: "1"}}
	for _, run := range append(ours, store.Run{Namespace: "default", Workflow: "w", Run: "1"}) {
		_, err := b.Begin(ctx, run, nil, envelope("request"))
		require.NoError(t, err)
		require.NoError(t, b.Ping(ctx))
	}
	runs, err := b.Runs(ctx, "refund-7")
	require.NoError(t, err)
	require.Equal(t, []store.Run{ours[2], ours[1], ours[0]}, runs)
	for limit, want := range map[int]int{-1: 0, 0: 0, 2: 2, 9: 4} {
		runs, err = b.List(ctx, limit)
		require.NoError(t, err)
		require.Len(t, runs, want, "limit %d", limit)
	}
	require.Equal(t, "w", runs0(t, b).Workflow, "the newest comes first")
}

func runs0(t *testing.T, b backend) store.Run {
	runs, err := b.List(ctx, 1)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	return runs[0]
}

// testOneSlotManyTakers has one winner, over two processes' worth of stores,
// and everyone else is told who it was.
func testOneSlotManyTakers(t *testing.T, open opener) {
	again := open(t)
	stores := []backend{again(), again()}
	_, err := stores[0].Begin(ctx, runOf("a"), nil, envelope("request"))
	require.NoError(t, err)
	for round := range 10 {
		step := fmt.Sprint(round)
		winners, told := race(t, 64, func(i int) (string, error) {
			slot := slotOf(runOf("a"), step)
			slot.Worker = fmt.Sprint(i)
			got, err := stores[i%2].Take(ctx, slot)
			return got.Worker, err
		}, store.ErrTaken)
		require.Len(t, winners, 1)
		for _, worker := range told {
			require.Equal(t, fmt.Sprint(winners[0]), worker)
		}
	}
}

// testOneStepManyAttempts lets attempts of one step attest at once. Whatever
// the order, the latest one stands, and who says the same as it is refused.
func testOneStepManyAttempts(t *testing.T, open opener) {
	again := open(t)
	stores := []backend{again(), again()}
	newWorld(t, stores[0])
	winners, _ := race(t, 64, func(i int) (string, error) {
		return "", stores[i%2].Attest(ctx, attestationOf(runOf("a"), "open", int32(3+i/2), 1))
	}, store.ErrStale)
	require.LessOrEqual(t, len(winners), 32)
	got, err := stores[0].Attestations(ctx, runOf("a"))
	require.NoError(t, err)
	require.Equal(t, []store.Attestation{attestationOf(runOf("a"), "open", 34, 1)}, got)
}

func testOneNonceManyRuns(t *testing.T, open opener) {
	again := open(t)
	stores := []backend{again(), again()}
	nonce := &store.Nonce{Principal: "ann", Value: "n1"}
	winners, _ := race(t, 64, func(i int) (string, error) {
		_, err := stores[i%2].Begin(ctx, runOf(fmt.Sprint(i)), nonce, envelope("request"))
		return "", err
	}, store.ErrNonceUsed)
	require.Len(t, winners, 1)
	for i := range 64 {
		n := 0
		if i == winners[0] {
			n = 1
		}
		checkChain(t, stores[0], runOf(fmt.Sprint(i)), n)
	}
}

// race calls do n times at once. It returns who got no error, and what all of
// them were told; any error but lost fails the test.
func race(t *testing.T, n int, do func(i int) (string, error), lost error) (winners []int, told []string) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			s, err := do(i)
			mu.Lock()
			defer mu.Unlock()
			told = append(told, s)
			if err == nil {
				winners = append(winners, i)
			} else if !errors.Is(err, lost) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	return winners, told
}

// testManyChains grows 32 chains at once over two stores. What was
// acknowledged by one store is there, at once, in the other.
func testManyChains(t *testing.T, open opener) {
	const runs, length = 32, 20
	again := open(t)
	stores := []backend{again(), again()}
	var appended atomic.Int64
	race(t, runs, func(i int) (string, error) {
		run := runOf(fmt.Sprint(i))
		head, err := stores[i%2].Begin(ctx, run, nil, envelope("request"))
		for n := 1; n < length && err == nil; n++ {
			if head, err = stores[(i+n)%2].Append(ctx, run, head, envelope(fmt.Sprint(n))); err != nil {
				break
			}
			appended.Add(1)
			var seen evidence.Position
			if seen, err = stores[n%2].Head(ctx, run); err == nil && seen != head {
				err = fmt.Errorf("acknowledged %d, the other store sees %d", head.Seq, seen.Seq)
			}
		}
		return "", err
	}, nil)
	require.Equal(t, int64(runs*(length-1)), appended.Load())
	for i := range runs {
		checkChain(t, stores[0], runOf(fmt.Sprint(i)), length)
	}
}

// testClosed closes a store under its callers. Each of them learns the truth:
// what was acknowledged is there, and nothing else is.
func testClosed(t *testing.T, open opener) {
	again := open(t)
	b, after := again(), again()
	var done [32]atomic.Int64
	var wg sync.WaitGroup
	for i := range done {
		wg.Go(func() {
			var head evidence.Position
			for {
				next, err := b.Append(ctx, runOf(fmt.Sprint(i)), head, envelope("x"))
				if err != nil {
					if !errors.Is(err, store.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				head = next
				done[i].Add(1)
			}
		})
	}
	for done[0].Load() < 5 {
		require.NoError(t, b.Ping(ctx))
	}
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "a second time")
	wg.Wait()
	for i := range done {
		checkChain(t, after, runOf(fmt.Sprint(i)), int(done[i].Load()))
	}
	for name, err := range writes(b) {
		require.ErrorIs(t, err, store.ErrUnavailable, name)
	}
	_, err := b.Records(ctx, runOf("0"), 0)
	require.ErrorIs(t, err, store.ErrUnavailable)
}

// writes calls every method that writes and returns their errors. The run it
// writes about is new each time it is called on a store that refuses.
func writes(b backend) map[string]error {
	run := runOf("writes")
	errs := map[string]error{"ping": b.Ping(ctx)}
	_, errs["begin"] = b.Begin(ctx, run, &store.Nonce{Principal: "w", Value: "w"}, envelope("request"))
	_, errs["append"] = b.Append(ctx, runOf("writes 2"), evidence.Position{}, envelope("request"))
	_, errs["append nothing"] = b.Append(ctx, runOf("writes 3"), evidence.Position{})
	_, errs["take"] = b.Take(ctx, slotOf(runOf("a"), "writes"))
	// In the world of newWorld, this run is there, and its slot is open.
	errs["attest"] = b.Attest(ctx, attestationOf(runOf("a"), "open", 9, 9))
	errs["finish"] = b.Finish(ctx, runOf("a"), "open", envelope("outcome"))
	head, _ := b.Head(ctx, runOf("a"))
	_, errs["continue"] = b.Continue(ctx, runOf("a"), runOf("writes 4"), head, handoverOf("writes"), envelope("continued"))
	errs["renew"] = b.Renew(ctx, run, evidence.Lease{Number: 1, Until: 1}, envelope("lease"))
	return errs
}
