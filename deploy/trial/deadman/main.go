// Command deadman measures the dead-man's switch: how long a step still runs
// after what keeps it under control is gone.
//
//	go run ./deploy/trial/deadman
//
// While a step waits for an answer of the order desk, one of three things
// happens: the control plane is frozen, the step worker is cut off from
// Temporal, or the evidence store takes no more writes. The step's context must
// end by itself, which the desk sees as a caller who hangs up. The time from
// the fault to that moment is measured, and held against the bound that the
// configuration promises: the length of the lease, and an allowance for
// scheduling.
//
// Then the fault is healed, and the execution must end with a seal that agrees
// with what the desk has written down. It exits with 0 only if all of that
// holds.
package main

import (
	"context"
	"flag"
	"os"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

func main() {
	o := options{allowance: 250 * time.Millisecond}
	flag.StringVar(&o.fault, "fault", "", "only the faults that start with this: frozen, cut or store")
	flag.IntVar(&o.runs, "runs", 20, "how many runs of each fault")
	flag.DurationVar(&o.lease, "lease", 2*time.Second, "how long authority lasts without a new signal")
	flag.IntVar(&o.parallel, "parallel", 2, "how many runs at a time")
	flag.BoolVar(&o.verbose, "v", false, "say how each run went")
	rig.Main("deadman", func() bool { return o.parallel >= 1 && o.runs >= 1 }, func(ctx context.Context, dir string) error {
		o.dir = dir
		_, err := run(ctx, o, os.Stdout)
		return err
	})
}
