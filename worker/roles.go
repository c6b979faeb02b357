package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows"
	"github.com/interlock-run/interlock/workflows/contract"
)

// pollers is how many polls a worker keeps open for each kind of task. With
// the SDK's default of 2, waits of seconds were measured.
const pollers = 16

// clockStep is how far the wall clock may move against the monotonic one.
const clockStep = 2 * time.Second

// Options returns the options with which workers poll Temporal, for comparing
// with ungoverned ones.
func Options() sdk.Options {
	return sdk.Options{
		MaxConcurrentWorkflowTaskPollers: pollers,
		MaxConcurrentActivityTaskPollers: pollers,
		// A step learns of its cancellation through its heartbeats, and the
		// SDK would hold them back for most of the heartbeat timeout.
		MaxHeartbeatThrottleInterval:     50 * time.Millisecond,
		DefaultHeartbeatThrottleInterval: 50 * time.Millisecond,
		WorkerStopTimeout:                10 * time.Second,
		// For so long does a workflow wait for the worker that had it last,
		// which may be dead, before another one takes it. The SDK's 5 s are
		// longer than some leases.
		StickyScheduleToStartTimeout: time.Second,
	}
}

// addControl adds the role of control plane.
func (w *Worker) addControl(c Config, cat *catalogue.Catalogue) error {
	bundle, err := readPolicy(c.Control.Policy, cat)
	if err != nil {
		return err
	}
	probes, err := w.probes(c)
	if err != nil {
		return err
	}
	act, err := activities.NewControl(activities.ControlConfig{
		Trust: c.Trust, Authority: c.Control.Authority, Recorder: c.Control.Recorder,
		Authorities: c.Control.Authorities, Recorders: c.Control.Recorders,
		Policy: bundle, Catalogue: cat, Store: w.store, Probes: probes,
		Queue: c.Queues.Steps, Terms: c.Control.Terms, Log: c.Log,
		SearchAttributes: c.Control.SearchAttributes, Process: w.process, MaxEvents: c.Control.MaxEvents, MaxBytes: c.Control.MaxBytes, Outage: c.Control.Outage,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	w.health.add(probed("control", act.Quick)...)
	o := Options()
	o.Interceptors = []interceptor.WorkerInterceptor{workflows.Interceptor()}
	sw := sdk.New(c.Client, c.Queues.Control, o)
	sw.RegisterWorkflowWithOptions(workflows.GovernedExecution, workflow.RegisterOptions{Name: contract.Workflow})
	sw.RegisterWorkflowWithOptions(workflows.ResolveStep, workflow.RegisterOptions{Name: contract.ResolveWorkflow})
	sw.RegisterWorkflowWithOptions(workflows.GiveOrder, workflow.RegisterOptions{Name: contract.OrderWorkflow})
	sw.RegisterWorkflowWithOptions(workflows.ListOrders, workflow.RegisterOptions{Name: contract.OrdersWorkflow})
	register(sw, contract.Publish, act.Publish)
	register(sw, contract.Spread, act.Spread)
	register(sw, contract.ListOrders, act.ListOrders)
	register(sw, contract.Authorize, act.Authorize)
	register(sw, contract.Deny, act.Deny)
	register(sw, contract.TakeOver, act.TakeOver)
	register(sw, contract.Decide, act.Decide)
	register(sw, contract.Watch, act.Watch)
	register(sw, contract.Seal, act.Seal)
	register(sw, contract.Resolve, act.Resolve)
	w.workers = append(w.workers, sw)
	return nil
}

func (w *Worker) probes(c Config) ([]activities.Probe, error) {
	exe, err := activities.ExecutableProbe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return append([]activities.Probe{
		w.trust.probe(),
		activities.PolicyProbe(c.Control.Policy),
		activities.CatalogueProbe(c.Catalogue),
		activities.ClockProbe(clockStep),
		activities.SeenProbe(w.store.Seen, time.Now, clockStep),
		activities.StoreProbe(w.store),
		exe,
	}, c.Control.Probes...), nil
}

func readPolicy(path string, cat *catalogue.Catalogue) (*policy.Bundle, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: couldn't read the policy: %w", ErrConfig, err)
	}
	bundle, err := policy.Parse(path, data, cat)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return bundle, nil
}

// addSteps adds the role of step worker.
func (w *Worker) addSteps(c Config, cat *catalogue.Catalogue) error {
	act, err := newSteps(w.trust, c.Steps, c.Catalogue, cat, w.store, w.process, c.Log)
	if err != nil {
		return err
	}
	for _, name := range cat.Names() {
		if a, _ := cat.Action(name); a.Activity != "" && c.Steps.Activities == nil {
			return fmt.Errorf("%w: the action %s names the activity %s, which nobody registers: give Steps.Activities, or use NewGuard in a worker of your own", ErrConfig, name, a.Activity)
		}
	}
	w.drain = act.Drain
	w.health.add(probed("steps", act.Quick)...)
	o := Options()
	o.DisableWorkflowWorker = true
	o.Interceptors = []interceptor.WorkerInterceptor{act.Interceptor()}
	sw := sdk.New(c.Client, c.Queues.Steps, o)
	register(sw, contract.RunStep, act.RunStep)
	if c.Steps.Activities != nil {
		c.Steps.Activities(sw)
	}
	w.workers = append(w.workers, sw)
	return nil
}

// reach tells Temporal that a step is alive, and waits for the answer, which
// the SDK's heartbeats do not.
func reach(ctx context.Context, info activity.Info, details *commonpb.Payloads) error {
	_, err := activity.GetClient(ctx).WorkflowService().RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{
		Namespace: info.Namespace, TaskToken: info.TaskToken, Details: details, Identity: "interlock-guard",
	})
	return err
}

