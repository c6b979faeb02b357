package main

import (
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
)

// TestT23RolesApart starts what interlock init --apart makes, in the order that
// it prints, and asks for something.
func TestT23RolesApart(t *testing.T) {
	server := devservertest.Shared(t)
	cli := cli(t)
	dir := initialised(t, cli, "--apart", "--address", server.Address)
	for _, role := range []string{"control", "steps"} {
		d := here(t, "worker", "--config", dir+"/"+role, "--roles", role)
		working, code := d.goes(t)
		require.True(t, working, "%s ended with %d:\n%s", role, code, d.out.String())
		require.NotContains(t, d.out.String(), together)
	}
	for file, want := range map[string]int{"request.yaml": 0, "request-denied.yaml": 10} {
		cmd := exec.Command(cli, "start", "--config", dir+"/principal", dir+"/principal/"+file)
		out, _ := cmd.CombinedOutput() // its error is the exit code
		require.Equal(t, want, cmd.ProcessState.ExitCode(), "%s", out)
	}
}

// TestT23DevIsForDevelopment: on a folder with every key in it, dev works and
// says so, and worker does not.
func TestT23DevIsForDevelopment(t *testing.T) {
	dir := initialised(t, cli(t), "--address", nobody(t))
	_, port, err := net.SplitHostPort(nobody(t))
	require.NoError(t, err)
	dev := here(t, "dev", "--config", dir, "--ui-port", port)
	working, code := dev.goes(t)
	require.True(t, working, "it ended with %d:\n%s", code, dev.out.String())
	require.Contains(t, dev.out.String(), "for development only")

	for roles, want := range map[string]string{
		"control": "keys/worker.pem", "steps": "keys/authority.pem", "control,steps": "keys/principal.pem",
	} {
		d := here(t, "worker", "--config", dir, "--roles", roles)
		working, code := d.goes(t)
		require.False(t, working, roles)
		require.Equal(t, exitUsage, code)
		require.Contains(t, d.out.String(), want)
	}
}
