// Command interlockd is the daemon of Interlock: control plane, step worker,
// or both, and a development server with everything in one process.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/interlock-run/interlock/internal/crash"
)

// The exit codes of interlockd.
const (
	exitFailed = 1 // could not do it: I/O, server away
	exitUsage  = 2 // wrong usage or configuration
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if crash.Built {
		fmt.Fprintln(stdout, "interlockd: TRIAL BUILD: it can be made to kill processes; not for use")
	}
	cmd := rootCommand(stdout, stderr)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "interlockd: %v\n", err)
	return codeOf(err)
}
