package workflows

import (
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/workflows/contract"
)

// Interceptor returns what the worker of [GovernedExecution] needs to hand
// steps to activities of a team's own. The signed decision goes into the header
// [contract.HeaderDecision]; the input is the arguments as they were requested,
// so that people see in Temporal what such an activity is always called with.
// Without this interceptor those activities get no decision, and their guard
// refuses.
func Interceptor() interceptor.WorkerInterceptor { return &handing{} }

type handing struct {
	interceptor.WorkerInterceptorBase
}

// InterceptWorkflow puts the header writer behind a workflow.
func (*handing) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &handingInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type handingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (h *handingInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return h.Next.Init(&handingOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}})
}

type handingOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

// ExecuteActivity moves the decision of a step from the input to the header,
// where the activity is a team's own. The same input gives the same bytes, so
// that a replay does.
func (h *handingOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if name == contract.RunStep || len(args) != 1 {
		return h.Next.ExecuteActivity(ctx, name, args...)
	}
	in, ok := args[0].(contract.RunInput)
	if !ok {
		return h.Next.ExecuteActivity(ctx, name, args...)
	}
	decision, err := converter.GetDefaultDataConverter().ToPayload(in)
	if err != nil {
		future, set := workflow.NewFuture(ctx)
		set.SetError(err)
		return future
	}
	interceptor.WorkflowHeader(ctx)[contract.HeaderDecision] = decision
	return h.Next.ExecuteActivity(ctx, name, asRequested(in.Args))
}

// asRequested is a payload of exactly these bytes of JSON. The data converter
// would encode them anew.
func asRequested(args []byte) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)},
		Data:     args,
	})
}
