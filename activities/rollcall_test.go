package activities_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
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

type records = activities.Records

// heard is a store in which an attacker writes what the step worker attested.
type heard struct {
	records
	say func(newest evidence.Lease) *store.Attestation
}

func (h heard) Attestations(ctx context.Context, run store.Run) ([]store.Attestation, error) {
	var lease evidence.Lease
	if _, signed, err := h.Lease(ctx, run); err == nil {
		rec, err := signed.Decode()
		if err != nil {
			return nil, err
		}
		lease = rec.Predicate.(*evidence.Signal).Lease
	}
	if a := h.say(lease); a != nil {
		return []store.Attestation{*a}, nil
	}
	return nil, nil
}

// A speaker is the step worker of step a, or whoever speaks for it.
type speaker struct {
	t       *testing.T
	subject evidence.Subject
	honest  evidence.Attestation
	counter uint64
	first   string // nonce of the first lease it saw
	before  []store.Attestation
}

// says returns the next attestation, honest but for the change.
func (s *speaker) says(lease evidence.Lease, signer string, change func(*evidence.Attestation)) *store.Attestation {
	a := s.honest
	s.counter++
	a.At, a.Counter, a.Nonce = evidence.TimeOf(time.Now()), s.counter, lease.Nonce
	if s.first == "" {
		s.first = lease.Nonce
	}
	if a.Nonce == "" { // no lease was renewed yet
		a.Nonce = strings.Repeat("0", 32)
	}
	if change != nil {
		change(&a)
	}
	e, err := evidencetest.Signer(signer).Sign(s.subject, &a)
	require.NoError(s.t, err)
	said := store.Attestation{Run: testRun, Step: a.Step, Attempt: a.Attempt, Counter: a.Counter, Signed: e}
	s.before = append(s.before, said)
	return &said
}

// TestT17RollCall has a row for each way to forge, replay, reorder or withhold
// what a step worker attests, by somebody who can write to the store.
func TestT17RollCall(t *testing.T) {
	type lease = evidence.Lease
	changed := func(change func(*evidence.Attestation)) func(*speaker, lease) *store.Attestation {
		return func(s *speaker, l lease) *store.Attestation { return s.says(l, evidencetest.Worker, change) }
	}
	signed := func(name string) func(*speaker, lease) *store.Attestation {
		return func(s *speaker, l lease) *store.Attestation { return s.says(l, name, nil) }
	}
	const believed, silent, back = "cannot be believed", "no fresh attestation", "goes back behind an earlier one"
	tests := []struct {
		name string
		say  func(*speaker, lease) *store.Attestation
		got  string // of the probe that failed; none if it must not
	}{
		{"honest", changed(nil), ""},
		{"ended, to be tried again", func(s *speaker, l lease) *store.Attestation {
			if s.counter > 0 {
				return &s.before[0]
			}
			return s.says(l, evidencetest.Worker, func(a *evidence.Attestation) { a.Ended = true })
		}, ""},
		{"withheld", func(*speaker, lease) *store.Attestation { return nil }, silent},
		{"withheld after the first", func(s *speaker, l lease) *store.Attestation {
			if s.counter > 0 {
				return nil
			}
			return s.says(l, evidencetest.Worker, nil)
		}, silent},
		{"the same again and again", func(s *speaker, l lease) *store.Attestation {
			if s.counter > 0 {
				return &s.before[0]
			}
			return s.says(l, evidencetest.Worker, nil)
		}, silent},
		{"made beforehand, with an old nonce", func(s *speaker, l lease) *store.Attestation {
			return s.says(l, evidencetest.Worker, func(a *evidence.Attestation) { a.Nonce = max(s.first, strings.Repeat("0", 32)) })
		}, silent},
		{"made beforehand, with a guessed nonce", changed(func(a *evidence.Attestation) { a.Nonce = strings.Repeat("a", 32) }), silent},
		{"replayed", func(s *speaker, l lease) *store.Attestation {
			if s.counter == 3 {
				return &s.before[1]
			}
			return s.says(l, evidencetest.Worker, nil)
		}, back},
		{"another with the same counter", changed(func(a *evidence.Attestation) { a.Counter = 1 }), back},
		{"an earlier attempt", func(s *speaker, l lease) *store.Attestation {
			return s.says(l, evidencetest.Worker, func(a *evidence.Attestation) { a.Attempt = max(1, 4-int32(a.Counter)) })
		}, back},
		{"signed by the authority", signed(evidencetest.Authority), believed},
		{"signed by a principal", signed(evidencetest.Alice), believed},
		{"signed by a stranger", signed(evidencetest.Stranger), believed},
		{"signed by another worker in its name", signed(evidencetest.OtherWorker), believed},
		{"signed by a key that has ended", signed(evidencetest.Retired), believed},
		{"about another run", changed(func(a *evidence.Attestation) { a.Binding.Run = "x" }), believed},
		{"about another epoch", changed(func(a *evidence.Attestation) { a.Binding.Epoch++ }), believed},
		{"about another step", changed(func(a *evidence.Attestation) { a.Step = "b" }), silent}, // of a step that does not run nothing is asked
		{"about another decision", changed(func(a *evidence.Attestation) { a.Decision = evidence.FileDigest(nil) }), believed},
		{"about another request", func(s *speaker, l lease) *store.Attestation {
			s.subject.Digest = evidence.FileDigest(nil)
			return s.says(l, evidencetest.Worker, nil)
		}, believed},
		{"of a worker whose probe failed", changed(func(a *evidence.Attestation) { a.Probes[0].Status = evidence.ProbeBad }), "its probe p is bad"},
		{"of a worker without probes", changed(func(a *evidence.Attestation) { a.Probes = nil }), "its probe none is unanswered"},
		{"of a worker that became another program", changed(func(a *evidence.Attestation) {
			a.Process.Executable = evidence.FileDigest([]byte(fmt.Sprint(a.Counter)))
		}), "became another program"},
		{"of a worker that moved", changed(func(a *evidence.Attestation) { a.Process.Host = fmt.Sprint(a.Counter) }), "became another program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rollCall(t, tt.say, tt.got, tt.got == silent)
		})
	}
}

