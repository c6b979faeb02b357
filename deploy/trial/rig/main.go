package rig

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

// Main is the main function of a trial, after its flags are defined: it parses
// them, and calls run with the folder that the trial may use, under out. It
// exits with 2 for wrong usage, with 1 if run returns an error.
func Main(name string, usable func() bool, run func(ctx context.Context, dir string) error) {
	flag.Parse()
	if flag.NArg() > 0 || !usable() {
		fmt.Fprintf(os.Stderr, "%s: it takes no arguments, see -help\n", name)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := daemon.ModuleRoot(ctx)
	if err == nil {
		err = run(ctx, filepath.Join(root, "out", name))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\n%s: %v\n", name, err)
		os.Exit(1)
	}
}
