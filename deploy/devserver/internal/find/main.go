// Command find prints the path of the temporal CLI, which it builds if there is
// none. What takes long is shown on standard error.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/interlock-run/interlock/deploy/devserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path, err := devserver.Find(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}
