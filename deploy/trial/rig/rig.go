package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/interlock-run/interlock/deploy/daemon"
	"github.com/interlock-run/interlock/deploy/devserver"
	"github.com/interlock-run/interlock/deploy/pgserver"
)

// A Rig is what trials share. It is safe for concurrent use.
type Rig struct {
	dir      string // holds a folder for each stage
	program  string // interlockd
	temporal *devserver.Server
	client   client.Client

	mu       sync.Mutex       // guards postgres, and is held while databases are made
	postgres *pgserver.Server // for stages that share one; nil before the first
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
	root, err := daemon.ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "building interlockd for trials")
	if r.program, err = daemon.Build(ctx, root, "trial", "trial"); err != nil {
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

// Close ends the servers. Every stage must be closed before.
func (r *Rig) Close() error {
	r.client.Close()
	err := r.temporal.Stop()
	if r.postgres != nil {
		err = errors.Join(err, r.postgres.Stop())
	}
	return err
}

func quiet() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
