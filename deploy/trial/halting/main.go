// Command halting measures how fast an order stops what runs.
//
//	go run ./deploy/trial/halting
//
// While a step waits for an answer of the order desk, somebody revokes its
// execution, by the library or by the command line; or everything is killed
// while many steps wait. The time is measured from the call, or from the start
// of the command, to the end of the step's context, which the desk sees as a
// caller who hangs up. In one kind of run the workflow is not told, as by
// somebody who owns Temporal and keeps the Signal away: the step must end all
// the same.
//
// Every execution must end halted or unresolved, with a proof that verifies,
// names the order, and agrees with what the desk has written down. It exits
// with 0 only if that holds; how long it took is reported, and is no reason to
// fail.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 20, "how many executions are revoked one by one, in each way")
	flag.IntVar(&o.all, "all", 200, "how many executions are killed at once")
	flag.BoolVar(&o.postgres, "postgres", false, "keep the evidence in PostgreSQL, with two control planes and two step workers")
	flag.BoolVar(&o.verbose, "v", false, "say how each run went")
	rig.Main("halting", func() bool { return o.runs >= 1 && o.all >= 1 }, func(ctx context.Context, dir string) error {
		o.dir = dir
		return run(ctx, o, os.Stdout)
	})
}