// roles names the roles that a worker has.
func (c *Config) roles() string {
	switch {
	case c.Control == nil:
		return "steps"
	case c.Steps == nil:
		return "control"
	}
	return "control,steps"
}

// thisProcess says what this process is. It reads all of its program.
func thisProcess(roles string) (evidence.Process, error) {
	p, err := activities.ThisProcess(roles)
	if err != nil {
		return evidence.Process{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return p, nil
}

// newSteps returns the guard with the executors of the catalogue.
func newSteps(trust *follower, s *Steps, path string, cat *catalogue.Catalogue, st *store.Store, process evidence.Process, log *zap.Logger) (*activities.Steps, error) {
	executors, err := executorsFor(cat, s)
	if err != nil {
		return nil, err
	}
	exe, err := activities.ExecutableProbe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	act, err := activities.NewSteps(activities.StepsConfig{
		Trust: trust.trust, Worker: s.Key, Workers: s.Keys, Name: s.Name, Catalogue: cat,
		Store: st, Executors: executors, Log: log, Process: process, Reach: reach, Wait: s.Wait,
		Probes: []activities.Probe{trust.probe(), activities.ClockProbe(clockStep), activities.CatalogueProbe(path), exe},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return act, nil
}

// executorsFor finds the executor of each action in the catalogue. One that is
// an activity has none: it is registered with the Temporal worker.
func executorsFor(cat *catalogue.Catalogue, s *Steps) (map[string]executor.Executor, error) {
	executors := map[string]executor.Executor{}
	var errs []error
	for _, name := range cat.Names() {
		a, _ := cat.Action(name)
		if a.Activity != "" {
			continue
		}
		if a.HTTP == nil {
			executors[name] = s.Funcs[a.Func]
			errs = append(errs, missing(s.Funcs[a.Func] == nil, fmt.Sprintf("the function %q, which the action %s names,", a.Func, name)))
			continue
		}
		e, err := executor.NewHTTP(a.HTTP, s.Secrets, executor.HTTPOptions{Effect: a.Effect})
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: action %s: %w", ErrConfig, name, err))
			continue
		}
		executors[name] = e
	}
	return executors, errors.Join(errs...)
}

func register(w sdk.ActivityRegistry, name string, fn any) {
	w.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
}
