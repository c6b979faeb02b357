package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

func progress(states ...contract.StepState) contract.Progress {
	p := contract.Progress{Phase: "running", Records: 3}
	for i, s := range states {
		p.Steps = append(p.Steps, contract.StepProgress{ID: string(rune('a' + i)), Action: "x", State: s})
	}
	return p
}

// TestLineViewSaysChangesOnly, and what happened between two looks.
func TestLineViewSaysChangesOnly(t *testing.T) {
	var b bytes.Buffer
	v := &lineView{out: &b, now: func() time.Time { return time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC) }}
	v.silent()
	v.silent()
	for range 3 {
		v.show(progress(contract.StepRunning, contract.StepWaiting, contract.StepWaiting))
	}
	v.end([]evidence.StepEnd{{ID: "a", State: evidence.StateDone}, {ID: "b", State: evidence.StateDenied}, {ID: "c", State: evidence.StateNotStarted}})
	require.Equal(t, "09:30:00  execution  "+silence+"\n"+
		"09:30:00  execution  running\n09:30:00  a  running\n"+
		"09:30:00  a  done\n09:30:00  b  denied\n", b.String())
}

// TestT22ViewSaysWhatIsWaitedFor, once, and that it is over.
func TestT22ViewSaysWhatIsWaitedFor(t *testing.T) {
	var b bytes.Buffer
	v := &lineView{out: &b, now: func() time.Time { return time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC) }}
	waiting := progress(contract.StepRunning)
	waiting.Waiting = contract.WaitingStore
	for _, p := range []contract.Progress{progress(contract.StepRunning), waiting, waiting, progress(contract.StepRunning)} {
		v.show(p)
	}
	require.Equal(t, "09:30:00  execution  running\n09:30:00  a  running\n"+
		"09:30:00  execution  waiting for the evidence store\n09:30:00  execution  running\n", b.String())
}

// TestLiveViewFitsTheTerminal: a line that wraps, or a picture that scrolls,
// could not be drawn over.
func TestLiveViewFitsTheTerminal(t *testing.T) {
	var b bytes.Buffer
	v := &liveView{out: &b, size: func() (int, int, error) { return 12, 3, nil }}
	v.show(progress(contract.StepRunning, contract.StepWaiting, contract.StepWaiting))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		require.LessOrEqual(t, len(line), 11)
	}
	b.Reset()
	v.show(progress(contract.StepRunning))
	require.True(t, strings.HasPrefix(b.String(), "\x1b[2A\x1b[J"), "%q does not draw over two lines", b.String())
	b.Reset()
	v.end(nil)
	require.Equal(t, "\x1b[2A\x1b[J", b.String())

	v.size = func() (int, int, error) { return 0, 0, errors.New("no terminal") }
	v.show(progress(contract.StepRunning))
}

// TestPlainKeepsOthersOffTheScreen: progress comes from whoever owns Temporal.
func TestPlainKeepsOthersOffTheScreen(t *testing.T) {
	p := progress(contract.StepRunning)
	p.Phase, p.Steps[0].ID, p.Steps[0].Action = "a\x1b[2Jb", "x\nverdict completed", "\u202egnp"
	var b bytes.Buffer
	(&lineView{out: &b, now: time.Now}).show(p)
	for _, line := range stepLines(p) {
		b.WriteString(line + "\n")
	}
	require.NotContains(t, b.String(), "\x1b")
	require.NotContains(t, b.String(), "\u202e")
	require.NotContains(t, b.String(), "\nverdict")
	require.Equal(t, "grüß 日本", plain("grüß 日本"))
}
