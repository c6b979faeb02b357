package worker_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
)

// TestT23UndefendedBuildRefusesToStart builds interlockd as attack tests are
// built, and runs it with a configuration that is right.
func TestT23UndefendedBuildRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	run := func(name string, args ...string) (int, string) {
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil {
			require.ErrorAs(t, err, &exit, "%s", out)
			return exit.ExitCode(), string(out)
		}
		return 0, string(out)
	}
	code, out := run("go", "build", "-tags", "undefended", "-o", dir+"/", "./cmd/interlockd", "../starter/cmd/interlock")
	require.Zero(t, code, out)
	code, out = run(dir+"/interlock", "init", dir+"/config", "--address", devservertest.Shared(t).Address)
	require.Zero(t, code, out)
	code, out = run(dir+"/interlockd", "worker", "--config", dir+"/config")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "undefended")
}
