package workertest

import (
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// Reset resets an execution to the end of its first workflow task, as
// `temporal workflow reset` does, and returns the new run.
func (f *Fixture) Reset(run client.WorkflowRun) client.WorkflowRun {
	f.T.Helper()
	history := f.Client.GetWorkflowHistory(f.T.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first := int64(0)
	for first == 0 && history.HasNext() {
		e, err := history.Next()
		require.NoError(f.T, err)
		if e.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			first = e.EventId
		}
	}
	answer, err := f.Client.WorkflowService().ResetWorkflowExecution(f.T.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         "default",
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		Reason:            "attack", WorkflowTaskFinishEventId: first, RequestId: Random(),
	})
	require.NoError(f.T, err)
	return f.Client.GetWorkflow(f.T.Context(), run.GetID(), answer.RunId)
}
