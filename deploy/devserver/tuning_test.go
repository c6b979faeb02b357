package devserver

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// stock is the dynamic configuration of a development server that nobody tuned.
var stock = map[string]string{
	"history.transferProcessorMaxPollRPS":   "20",
	"history.timerProcessorMaxPollRPS":      "20",
	"history.visibilityProcessorMaxPollRPS": "20",
	"history.timerProcessorMaxTimeShift":    `"1s"`,
	"system.enableActivityEagerExecution":   "false",
	"history.longPollExpirationInterval":    `"20s"`,
}

// TestLongPollIsShort checks that a wait for the end of a workflow is answered
// after 2 s. A stock server lets it hang for 20.
func TestLongPollIsShort(t *testing.T) {
	s := startServer(t, Options{Headless: true})
	c := clientOf(t, s)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "nobody"}, sleepy, time.Hour)
	require.NoError(t, err)

	began := time.Now()
	_, err = c.WorkflowService().GetWorkflowExecutionHistory(t.Context(), &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:              s.Namespace,
		Execution:              &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		WaitNewEvent:           true,
		HistoryEventFilterType: enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
	})
	require.NoError(t, err)
	assert.Less(t, time.Since(began), 12*time.Second)
	assert.Greater(t, time.Since(began), time.Second, "it did not wait, so nothing was shown")
}

// TestTuningIsUnderstood checks that the server complains about no value. One
// of the wrong type is ignored, and said to be, when it is first used.
func TestTuningIsUnderstood(t *testing.T) {
	complains := func(o Options) bool {
		s := startServer(t, o)
		c := clientOf(t, s)
		startWorker(t, c)
		runFiveSteps(t, c, "one")
		log, err := os.ReadFile(s.Log)
		require.NoError(t, err)
		return strings.Contains(strings.ToLower(string(log)), "history.timerprocessormaxtimeshift")
	}
	wrong := map[string]string{"history.timerProcessorMaxTimeShift": `"soon"`}
	assert.False(t, complains(Options{Headless: true}))
	assert.True(t, complains(Options{Headless: true, DynamicConfig: wrong}), "the check sees nothing")
}

// BenchmarkFiveSteps measures a workflow of five activities that do nothing,
// from its start to its result, one after the other.
func BenchmarkFiveSteps(b *testing.B) {
	keys := []string{"history.transferProcessorMaxPollRPS", "system.enableActivityEagerExecution"}
	compare(b, keys, func(b *testing.B, c client.Client, i int) {
		runFiveSteps(b, c, fmt.Sprintf("%d-%d", b.N, i))
	})
}

// BenchmarkTimer measures a workflow that sleeps for 10 ms.
func BenchmarkTimer(b *testing.B) {
	keys := []string{"history.timerProcessorMaxPollRPS", "history.timerProcessorMaxTimeShift"}
	compare(b, keys, func(b *testing.B, c client.Client, i int) {
		run, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, sleepy, 10*time.Millisecond)
		require.NoError(b, err)
		require.NoError(b, run.Get(b.Context(), nil))
	})
}

// BenchmarkVisible measures how long it takes until a workflow that was started
// can be found.
func BenchmarkVisible(b *testing.B) {
	keys := []string{"history.visibilityProcessorMaxPollRPS"}
	compare(b, keys, func(b *testing.B, c client.Client, i int) {
		run, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: "nobody"}, sleepy, time.Hour)
		require.NoError(b, err)
		query := &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId = %q", run.GetID())}
		for {
			list, err := c.ListWorkflow(b.Context(), query)
			require.NoError(b, err)
			if len(list.GetExecutions()) == 1 {
				return
			}
		}
	})
}

// compare runs op with one worker against servers that are tuned, stock, and
// tuned but for each of keys, which shows what that value is good for.
func compare(b *testing.B, keys []string, op func(b *testing.B, c client.Client, i int)) {
	measure := func(name string, config map[string]string) {
		b.Run(name, func(b *testing.B) {
			s := startServer(b, Options{Headless: true, DynamicConfig: config})
			c := clientOf(b, s)
			startWorker(b, c)
			i := 0
			for ; i < 5; i++ {
				op(b, c, i) // the first ones find cold caches
			}
			for ; b.Loop(); i++ {
				op(b, c, i)
			}
		})
	}
	measure("tuned", nil)
	measure("stock", stock)
	for _, key := range keys {
		measure("without="+key, map[string]string{key: stock[key]})
	}
}
