package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/workflows/contract"
)

// The waits between two tries to reach an evidence store that does not answer
// grow from firstWait to longestWait; or, with a long patience, to so much of it
// that a history does not fill with tries.
const (
	firstWait   = 250 * time.Millisecond
	longestWait = 2 * time.Second
	shareOfWait = 16
)

// An outage is how the evidence store looks from the workflow. The zero outage
// is none.
type outage struct {
	since time.Time // the first time that it did not answer
	tries int
}

// patienceOf returns for how long the workflow is to ask again, if err means
// that the evidence store did not answer and that it is to be patient at all.
func patienceOf(err error) time.Duration {
	var app *temporal.ApplicationError
	var o contract.Outage
	if !errors.As(err, &app) || app.Type() != contract.ErrTypeStore || !app.HasDetails() || app.Details(&o) != nil {
		return 0
	}
	return time.Duration(o.PatienceMS) * time.Millisecond
}

// after takes in an error of the control plane, nil included, and returns how
// long to wait before it is asked again; 0 means not to. The last try is at the
// very end of the patience.
func (o *outage) after(err error, now time.Time) time.Duration {
	patience := patienceOf(err)
	if patience <= 0 {
		*o = outage{}
		return 0
	}
	if o.tries == 0 {
		o.since = now
	}
	left := o.since.Add(patience).Sub(now)
	wait := min(firstWait<<min(o.tries, 16), max(longestWait, patience/shareOfWait))
	o.tries++
	return max(min(wait, left), 0)
}

// patiently calls ask until the store answers, or the patience is over.
func (x *execution) patiently(ctx workflow.Context, ask func() workflow.Future, out any) error {
	for {
		err := ask().Get(ctx, out)
		wait := x.heard(ctx, err)
		if wait == 0 {
			return err
		}
		if timerErr := x.pause(ctx, wait).Get(ctx, nil); timerErr != nil {
			return err
		}
	}
}

// heard is [outage.after], where people can see it.
func (x *execution) heard(ctx workflow.Context, err error) time.Duration {
	wait := x.outage.after(err, workflow.Now(ctx))
	was := x.waiting
	x.waiting = ""
	if wait > 0 {
		x.waiting = contract.WaitingStore
	}
	if x.waiting != was {
		x.details(ctx, x.line())
	}
	return wait
}

func (x *execution) line() string {
	if x.waiting == "" {
		return x.phase
	}
	return "waiting for " + x.waiting
}

// pause returns the timer between two tries.
func (x *execution) pause(ctx workflow.Context, wait time.Duration) workflow.Future {
	return workflow.NewTimerWithOptions(ctx, wait, workflow.TimerOptions{Summary: "wait for " + contract.WaitingStore})
}
