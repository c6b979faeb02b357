package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

var (
	bg      = context.Background()
	errTest = errors.New("refused by the test")
)

func openTemp(t *testing.T) *Store {
	t.Helper()
	return openOn(t, filepath.Join(t.TempDir(), "evidence.db"))
}

func openOn(t *testing.T, target string, opts ...Option) *Store {
	t.Helper()
	s, err := Open(bg, target, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A fresh opens a new store.
type fresh func(t *testing.T, opts ...Option) *Store

// onEach runs a test with new stores of each kind.
func onEach(t *testing.T, test func(t *testing.T, open fresh)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, func(t *testing.T, opts ...Option) *Store {
			return openOn(t, filepath.Join(t.TempDir(), "evidence.db"), opts...)
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, func(t *testing.T, opts ...Option) *Store { return openOn(t, pgtest.Database(t), opts...) })
	})
}

// isServer reports whether s is kept by a server.
func isServer(s *Store) bool { return s.anchor == nil }

// addRun is an op that leaves a trace.
func addRun(name string) func(*tx) error {
	return func(t *tx) error {
		_, err := t.chainOrNew(Run{Namespace: "n", Workflow: name})
		return err
	}
}

// traces returns the names that addRun left, the oldest first.
func traces(t *testing.T, s *Store) []string {
	t.Helper()
	runs, err := s.List(bg, 1000)
	require.NoError(t, err)
	names := []string{}
	for i := range runs {
		names = append(names, runs[len(runs)-1-i].Workflow)
	}
	return names
}

// inOneBatch runs ops in one batch and returns their errors in order.
func inOneBatch(t *testing.T, s *Store, ops ...func(*tx) error) []error {
	t.Helper()
	started, goOn := make(chan struct{}), make(chan struct{})
	errs := make([]error, len(ops))
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.write(bg, func(*tx) error { close(started); <-goOn; return nil })
	})
	<-started // the batch is open; the rest joins it
	for i, do := range ops {
		o := newOp(bg, do)
		require.True(t, s.writer.queue.push(o))
		wg.Go(func() { errs[i] = o.wait() })
	}
	close(goOn)
	wg.Wait()
	return errs
}

// TestBatch has a row for each way in which one op could harm the others.
func TestBatch(t *testing.T) { onEach(t, testBatch) }

func testBatch(t *testing.T, open fresh) {
	var s *Store // of the row
	// Deferred constraints are checked by COMMIT: the way to make it fail.
	breakCommit := func(t *tx) error {
		deferred := `PRAGMA defer_foreign_keys = ON`
		if isServer(s) {
			deferred = `ALTER TABLE nonces ALTER CONSTRAINT nonces_run_id_fkey DEFERRABLE INITIALLY DEFERRED`
		}
		_, err := t.exec(bg, deferred)
		_, err2 := t.exec(bg, sqlAddNonce, "p", "v", 999, 0)
		return errors.Join(err, err2)
	}
	both := func(do, then func(*tx) error) func(*tx) error {
		return func(t *tx) error { return errors.Join(do(t), then(t)) }
	}
	tests := []struct {
		name string
		bad  func(*tx) error
		want error // of the bad one
		rest error // of the good ones before and after it
		left []string
	}{
		{"refused", func(*tx) error { return errTest }, errTest, nil, []string{"before", "after"}},
		{"refused after writing", both(addRun("bad"), func(*tx) error { return errTest }),
			errTest, nil, []string{"before", "after"}},
		{"panics after writing", both(addRun("bad"), func(*tx) error { panic("bad") }),
			ErrUnavailable, nil, []string{"before", "after"}},
		{"wrong statement", func(t *tx) error { _, err := t.exec(bg, "no SQL"); return unavailable("x", err) },
			ErrUnavailable, nil, []string{"before", "after"}},
		// SQLite itself rolls back when the disk fails. Nobody of the batch
		// may be told that it went well.
		{"loses the transaction", func(t *tx) error { _, err := t.exec(bg, "ROLLBACK"); return err },
			ErrUnavailable, ErrUnavailable, []string{}},
		{"loses the transaction and fails", func(t *tx) error { _, _ = t.exec(bg, "ROLLBACK"); return errTest },
			ErrUnavailable, ErrUnavailable, []string{}},
		{"breaks the commit", breakCommit, ErrUnavailable, ErrUnavailable, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s = open(t)
			errs := inOneBatch(t, s, addRun("before"), tt.bad, addRun("after"))
			require.ErrorIs(t, errs[1], tt.want)
			if tt.rest == nil {
				require.NoError(t, errors.Join(errs[0], errs[2]))
			} else {
				require.ErrorIs(t, errs[0], tt.rest)
			}
			if len(tt.left) == 0 && errs[2] == nil {
				tt.left = []string{"after"} // it was run in the next batch
			}
			require.Equal(t, tt.left, traces(t, s))
			require.NoError(t, s.write(bg, addRun("next")), "the writer goes on")
			require.Equal(t, append(tt.left, "next"), traces(t, s))
		})
	}
}

// TestBatchIsAnsweredAfterCommit fails an op because of another one whose
// commit then fails: the first must not be told of something that never was.
func TestBatchIsAnsweredAfterCommit(t *testing.T) { onEach(t, testBatchIsAnsweredAfterCommit) }

func testBatchIsAnsweredAfterCommit(t *testing.T, open fresh) {
	s := open(t)
	slot := Slot{Run: Run{Workflow: "w"}, Step: "1"}
	_, err := s.Begin(bg, slot.Run, nil, evidence.Envelope{Payload: []byte("request")})
	require.NoError(t, err)
	errs := inOneBatch(t, s,
		func(t *tx) error { return t.addSlot(sqlAddSlot, 1, slot) },
		func(t *tx) error {
			if found, _ := t.slot(slot.Run, "1"); found != nil {
				return ErrTaken
			}
			return nil
		},
		func(t *tx) error { _, err := t.exec(bg, "ROLLBACK"); return err },
	)
	for _, err := range errs {
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotErrorIs(t, err, ErrTaken)
	}
	_, err = s.Fence(bg, slot)
	require.NoError(t, err, "nobody took it")
}

