package worker_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

func TestMain(m *testing.M) { devservertest.Main(m) }

func TestEndings(t *testing.T) {
	f := workertest.New(t)
	step := workertest.Step
	tests := []struct {
		name    string
		steps   []evidence.Step
		want    evidence.Verdict
		cause   string
		effects int
	}{
		{name: "completed", want: evidence.Completed, cause: "completed", effects: 3, steps: []evidence.Step{
			step("a", "desk.read", `{"id":"1"}`), step("b", "desk.note", `{"text":"x"}`, "a"), step("c", "desk.pay", `{"amount":7}`, "b"),
		}},
		{name: "step denied", want: evidence.Denied, cause: "policy.deny", effects: 1, steps: []evidence.Step{
			step("a", "desk.read", `{}`), step("b", "desk.forbidden", `{}`, "a"), step("c", "desk.pay", `{"amount":7}`, "b"),
		}},
		{name: "step failed", want: evidence.Failed, cause: "world.broken", effects: 1, steps: []evidence.Step{
			step("a", "desk.read", `{}`), step("b", "desk.fail", `{}`, "a"), step("c", "desk.pay", `{"amount":7}`, "b"),
		}},
		{name: "unresolved", want: evidence.Unresolved, cause: "world.broken", effects: 1, steps: []evidence.Step{
			step("a", "desk.read", `{}`), step("b", "desk.lose", `{}`, "a"), step("c", "desk.pay", `{"amount":7}`, "b"),
		}},
		{name: "unknown action", want: evidence.Denied, cause: "action.unknown", steps: []evidence.Step{step("a", "desk.fly", `{}`)}},
		{name: "missing argument", want: evidence.Denied, cause: "action.args", steps: []evidence.Step{step("a", "desk.pay", `{}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(f.World.Effects())
			report := f.Verified(f.Begin(tt.steps...))
			require.Equal(t, tt.want, report.Verdict)
			require.Equal(t, tt.cause, report.Cause)
			require.Len(t, f.World.Effects(), before+tt.effects)
		})
	}
}

// TestT32SaysWhatItIs: a worker's log names the digest of the program that
// runs, as a release lists it.
func TestT32SaysWhatItIs(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	workertest.New(t, workertest.WithConfig(func(c *worker.Config) { c.Log = zap.New(core) }))
	require.Eventually(t, func() bool { return logs.FilterMessage("working").Len() == 1 }, time.Minute, 20*time.Millisecond)
	exe, err := os.Executable()
	require.NoError(t, err)
	program, err := os.ReadFile(exe)
	require.NoError(t, err)
	require.Equal(t, evidence.FileDigest(program).String(), logs.FilterMessage("working").All()[0].ContextMap()["executable"])
}
