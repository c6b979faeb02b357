package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/interlock-run/interlock/deploy/devserver"
)

// A Rig is what trials share. It is safe for concurrent use.
type Rig struct {
	dir      string // holds a folder for each stage
	program  string // interlockd
	temporal *devserver.Server
	client   client.Client
}

// Open builds interlockd and starts a Temporal server. Stages are made in dir,
// which is removed and made anew. What it does is written to progress.
func Open(ctx context.Context, dir string, progress io.Writer) (*Rig, error) {
	r := &Rig{dir: dir}
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("couldn't clear the working folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("couldn't make the working folder: %w", err)
	}
	root, err := ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "building interlockd for trials")
	if r.program, err = build(ctx, root); err != nil {
		return nil, err
	}
	cli, err := devserver.Find(ctx, progress)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "starting Temporal")
	if r.temporal, err = devserver.Start(ctx, devserver.Options{Binary: cli, Dir: filepath.Join(dir, "temporal"), Headless: true}); err != nil {
		return nil, err
	}
	r.client, err = r.temporal.Client(ctx, client.Options{Identity: "trial", Logger: quiet()})
	if err != nil {
		return nil, errors.Join(err, r.temporal.Stop())
	}
	return r, nil
}

// Close ends the Temporal server. Every stage must be closed before.
func (r *Rig) Close() error {
	r.client.Close()
	return r.temporal.Stop()
}

func quiet() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// ModuleRoot returns the folder of the source that the program runs in.
func ModuleRoot(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("couldn't ask go for the module: %w", err)
	}
	mod := strings.TrimSpace(string(said))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("run this inside a checkout of interlock")
	}
	return filepath.Dir(mod), nil
}

// build builds interlockd with the points of package crash in it.
func build(ctx context.Context, root string) (string, error) {
	bin := filepath.Join(root, "bin", "trial") + string(filepath.Separator)
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "trial", "-o", bin, "./worker/cmd/interlockd")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, said)
	}
	return bin + "interlockd", nil
}
