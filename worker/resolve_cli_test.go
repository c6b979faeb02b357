package worker_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
)

// A commandLine is the program interlock, as people use it.
type commandLine struct {
	t        *testing.T
	dir, bin string
}

// newCommandLine builds interlock, and configures it for the workers of f with
// the keys of olga, alice, carol and rita. Those of other people are there for
// the flags.
func newCommandLine(t *testing.T, f *workertest.Fixture) *commandLine {
	t.Helper()
	c := &commandLine{t: t, dir: t.TempDir()}
	c.bin = filepath.Join(c.dir, "interlock")
	out, err := exec.Command("go", "build", "-o", c.bin, "../starter/cmd/interlock").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range []string{
		evidencetest.Operator, evidencetest.Alice, evidencetest.Carol, evidencetest.Revoker,
		evidencetest.Dave, evidencetest.AliceApprover, evidencetest.CarolsPhone,
	} {
		der, err := x509.MarshalPKCS8PrivateKey(evidencetest.Private(name))
		require.NoError(t, err)
		c.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	trust, err := f.Trust.Encode()
	require.NoError(t, err)
	c.write("trust.json", trust)
	c.write("interlock.yaml", fmt.Appendf(nil,
		"temporal: {address: %q, namespace: default}\nqueues: {control: %q}\ntrust: trust.json\nkeys: {operator: olga.pem, principal: alice.pem, approver: carol.pem, revoker: rita.pem}\n",
		devservertest.Shared(t).Address, f.Queue))
	return c
}

func (c *commandLine) write(name string, data []byte) {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, name), data, 0o600))
}

// run runs one command, and wants its exit code.
func (c *commandLine) run(code int, args ...string) (stdout, stderr string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), c.bin, args...)
	cmd.Dir = c.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(c.t, err)
	}
	require.Equal(c.t, code, cmd.ProcessState.ExitCode(), "interlock %q:\n%s%s", args, out.String(), errs.String())
	return out.String(), errs.String()
}

// TestT19ResolveCommand goes the whole way of somebody on call: status, a look
// at the world, resolve, status, proof, verify.
func TestT19ResolveCommand(t *testing.T) {
	f := workertest.New(t)
	c := newCommandLine(t, f)
	run := lose(t, f)
	id := run.GetID()
	resolve := func(code int, args ...string) (stdout, stderr string) {
		return c.run(code, append([]string{"resolve", id}, args...)...)
	}

	out, _ := c.run(13, "status", id)
	require.Contains(t, out, "open       pay: look what happened, then: interlock resolve "+id+" pay ")
	require.NotContains(t, out, "\nresolved ")

	_, errs := resolve(2, "read", "--happened", "--note", "seen")
	require.Contains(t, errs, "nothing to resolve: step read of execution "+id+" is done")
	require.Contains(t, errs, "next: see what is open")
	_, errs = resolve(2, "fly", "--happened", "--note", "seen")
	require.Contains(t, errs, `has no step "fly"`)
	_, errs = resolve(2, "pay", "--happened", "--note", "seen", "--key", "alice.pem")
	require.Contains(t, errs, "has role principal, not operator")
	_, errs = c.run(1, "resolve", "there-is-none", "pay", "--happened", "--note", "seen")
	require.Contains(t, errs, "no such execution")

	out, errs = resolve(0, "pay", "--not-happened", "--note", "the ledger has nothing")
	require.Empty(t, errs)
	require.Contains(t, out, "verdict    unresolved, as it was sealed")
	require.Regexp(t, `(?m)^resolved   pay: not happened, says olga on .*: the ledger has nothing$`, out)
	require.NotContains(t, out, "\nopen ")

	_, errs = resolve(2, "pay", "--happened", "--note", "it did!", "-o", "json")
	require.Contains(t, errs, `already resolved: step pay not_happened, by olga on `)
	require.Contains(t, errs, `"exit":2`)

	out, _ = c.run(13, "status", id)
	require.Contains(t, out, "resolved   pay: not happened, says olga on ")
	require.NotContains(t, out, "\nopen ")
	out, _ = c.run(13, "watch", id, "-o", "json")
	require.Contains(t, out, `"resolved":[{"step":"pay","found":"not_happened","operator":"olga","note":"the ledger has nothing"`)
	require.Contains(t, out, `"open":[]`)

	c.run(0, "proof", id, "--out", "p.json")
	out, _ = c.run(0, "verify", "p.json", "--trust", "trust.json")
	require.Contains(t, out, "resolved   pay: not happened, says olga on ")
	require.Contains(t, out, "verified: everything above")

	another := lose(t, f)
	out, _ = c.run(0, "resolve", another.GetID(), "pay", "--happened", "--note", "  the ledger has it ", "-o", "json")
	var said struct {
		Record   int
		Link     evidence.Digest
		Verdict  evidence.Verdict
		Resolved []evidence.Resolved
		Open     []string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &said))
	require.Equal(t, evidence.Unresolved, said.Verdict)
	require.Equal(t, "the ledger has it", said.Resolved[0].Note)
	require.Equal(t, evidence.Happened, said.Resolved[0].Found)
	require.NotNil(t, said.Open)
	require.Empty(t, said.Open)
	require.False(t, said.Link.IsZero())
	require.NotZero(t, said.Record)
}
