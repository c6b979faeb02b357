package main

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
)

// TestT22DaemonTellsItsHealth: each role says at its own address that it is
// ready, and nobody listens where no address is given.
func TestT22DaemonTellsItsHealth(t *testing.T) {
	server := devservertest.Shared(t)
	dir := initialised(t, cli(t), "--apart", "--address", server.Address)
	for _, role := range []string{"control", "steps"} {
		path, address := dir+"/"+role+"/interlock.yaml", nobody(t)
		conf, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(conf, []byte("\nhealth: "+address+"\n")...), 0o600))
		d := here(t, "worker", "--config", dir+"/"+role, "--roles", role)
		working, code := d.goes(t)
		require.True(t, working, "%s ended with %d:\n%s", role, code, d.out.String())
		require.Eventually(t, func() bool {
			res, err := http.Get("http://" + address + "/readyz")
			return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
		}, patience, 50*time.Millisecond, role)
	}
}

// TestT22DaemonRefusesAnOutage that is longer than it may be.
func TestT22DaemonRefusesAnOutage(t *testing.T) {
	dir := initialised(t, cli(t), "--apart", "--address", nobody(t))
	edit(t, dir+"/control/interlock.yaml", "outage: 30s", "outage: 1h")
	working, code := here(t, "worker", "--config", dir+"/control", "--roles", "control").goes(t)
	require.False(t, working)
	require.Equal(t, exitUsage, code)
}
