package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
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
