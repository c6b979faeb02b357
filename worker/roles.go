package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
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
	process, err := activities.ThisProcess(c.roles())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	act, err := activities.NewControl(activities.ControlConfig{
		Trust: c.Trust, Authority: c.Control.Authority, Recorder: c.Control.Recorder,
		Policy: bundle, Catalogue: cat, Store: w.store, Probes: probes,
		Queue: c.Queues.Steps, Terms: c.Control.Terms, Log: c.Log,
		SearchAttributes: c.Control.SearchAttributes, Process: process, MaxEvents: c.Control.MaxEvents,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	sw := sdk.New(c.Client, c.Queues.Control, Options())
	sw.RegisterWorkflowWithOptions(workflows.GovernedExecution, workflow.RegisterOptions{Name: contract.Workflow})
	sw.RegisterWorkflowWithOptions(workflows.ResolveStep, workflow.RegisterOptions{Name: contract.ResolveWorkflow})
	register(sw, contract.Authorize, act.Authorize)
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
	executors, err := executorsFor(cat, c.Steps)
	if err != nil {
		return err
	}
	exe, err := activities.ExecutableProbe()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	process, err := activities.ThisProcess(c.roles())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	act, err := activities.NewSteps(activities.StepsConfig{
		Trust: c.Trust, Worker: c.Steps.Key, Name: c.Steps.Name, Catalogue: cat,
		Store: w.store, Executors: executors, Log: c.Log, Process: process, Reach: reach(c.Client),
		Probes: []activities.Probe{activities.ClockProbe(clockStep), activities.CatalogueProbe(c.Catalogue), exe},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	w.drain = act.Drain
	o := Options()
	o.DisableWorkflowWorker = true
	sw := sdk.New(c.Client, c.Queues.Steps, o)
	register(sw, contract.RunStep, act.RunStep)
	w.workers = append(w.workers, sw)
	return nil
}

// reach returns the function with which a guard makes sure that Temporal
// knows of the step it runs: a heartbeat whose answer it waits for, which the
// SDK's does not.
func reach(c client.Client) func(context.Context, activity.Info) error {
	return func(ctx context.Context, info activity.Info) error {
		_, err := c.WorkflowService().RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{
			Namespace: info.Namespace, TaskToken: info.TaskToken, Identity: "interlock-guard",
		})
		return err
	}
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

// executorsFor finds the executor of each action in the catalogue.
func executorsFor(cat *catalogue.Catalogue, s *Steps) (map[string]executor.Executor, error) {
	executors := map[string]executor.Executor{}
	var errs []error
	for _, name := range cat.Names() {
		a, _ := cat.Action(name)
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

func register(w sdk.Worker, name string, fn any) {
	w.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
}
