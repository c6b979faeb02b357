package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

func openBench(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(context.Background(), filepath.Join(b.TempDir(), "evidence.db"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkAppend is one caller: each append is one commit.
func BenchmarkAppend(b *testing.B) {
	s, run, head := openBench(b), runOf("bench"), evidence.Position{}
	for b.Loop() {
		var err error
		if head, err = s.Append(context.Background(), run, head, envelope("bench")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendParallel is 32 callers, each with a run of its own: appends
// share commits.
func BenchmarkAppendParallel(b *testing.B) {
	s := openBench(b)
	var runs atomic.Int64
	b.SetParallelism(32 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		run, head := runOf(fmt.Sprint(runs.Add(1))), evidence.Position{}
		for pb.Next() {
			var err error
			if head, err = s.Append(context.Background(), run, head, envelope("bench")); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkEffect is what one effect costs: its slot and its outcome.
func BenchmarkEffect(b *testing.B) {
	s, run, n := openBench(b), runOf("bench"), 0
	if _, err := s.Begin(context.Background(), run, nil, envelope("request")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n++
		step := fmt.Sprint(n)
		if _, err := s.Take(context.Background(), slotOf(run, step)); err != nil {
			b.Fatal(err)
		}
		if err := s.Finish(context.Background(), run, step, envelope("done")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStores compares the two kinds of store, on one disk: 1, 8 and 64
// callers at once, each with a run of its own, append records, or take slots.
// How many writes share a commit shows in writes/commit.
func BenchmarkStores(b *testing.B) {
	targets := map[string]func(b *testing.B) string{
		"SQLite": func(b *testing.B) string { return filepath.Join(b.TempDir(), "evidence.db") },
		"PostgreSQL": func(b *testing.B) string {
			server := pgtest.Own(b, pgserver.Disk)
			return server.URL(pgserver.Superuser, "postgres")
		},
	}
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		b.Run(name, func(b *testing.B) {
			var commits atomic.Int64
			s := openAt(b, targets[name](b), store.WithClock(func() evidence.Time {
				commits.Add(1) // the store asks once for each
				return evidence.TimeOf(time.Now())
			}))
			for _, callers := range []int{1, 8, 64} {
				b.Run(fmt.Sprintf("append/%d", callers), func(b *testing.B) { benchWrites(b, s, callers, &commits, appends) })
				b.Run(fmt.Sprintf("take/%d", callers), func(b *testing.B) { benchWrites(b, s, callers, &commits, takes) })
			}
		})
	}
}

var benchRuns atomic.Int64

// benchWrites lets callers make b.N writes together.
func benchWrites(b *testing.B, s *store.Store, callers int, commits *atomic.Int64,
	caller func(*store.Store, store.Run, evidence.Position) func(n int) error) {
	writes := make([]func(int) error, callers)
	for i := range writes {
		run := runOf(fmt.Sprint("bench-", benchRuns.Add(1)))
		head, err := s.Begin(ctx, run, nil, envelope("request"))
		if err != nil {
			b.Fatal(err)
		}
		writes[i] = caller(s, run, head)
	}
	before := commits.Load()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, write := range writes {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := write(int(n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	made := float64(commits.Load() - before)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
	b.ReportMetric(made/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(b.N)/made, "writes/commit")
}

func appends(s *store.Store, run store.Run, head evidence.Position) func(int) error {
	return func(int) (err error) {
		head, err = s.Append(ctx, run, head, envelope("bench"))
		return err
	}
}

func takes(s *store.Store, run store.Run, _ evidence.Position) func(int) error {
	return func(n int) error {
		_, err := s.Take(ctx, slotOf(run, fmt.Sprint(n)))
		return err
	}
}