// TestGrouped pins that waiting ops share commits.
func TestGrouped(t *testing.T) { onEach(t, testGrouped) }

func testGrouped(t *testing.T, open fresh) {
	s := open(t)
	transactions := map[string]bool{} // in which ops were run; the writer's
	commits := func() (n int) {
		if isServer(s) {
			return len(transactions)
		}
		// By others, as one connection counts them.
		require.NoError(t, s.anchor.QueryRowContext(bg, "PRAGMA data_version").Scan(&n))
		return n
	}
	before := commits()
	ops := make([]func(*tx) error, 100)
	for i := range ops {
		ops[i] = func(t *tx) error {
			if _, err := t.exec(bg, sqlPulse); err != nil || !isServer(s) {
				return err
			}
			return t.scan(bg, func(r *sql.Rows) error {
				var id string
				err := r.Scan(&id)
				transactions[id] = true
				return err
			}, "SELECT pg_current_xact_id()::text")
		}
	}
	require.NoError(t, errors.Join(inOneBatch(t, s, ops...)...))
	require.Equal(t, 1, commits()-before, "100 writes, one commit")
}

// TestStamped pins that the time is kept once for a batch, with it or not at
// all, and that a batch of refusals does not write.
func TestStamped(t *testing.T) { onEach(t, testStamped) }

func testStamped(t *testing.T, open fresh) {
	calls, now := 0, evidence.Time(100)
	s := open(t, WithClock(func() evidence.Time {
		if calls++; now < 0 {
			panic("no clock")
		}
		return now
	}))
	seen := func() evidence.Time {
		at, err := s.Seen(bg)
		require.NoError(t, err)
		return at
	}
	require.Equal(t, 1, calls, "of Open")

	ops := make([]func(*tx) error, 100)
	for i := range ops {
		ops[i] = addRun(fmt.Sprint(i))
	}
	now = 101
	require.NoError(t, errors.Join(inOneBatch(t, s, ops...)...))
	require.Equal(t, 2, calls, "100 writes, one time")
	require.Equal(t, now, seen())

	now = 102
	require.ErrorIs(t, s.write(bg, func(*tx) error { return errTest }), errTest)
	require.Equal(t, 2, calls)
	errs := inOneBatch(t, s, func(t *tx) error { _, err := t.exec(bg, "ROLLBACK"); return err })
	require.ErrorIs(t, errs[0], ErrUnavailable)
	require.Equal(t, evidence.Time(101), seen(), "nothing was committed")

	now = -1
	require.ErrorIs(t, s.write(bg, addRun("no clock")), ErrUnavailable)
	require.Len(t, traces(t, s), 100, "what cannot be dated is not written")
	now = 103
	require.NoError(t, s.write(bg, addRun("again")))
	require.Equal(t, now, seen())
}

// TestLeaving pins what a context does to a write.
func TestLeaving(t *testing.T) { onEach(t, testLeaving) }

func testLeaving(t *testing.T, open fresh) {
	s := open(t)
	started, goOn := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(bg)
	var wg sync.WaitGroup
	var running error
	wg.Go(func() {
		running = s.write(ctx, func(t *tx) error { close(started); <-goOn; return addRun("running")(t) })
	})
	<-started

	waiting, leave := context.WithTimeout(bg, 20*time.Millisecond)
	defer leave()
	err := s.write(waiting, addRun("waiting"))
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it does not wait for the one before it")

	cancel()
	close(goOn)
	wg.Wait()
	require.NoError(t, running, "once it is being made, a write is not interrupted")
	require.NoError(t, s.Ping(bg))
	require.Equal(t, []string{"running"}, traces(t, s), "who was told that it was not made, finds it not made")
}

// TestDiskFull fills the database to its brim. Every write is refused, what is
// there can be read, and when there is room again all goes on.
func TestDiskFull(t *testing.T) {
	s := openTemp(t)
	run := Run{Namespace: "n", Workflow: "w", Run: "r"}
	head, err := s.Begin(bg, run, nil, evidence.Envelope{Payload: []byte("request")})
	require.NoError(t, err)
	full := evidence.Envelope{Payload: make([]byte, evidence.MaxPayload)}

	limit := func(pages int) func(*tx) error {
		return func(t *tx) error {
			return t.scan(bg, func(*sql.Rows) error { return nil }, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		}
	}
	errs := inOneBatch(t, s, limit(1), addRun("same batch"), func(t *tx) error {
		links, _, err := linksAfter(head, []evidence.Envelope{full})
		if err != nil {
			return err
		}
		return t.append(run, head, links)
	})
	require.ErrorIs(t, errs[2], ErrUnavailable)
	require.ErrorContains(t, errs[2], "full")
	found := len(traces(t, s)) == 2
	require.Equal(t, errs[1] == nil, found, "the answer is the truth")

	require.NoError(t, s.write(bg, limit(1)))
	_, err = s.Append(bg, run, head, full)
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = s.Begin(bg, Run{Run: "2"}, nil, full)
	require.ErrorIs(t, err, ErrUnavailable)
	records, err := s.Records(bg, run, 0)
	require.NoError(t, err)
	require.Len(t, records, 1)

	require.NoError(t, s.write(bg, limit(1<<30)))
	_, err = s.Append(bg, run, head, full)
	require.NoError(t, err)
}