// TestT17AttestationsThatAreNone has the attacks of TestT17RollCall that tell a
// lie, with and without the roll call.
func TestT17AttestationsThatAreNone(t *testing.T) {
	forged := func(s *speaker, l evidence.Lease) *store.Attestation { return s.says(l, evidencetest.Stranger, nil) }
	withheld := func(*speaker, evidence.Lease) *store.Attestation { return nil }
	replayed := func(s *speaker, l evidence.Lease) *store.Attestation {
		if s.counter == 3 {
			return &s.before[1]
		}
		return s.says(l, evidencetest.Worker, nil)
	}
	for name, say := range map[string]func(*speaker, evidence.Lease) *store.Attestation{"forged": forged, "withheld": withheld, "replayed": replayed} {
		t.Run(name, func(t *testing.T) {
			defencetest.Run(t, func(t *testing.T) bool {
				out, _ := watchWith(t, 1, evidence.Terms{LeaseMS: 500, IntervalMS: 40, WindowMS: 2000}, say)
				return out.Halt.Check == ""
			}, defence.RollCall)
		})
	}
}

func rollCall(t *testing.T, say func(*speaker, evidence.Lease) *store.Attestation, want string, silent bool) {
	terms := evidence.Terms{LeaseMS: 20_000, IntervalMS: 40, WindowMS: 30_000}
	switch {
	case silent: // for one lease
		terms.LeaseMS = 500
	case want == "":
		terms.WindowMS = 400
	}
	watched, stated := watchWith(t, 1, terms, say)
	last := stated.Probes[len(stated.Probes)-1]
	require.Equal(t, "workers", last.Name)
	if want == "" {
		require.Empty(t, watched.Halt)
		require.Equal(t, evidence.ProbeOK, last.Status)
		require.Len(t, stated.Workers, 1)
		require.Equal(t, evidencetest.Worker, stated.Workers[0].Worker)
		return
	}
	require.Equal(t, "probe.workers", watched.Halt.Check)
	require.Contains(t, last.Got, want)
	require.Zero(t, stated.Lease, "a worker that cannot be believed renews nothing")
}

