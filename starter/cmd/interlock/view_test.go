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

// TestViewsSayForWhomAStepWaits, once each time that this changes.
func TestViewsSayForWhomAStepWaits(t *testing.T) {
	p := progress(contract.StepWaiting, contract.StepWaiting)
	p.Execution, p.Rejected = "x", 1
	until := evidence.TimeOf(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	asks := contract.Wait{Effect: evidence.StepUp, By: []string{"ann", "bob\x1b"}, Missing: 2, Until: until}
	p.Steps[0].Wait = &asks
	p.Steps[1].Wait = &contract.Wait{Effect: evidence.Defer, At: until.Add(-time.Hour), Until: until}
	var lines, jsons bytes.Buffer
	line := &lineView{out: &lines, now: func() time.Time { return time.Date(2026, 1, 1, 9, 30, 0, 0, time.UTC) }}
	js := &jsonView{app: &app{out: &jsons}}
	for range 3 {
		copied := asks // as it comes in another answer
		p.Steps[0].Wait = &copied
		line.show(p)
		js.show(p)
	}
	asks.Missing, asks.By = 1, []string{"ann"}
	p.Steps[0].Wait = &asks
	line.show(p)
	js.show(p)
	require.Equal(t, "09:30:00  execution  running\n"+
		"09:30:00  execution  1 message was not believed\n"+
		"09:30:00  a  waits for approvals by 2 of ann, bob\ufffd until 2026-01-01T12:00:00.000Z; see: interlock pending x\n"+
		"09:30:00  b  deferred until 2026-01-01T12:00:00.000Z, asked again at 2026-01-01T11:00:00.000Z\n"+
		"09:30:00  a  waits for an approval by one more of ann until 2026-01-01T12:00:00.000Z; see: interlock pending x\n", lines.String())
	require.Equal(t, 2, strings.Count(jsons.String(), "\n"))
	require.Contains(t, jsons.String(), `"rejected":1`)

	var live bytes.Buffer
	(&liveView{out: &live, size: func() (int, int, error) { return 200, 20, nil }}).show(p)
	require.Contains(t, live.String(), "; 1 message was not believed\n")
	require.Contains(t, live.String(), "\n     waits for an approval by one more of ann until")
}

// TestArgumentsAreShownAsSigned: what could not be seen is written as JSON
// escapes it, and no number is rounded.
func TestArgumentsAreShownAsSigned(t *testing.T) {
	require.Equal(t, []string{"{", `  "to": "ann\u202e\u0007` + "\u00fc" + `",`, `  "cents": 12345678901234567890.10`, "}"},
		jsonLines([]byte("{\"to\":\"ann\u202e\\u0007\u00fc\",\"cents\":12345678901234567890.10}")))
	require.Equal(t, []string{`"{\"a\":\x1b"`}, jsonLines([]byte("{\"a\":\x1b")), "what is no JSON is quoted")
	require.Equal(t, `\udb40\udc01`, escaped("\U000e0001"))
}

// TestSure: anything but yes is a no.
func TestSure(t *testing.T) {
	for said, want := range map[string]bool{"yes\n": true, " YES \n": true, "y\n": false, "\n": false, "yes": false, "": false, "yes please\n": false} {
		a := &app{in: strings.NewReader(said), err: &bytes.Buffer{}}
		require.Equal(t, want, a.sure(false, "approve this step?") == nil, "%q", said)
	}
	a := &app{in: strings.NewReader("yes\n"), err: &bytes.Buffer{}}
	require.ErrorIs(t, a.canAsk(false, ""), errUsage, "a pipe is nobody who could have looked")
	require.NoError(t, a.canAsk(true, ""))
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
