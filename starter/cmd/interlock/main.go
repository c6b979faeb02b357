// Command interlock is how people ask for governed executions, watch them,
// and check the proof of what happened.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns its exit code.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: env, in: stdin, out: stdout, err: stderr, format: formatText}
	cmd := a.root()
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(ctx); err != nil {
		a.complain(err)
		return codeOf(err)
	}
	return 0
}
