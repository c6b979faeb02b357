package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// Interceptor returns the guard for a Temporal worker of a team's own. From
// then on no activity of that worker runs but as a step of a governed
// execution, decided by name and arguments; every other call of it is refused,
// whoever makes it: a workflow, a client, a local activity. RunStep, where it
// is registered, goes the same way.
//
// An activity takes one argument besides its context, which the guard decodes
// from the decided bytes, whatever input the call came with. Put the interceptor
// last, so that no other stands between it and the activity.
func (s *Steps) Interceptor() interceptor.WorkerInterceptor { return &guarding{s: s} }

type guarding struct {
	interceptor.WorkerInterceptorBase
	s *Steps
}

// InterceptActivity is called once for each call of an activity.
func (g *guarding) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &guarded{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, s: g.s}
}

// guarded is one call of an activity.
type guarded struct {
	interceptor.ActivityInboundInterceptorBase
	s         *Steps
	heartbeat *heartbeat
}

// Init puts itself between the activity and its heartbeats.
func (g *guarded) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	g.heartbeat = &heartbeat{ActivityOutboundInterceptorBase: interceptor.ActivityOutboundInterceptorBase{Next: outbound}}
	return g.Next.Init(g.heartbeat)
}

// ExecuteActivity answers with a signed outcome, as RunStep does, or refuses.
func (g *guarded) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	out, err := g.execute(ctx, in)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *guarded) execute(ctx context.Context, in *interceptor.ExecuteActivityInput) (*contract.RunOutput, error) {
	info := activity.GetInfo(ctx)
	if order, ok := orderOf(info.ActivityType.Name, in.Args); ok {
		// Called here and not by next: whatever a team may have registered
		// under this name is not reached.
		return g.s.RunStep(ctx, order)
	}
	order, err := decisionIn(ctx)
	if err != nil {
		g.s.c.Log.Warn("activity refused", zap.String("activity", info.ActivityType.Name),
			zap.String("workflow", info.WorkflowExecution.ID), zap.Bool("local", info.IsLocalActivity), zap.Error(err))
		return nil, err
	}
	return g.s.guard(ctx, order, &task{name: info.ActivityType.Name, next: g.Next, args: in.Args, heartbeat: g.heartbeat})
}

// orderOf returns the input of RunStep.
func orderOf(name string, args []any) (contract.RunInput, bool) {
	if name != contract.RunStep || len(args) != 1 {
		return contract.RunInput{}, false
	}
	in, ok := args[0].(contract.RunInput)
	return in, ok
}

// decisionIn reads the header that the control plane's worker wrote, or
// somebody else: nothing in it is believed yet.
func decisionIn(ctx context.Context) (in contract.RunInput, err error) {
	payload := interceptor.Header(ctx)[contract.HeaderDecision]
	if payload == nil {
		return in, refuse("decision", "no decision came with the call: this activity runs only as a step of a governed execution")
	}
	dec := json.NewDecoder(bytes.NewReader(payload.GetData()))
	dec.DisallowUnknownFields()
	if err := errors.Join(dec.Decode(&in), atEnd(dec)); err != nil {
		return in, refuse("decision", "the decision that came with the call cannot be read")
	}
	return in, nil
}

// executorOf returns what carries out an action in this call, or nil: an
// action that is an activity is done by that activity alone, and no other
// action by any.
func (s *Steps) executorOf(a *catalogue.Action, t *task) executor.Executor {
	switch {
	case t == nil && a.Activity == "":
		return s.c.Executors[a.Name]
	case t != nil && a.Activity != "" && t.name == a.Activity:
		return t
	}
	return nil
}
