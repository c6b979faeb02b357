// Command crash kills Interlock at every point between "asked" and "sealed",
// and holds what the outside world has written down against the evidence.
//
//	go run ./deploy/trial/crash
//	go run ./deploy/trial/crash -point slot.taken -victim steps -v
//
// For each point of package crash, and each victim (the control plane, the
// step worker, both), a governed execution runs on the genuine Temporal server:
// it reads an order, pays some money back, and has a letter posted by somebody
// who knows no idempotency keys. At the point the victims get SIGKILL; then they
// are started again, on the same folders. The execution must end with a seal,
// and nothing may have happened without a decision, twice, or unsaid.
//
// The fourth victim, frozen, takes longer and must be asked for. It is the
// process that passes the point: it stops there, another one does its work, and
// when the execution is sealed and its last lease over, it goes on as if nothing
// had been. It must not reach the desk any more.
//
// With -store postgres the evidence store is a PostgreSQL database, with a user for
// each role, and there are two control planes and two step workers. Of a pair the
// one that passes the point is the victim, and the other goes on. A fifth victim is
// the database itself: every process of it is killed, and it is started again at
// once.
//
// It exits with 0 only if all of that holds and every point was hit.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

func main() {
	var o options
	flag.StringVar(&o.point, "point", "", "only the points that start with this")
	flag.StringVar(&o.victim, "victim", "", "only this victim: control, steps, both, frozen or, with -store postgres, postgres")
	flag.StringVar(&o.store, "store", sqlite, "where evidence is kept: sqlite or postgres")
	flag.IntVar(&o.parallel, "parallel", 4, "how many executions at a time")
	flag.DurationVar(&o.pause, "pause", 0, "how long the victims stay dead")
	flag.BoolVar(&o.verbose, "v", false, "say what each point means, and what the desk and the proof say")
	flag.BoolVar(&o.keep, "keep", false, "keep the folders of all runs, not only of those that failed")
	rig.Main("crash", func() bool {
		return o.parallel >= 1 && (o.store == sqlite || o.store == postgres)
	}, func(ctx context.Context, dir string) error {
		o.dir = dir
		_, err := run(ctx, o, os.Stdout)
		return err
	})
}