// watchWith runs windows of Watch over an execution whose step a runs, until one
// halts, and returns the signal that came of it.
func watchWith(t *testing.T, windows uint64, terms evidence.Terms, say func(*speaker, evidence.Lease) *store.Attestation) (*contract.WatchOutput, *evidence.Signal) {
	t.Helper()
	p := newPlane(t)
	p.terms = terms
	p.build()
	ticket := p.granted()
	out, err := p.decide([]string{"a"})
	require.NoError(t, err)
	p.follow(out.Entries)
	rec := p.record(out.Allowed[0])
	d := rec.Predicate.(*evidence.Decision)
	_, err = p.store.Fence(t.Context(), store.Slot{Run: testRun, Step: "a", Decision: rec.Digest, Key: d.Key, Worker: evidencetest.Worker, At: d.At})
	require.NoError(t, err)
	s := &speaker{t: t, subject: rec.Subject, honest: evidence.Attestation{
		Decision: rec.Digest, Binding: d.Binding, Step: "a", Worker: evidencetest.Worker, Attempt: 1,
		Process: evidence.Process{Executable: evidence.FileDigest([]byte("steps")), Host: "h", Roles: "steps", Started: d.At},
	}}
	p.store = heard{p.store, func(l evidence.Lease) *store.Attestation {
		s.honest.Probes = []evidence.Probe{{Name: "p", Status: evidence.ProbeOK, Want: "a", Got: "a"}}
		return say(s, l)
	}}
	p.build()
	var watched *contract.WatchOutput
	for number := uint64(1); number <= windows; number++ {
		watched, err = call[contract.WatchOutput](p, p.act.Watch, contract.WatchInput{Head: p.head, Number: number, Binding: ticket.Binding})
		require.NoError(t, err)
		require.NotNil(t, watched.Signal)
		if watched.Halt.Check != "" {
			break
		}
		recorded, err := p.decide(nil, *watched.Signal)
		require.NoError(t, err)
		p.follow(recorded.Entries, *watched.Signal)
	}
	signal, err := trust(t).Open(*watched.Signal)
	require.NoError(t, err)
	return watched, signal.Predicate.(*evidence.Signal)
}

// TestT17SilenceOutlastsWindows has windows that are shorter than the patience
// with a silent worker.
func TestT17SilenceOutlastsWindows(t *testing.T) {
	silent := func(*speaker, evidence.Lease) *store.Attestation { return nil }
	out, _ := watchWith(t, 100, evidence.Terms{LeaseMS: 500, IntervalMS: 40, WindowMS: 60}, silent)
	require.Equal(t, "probe.workers", out.Halt.Check)
}

// stuck is a store in which the first roll call gets no answer until it is let
// go.
type stuck struct {
	records
	began, free chan struct{}
	once        *sync.Once
}

func (s stuck) Attestations(ctx context.Context, run store.Run) ([]store.Attestation, error) {
	s.once.Do(func() {
		close(s.began)
		<-s.free
	})
	return s.records.Attestations(ctx, run)
}

// TestWatchesDoNotHoldUpDecide has two attempts at one window in one process,
// as after a freeze: the one calls the roll, the other begins. Neither may keep
// an execution from being decided.
func TestWatchesDoNotHoldUpDecide(t *testing.T) {
	p := newPlane(t)
	p.terms = evidence.Terms{LeaseMS: 60_000, IntervalMS: 20, WindowMS: 200}
	p.build()
	ticket := p.granted()
	s := stuck{records: p.store, began: make(chan struct{}), free: make(chan struct{}), once: &sync.Once{}}
	p.store = s
	p.build()
	in := contract.WatchInput{Head: p.head, Number: 1, Binding: ticket.Binding}
	var watches sync.WaitGroup
	watch := func() { _, _ = call[contract.WatchOutput](p, p.act.Watch, in) } // it may be stopped; Decide is asked about
	watches.Go(watch)
	<-s.began
	began := make(chan struct{})
	watches.Go(func() { close(began); watch() })
	<-began
	for range 20 { // the second gets into the way at some time, or not at all
		_, err := p.decide(nil)
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond)
	}
	close(s.free)
	watches.Wait()
}
