package rig

import (
	"context"
	"fmt"

	"github.com/interlock-run/interlock/deploy/daemon"
)

// trialBuild is what an interlockd prints first that can be made to kill.
const trialBuild = "TRIAL BUILD"

// A Proc is one process of interlockd, built for trials.
type Proc struct{ *daemon.Process }

// ready waits until the process works.
func (p *Proc) ready(ctx context.Context) error {
	if err := p.Ready(ctx); err != nil {
		return err
	}
	if !p.Said(trialBuild) {
		return fmt.Errorf("interlockd (%s) was not built for trials", p.Role())
	}
	return nil
}

// Ended reports whether the process has ended.
func (p *Proc) Ended() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}
