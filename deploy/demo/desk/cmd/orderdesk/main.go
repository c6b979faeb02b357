// Command orderdesk runs the demo's order desk: see the package
// github.com/interlock-run/interlock/deploy/demo/desk for its endpoints.
//
//	orderdesk -db desk.db -token-file token [-listen host:port] [-pack-time 5s]
//
// Its first line of output is "listening on http://host:port". It stops on
// SIGINT and SIGTERM, after the requests at work. It exits with 0 after that, 1
// if it could not run, and 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errUsage):
		os.Exit(2) // flag has said why
	}
	fmt.Fprintln(os.Stderr, "orderdesk:", err)
	os.Exit(1)
}
