package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/daemon"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// play runs the whole demo, with everything real.
func play(t *testing.T, change func(*options)) ([]*account, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	root, err := daemon.ModuleRoot(ctx)
	require.NoError(t, err)
	o := options{root: root, dir: filepath.Join(t.TempDir(), "demo")}
	change(&o)
	var said bytes.Buffer
	accounts, err := run(ctx, o, &screen{w: &said})
	t.Log(said.String())
	return accounts, said.String(), err
}

// verdicts are what the accounts say, in words that story.go has no part in.
func verdicts(accounts []*account) []string {
	var all []string
	for _, a := range accounts {
		all = append(all, string(a.receipt.Verdict)+" "+a.receipt.Cause)
	}
	return all
}

func checkAccounts(t *testing.T, accounts []*account) {
	t.Helper()
	for _, a := range accounts {
		require.NoError(t, a.report.Err(), a.name)
		require.Equal(t, a.receipt.Verdict, a.report.Verdict)
		require.True(t, a.replayed, a.name)
		require.Empty(t, a.wrong)
	}
}

func TestDemo(t *testing.T) {
	accounts, said, err := play(t, func(*options) {})
	require.NoError(t, err)
	require.Equal(t, []string{"completed completed", "denied policy.deny", "halted probe.policy", "failed http.500"}, verdicts(accounts))
	checkAccounts(t, accounts)

	require.Len(t, accounts[0].facts.effects, 1, "one refund")
	denied := accounts[1].facts
	require.False(t, denied.granted)
	require.Empty(t, denied.allowed)
	require.Empty(t, denied.calls)
	halted := accounts[2]
	require.Empty(t, halted.facts.effects, "nothing was shipped, and nobody told so")
	require.Less(t, halted.took, packSlowly, "the step that ran was stopped")
	require.Empty(t, accounts[3].facts.effects)

	for _, want := range []string{"verify", "proofs", "1-refund.json", "trust.json"} {
		require.Contains(t, said, want)
	}
	require.NotContains(t, said, "\x1b", "colour, and no terminal")
}

func TestDemoKill(t *testing.T) {
	accounts, _, err := play(t, func(o *options) { o.kill = true })
	require.NoError(t, err)
	require.Equal(t, []string{"completed completed", "denied policy.deny", "completed completed", "failed http.500"}, verdicts(accounts))
	checkAccounts(t, accounts)
	require.Equal(t, list{"ship: ship #W5500102 0", "notify: notify #W5500102 0"}, accounts[2].facts.effects, "each once")
	require.Contains(t, accounts[2].notes[0], "killed")
}

// TestInterrupted ends the demo at once: it must say so, and leave nothing
// running.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	root, err := daemon.ModuleRoot(ctx)
	require.NoError(t, err)
	stop := errors.New("Ctrl-C")
	dir := filepath.Join(t.TempDir(), "demo")
	seen := 0
	_, err = run(ctx, options{root: root, dir: dir}, &screen{w: writerFunc(func(line string) {
		if strings.Contains(line, "1 Refund") {
			seen = len(processesOf(t, dir))
			cancel(stop)
		}
	})})
	require.ErrorIs(t, err, stop)
	if seen > 0 {
		require.GreaterOrEqual(t, seen, 3, "Temporal and two of interlockd")
		require.Empty(t, processesOf(t, dir))
	}
}

// processesOf returns the command lines of the processes that were told of
// dir, where the system shows them.
func processesOf(t *testing.T, dir string) []string {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, path := range all {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(dir)) {
			found = append(found, string(line))
		}
	}
	return found
}

type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) { f(string(p)); return len(p), nil }

// TestDaemonThatCannotStart wants the reason, out of its log.
func TestDaemonThatCannotStart(t *testing.T) {
	root, err := daemon.ModuleRoot(t.Context())
	require.NoError(t, err)
	program, err := daemon.Build(t.Context(), root, "", "")
	require.NoError(t, err)
	f, err := makeFolder(filepath.Join(t.TempDir(), "demo"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.path("control/interlock.yaml"), []byte("trsut: trust.json\n"), 0o600))
	s := &stage{folder: f, program: program}
	s.ctx, s.fail = context.WithCancelCause(t.Context())
	err = s.startDaemons(s.ctx)
	require.ErrorIs(t, err, daemon.ErrEnded)
	require.ErrorContains(t, err, "exit status 2")
	require.ErrorContains(t, err, "trsut")
	s.stopDaemons()
}

// TestDaemonThatEnds: nobody waits for a stage on which interlockd has died.
func TestDaemonThatEnds(t *testing.T) {
	var s stage
	s.ctx, s.fail = context.WithCancelCause(t.Context())
	sh, err := daemon.Start("/bin/false", t.TempDir(), "steps", filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Skip("there is no /bin/false")
	}
	s.watch(&process{Process: sh})
	require.ErrorIs(t, context.Cause(s.ctx), daemon.ErrEnded)
}

// TestVerifyNoticesAnotherProof hands a proof to the account of another
// execution, and a file that is none.
func TestVerifyNoticesAnotherProof(t *testing.T) {
	f, err := makeFolder(filepath.Join(t.TempDir(), "demo"))
	require.NoError(t, err)
	a := &account{name: "1-refund", receipt: &contract.Receipt{}}
	a.verify(f)
	require.Len(t, a.wrong, 1, "there is no file")
	require.NoError(t, f.write(f.proof("1-refund"), []byte("{}")))
	a.verify(f)
	require.Len(t, a.wrong, 2)
	require.ErrorIs(t, a.wrong[1], evidence.ErrProof)
	a.replay(f)
	require.Len(t, a.wrong, 3)
	require.False(t, a.replayed)
}
