// Command demo shows four governed executions of a support agent at an order
// desk, for real: the genuine Temporal server, the interlockd daemon as
// control plane and as step worker, each in a process of its own, and a small
// shop that writes down what was done to it.
//
//	go run ./deploy/demo
//
// What must come of each execution stands in story.go. The demo compares it
// with three witnesses (the verdict that the agent got, the proof, and the
// desk's own books), verifies every proof from files alone, and replays every
// history. It exits with 0 only if all of that is as expected.
//
// Everything it makes is in out/demo, which each run makes anew.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/interlock-run/interlock/deploy/daemon"
)

func main() {
	var o options
	flag.BoolVar(&o.kill, "kill", false, "kill interlockd in the middle of the third execution, and start it again")
	flag.BoolVar(&o.keep, "keep", false, "stay up at the end, until Ctrl-C, to look at the Temporal UI")
	flag.IntVar(&o.uiPort, "ui-port", 0, "port of the Temporal UI (default: any free port)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "demo: it takes no arguments, see -help")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := daemon.ModuleRoot(ctx)
	if err == nil {
		o.root, o.dir = root, filepath.Join(root, "out", "demo")
		_, err = run(ctx, o, newScreen(os.Stdout))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}
