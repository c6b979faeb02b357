package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// grace is what a step gets beyond its own timeout: to wait for a lease while
// a control plane starts again, and to write its outcome down. To wait for the
// evidence store it gets [contract.Ticket.OutageMS] besides.
const grace = 60 * time.Second

// checking returns the context for an activity of the control plane. These are
// local activities: they run in the process of the workflow worker, and they
// block its workflow task, so they are short and never call out.
func checking(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    20 * time.Second, // twice what an activity waits for the store, and some
		ScheduleToCloseTimeout: 2 * time.Minute,
		Summary:                summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2,
			MaximumInterval: time.Second, MaximumAttempts: activities.MaxAttempts,
		},
	})
}

// acting returns the context for a step. Only with WaitForCancellation does
// the workflow hear how a cancelled step really ended.
func acting(ctx workflow.Context, t *contract.Ticket, p contract.PlannedStep) workflow.Context {
	timeout := time.Duration(p.TimeoutMS) * time.Millisecond
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              t.Queue,
		ScheduleToCloseTimeout: max(t.Expires.Sub(evidence.TimeOf(workflow.Now(ctx))), time.Second),
		StartToCloseTimeout:    timeout + grace + outageOf(t),
		HeartbeatTimeout:       time.Duration(p.HeartbeatMS) * time.Millisecond,
		WaitForCancellation:    true,
		Summary:                p.ID + ": " + p.Action,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Duration(p.BackoffMS) * time.Millisecond, BackoffCoefficient: 2,
			MaximumInterval: time.Minute, MaximumAttempts: p.Attempts + contract.ExtraAttempts,
		},
	})
}

// activityOf returns the type of the activity that carries out a step. One of a
// team's own gets its decision by way of [Interceptor].
func activityOf(p contract.PlannedStep) string {
	if p.Activity != "" {
		return p.Activity
	}
	return contract.RunStep
}

// watching returns the context for Watch. Its heartbeat timeout is the
// dead-man's switch: a control plane that died is noticed while half a lease is
// left, so that another one can renew it before steps that run must stop.
func watching(ctx workflow.Context, t *contract.Ticket) workflow.Context {
	lease := time.Duration(t.Terms.LeaseMS) * time.Millisecond
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Duration(t.Terms.WindowMS)*time.Millisecond + lease + outageOf(t) + grace,
		HeartbeatTimeout:    max(lease/2, time.Second),
		Summary:             "watch, and renew the lease",
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: time.Second,
		},
	})
}

// outageOf returns how long an execution waits for the evidence store.
func outageOf(t *contract.Ticket) time.Duration { return time.Duration(t.OutageMS) * time.Millisecond }

func decideSummary(ids []string) string {
	if len(ids) == 0 {
		return "record the signal"
	}
	return "decide " + strings.Join(ids, ", ")
}
