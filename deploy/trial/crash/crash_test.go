package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/internal/crash"
)

// TestMatrixIsComplete: every point, and every victim of it.
func TestMatrixIsComplete(t *testing.T) {
	cells, names := map[string]int{}, map[string]bool{}
	for _, tr := range matrix() {
		cells[tr.Name+" "+tr.victim]++
		require.False(t, names[tr.name()], "two trials are called %s", tr.name())
		names[tr.name()] = true
	}
	for _, p := range crash.Points() {
		for _, v := range victims {
			if v == frozen && p.Process == crash.World {
				continue
			}
			require.NotZero(t, cells[p.Name+" "+v], "%s, %s", p.Name, v)
		}
	}
}

// TestCrash runs a few cells of the matrix: the rest is for make crash.
func TestCrash(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	tests := []struct {
		point, victim string
		store         string
		effects       []int // of the refund's trial and the letter's, or of the only one
		verdicts      []evidence.Verdict
	}{
		// Taken and not sent: nobody can know that from outside.
		{"slot.taken", "steps", sqlite, []int{2, 1}, []evidence.Verdict{evidence.Completed, evidence.Unresolved}},
		// Sent and not signed: the letter is out, and must not go out again.
		{"effect.done", "both", sqlite, []int{2, 2}, []evidence.Verdict{evidence.Completed, evidence.Unresolved}},
		// Signed and stored, and nobody heard of it: the store is asked.
		{"outcome.stored", "steps", sqlite, []int{2, 2}, []evidence.Verdict{evidence.Completed, evidence.Completed}},
		{"authorize.stored", "control", sqlite, []int{2}, []evidence.Verdict{evidence.Completed}},
		// Two of each role over one database: the twin of a step worker that died
		// knows from the store that the slot is taken.
		{"slot.taken", "steps", postgres, []int{2, 1}, []evidence.Verdict{evidence.Completed, evidence.Unresolved}},
	}
	for _, tt := range tests {
		t.Run(tt.store+" "+tt.point, func(t *testing.T) {
			if _, err := pgserver.New(ctx, "/nowhere"); tt.store == postgres && errors.Is(err, pgserver.ErrMissing) {
				t.Skip(err)
			}
			var said bytes.Buffer
			results, err := run(ctx, options{dir: filepath.Join(t.TempDir(), "crash"), point: tt.point, victim: tt.victim, store: tt.store, parallel: 2}, &said)
			require.NoError(t, err, said.String())
			require.Len(t, results, len(tt.effects))
			for i, r := range results {
				require.Equal(t, tt.effects[i], r.effects, said.String())
				require.Equal(t, tt.verdicts[i], r.facts.Verdict, said.String())
			}
		})
	}
}

// TestPointThatIsNotHit: a strike that does not happen fails the trial.
func TestPointThatIsNotHit(t *testing.T) {
	var said bytes.Buffer
	never := trial{Place: crash.Place{Name: "slot.taken", Process: crash.Steps}, pass: 99, at: "never", victim: "steps"}
	results, err := runTrials(t.Context(), options{dir: filepath.Join(t.TempDir(), "crash"), parallel: 1}, []trial{never}, &said)
	require.ErrorIs(t, err, errViolated)
	require.ErrorIs(t, results[0].err, errNotHit)
}
