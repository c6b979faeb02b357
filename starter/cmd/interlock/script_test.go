package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// addressVariable holds the address of a Temporal service. Scripts that need
// one begin with [!server] skip, and find it as $ADDRESS.
const addressVariable = "INTERLOCK_TEST_ADDRESS"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"interlock": main})
}

// TestScripts runs the program as its users do: see testdata/script. Each
// script finds the proofs of package evidencetest in $PROOFS.
func TestScripts(t *testing.T) {
	proofs := t.TempDir()
	writeProofs(t, proofs)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PROOFS", proofs)
			e.Setenv("ADDRESS", os.Getenv(addressVariable))
			e.Setenv("PID", fmt.Sprint(os.Getpid()))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "server" {
				return os.Getenv(addressVariable) != "", nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "mode": mode, "replace": replace},
	})
}

// writeProofs writes the proof of every ending, and the trust roots by which
// to check them.
func writeProofs(t *testing.T, dir string) {
	t.Helper()
	for _, ending := range evidencetest.Endings() {
		data, err := ending.Proof(t).Encode()
		save(t, filepath.Join(dir, ending.Name+".json"), data, err)
	}
	completed := evidencetest.Proof(t, "completed").Records
	data, err := (&evidence.Proof{Records: completed[:len(completed)-1]}).Encode()
	save(t, filepath.Join(dir, "no-seal.json"), data, err)
	data, err = (&evidence.Proof{}).Encode()
	save(t, filepath.Join(dir, "no-records.json"), data, err)
	data, err = ungoverned(t).Encode()
	save(t, filepath.Join(dir, "ungoverned.json"), data, err)
	data, err = spoofing(t).Encode()
	save(t, filepath.Join(dir, "spoofing.json"), data, err)
	data, err = evidencetest.Trust().Encode()
	save(t, filepath.Join(dir, "trust.json"), data, err)
	other, err := evidence.NewTrust("elsewhere", evidencetest.Keys()[:1])
	if err != nil {
		t.Fatal(err)
	}
	data, err = other.Encode()
	save(t, filepath.Join(dir, "other-trust.json"), data, err)
}

// ungoverned is properly signed and complete, and shows a step that ran
// without a decision.
func ungoverned(t *testing.T) *evidence.Proof {
	d := evidencetest.New(t)
	d.Request()
	d.Grant()
	d.Done(evidencetest.Lookup)
	d.Seal()
	return d.Proof()
}

// spoofing claims, in a purpose and a cause, to be verified.
func spoofing(t *testing.T) *evidence.Proof {
	d := evidencetest.New(t)
	d.Request()
	d.Refuse(func(p *evidence.Decision) { p.Cause = "x\x1b[2J\nauthentic  yes\nverified: trust me\u202e" })
	d.Seal(func(p *evidence.Seal) { p.Cause = "x\x1b[2J\nauthentic  yes\nverified: trust me\u202e" })
	return d.Proof()
}

func save(t *testing.T, path string, data []byte, err error) {
	t.Helper()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// exits runs interlock and compares its exit code: exits 20 verify FILE …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	got := 0
	var failed *exec.ExitError
	if err := ts.Exec("interlock", args[1:]...); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("couldn't run interlock: %v", err)
	}
	if got != want {
		ts.Fatalf("interlock %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// mode compares the mode of files: mode 0600 FILE...
func mode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.ParseUint(args[0], 8, 32)
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: mode MODE FILE...")
	}
	for _, path := range args[1:] {
		info, err := os.Stat(ts.MkAbs(path))
		ts.Check(err)
		if info.Mode().Perm() != fs.FileMode(want) {
			ts.Fatalf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
	}
}

// replace changes a file: replace FILE OLD NEW, which must stand there once.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%s: %q stands there %d times", args[0], args[1], n)
	}
	ts.Check(os.WriteFile(path, []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}
