package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keysource"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/config"
)

// workerConfig turns the file into what package worker needs, reading only the
// keys of the given roles.
func workerConfig(f *config.File, c client.Client, roles []string, log *zap.Logger) (worker.Config, error) {
	if err := checkFiles(f); err != nil {
		return worker.Config{}, err
	}
	trust, err := f.ReadTrust()
	if err != nil {
		return worker.Config{}, fmt.Errorf("%w: %w", worker.ErrConfig, err)
	}
	wc := worker.Config{
		Client: c, Trust: trust, TrustFile: f.Path(f.Trust), Log: log,
		Catalogue: f.Path(f.Catalogue), Store: f.StoreTarget(),
		Queues: worker.Queues{Control: f.Queues.Control, Steps: f.Queues.Steps},
		Near:   near(f), Health: f.Health,
	}
	for _, role := range roles {
		switch role {
		case "control":
			wc.Control, err = controlConfig(f)
		case "steps":
			wc.Steps, err = stepsConfig(f)
		default:
			err = fmt.Errorf("%w: role %q: want control, steps, or control,steps", errUsage, role)
		}
		if err != nil {
			return worker.Config{}, err
		}
	}
	return wc, nil
}

// near is where a process could come upon what is not its own: everything
// that the file names, whichever role needs it, and the folder it is in.
func near(f *config.File) worker.Near {
	n := worker.Near{Folders: []string{f.Dir()}}
	for _, path := range f.KeyPaths() {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			n.Folders = append(n.Folders, path)
			continue
		}
		n.Files = append(n.Files, path)
	}
	if f.Secrets != "" {
		n.Secrets = append(n.Secrets, f.Path(f.Secrets))
	}
	return n
}

func controlConfig(f *config.File) (*worker.Control, error) {
	authorities, err := loadKeys(f, "authority", f.Keys.Authority)
	if err != nil {
		return nil, err
	}
	recorders, err := loadKeys(f, "recorder", f.Keys.Recorder)
	if err != nil {
		return nil, err
	}
	return &worker.Control{
		Authorities: authorities, Recorders: recorders, Policy: f.Path(f.Policy),
		Terms: f.Terms(), SearchAttributes: f.SearchAttributes, MaxEvents: f.MaxEvents, MaxBytes: f.MaxBytes, Outage: time.Duration(*f.Outage),
	}, nil
}

func stepsConfig(f *config.File) (*worker.Steps, error) {
	keys, err := loadKeys(f, "worker", f.Keys.Worker)
	if err != nil {
		return nil, err
	}
	s := &worker.Steps{Keys: keys, Name: f.Worker, Funcs: builtins(), Wait: max(30*time.Second, time.Duration(*f.Outage))}
	if f.Secrets != "" {
		s.Secrets = executor.SecretDir(f.Path(f.Secrets))
	}
	return s, nil
}

func loadKeys(f *config.File, name, source string) (*evidence.Ring, error) {
	if source == "" {
		return nil, fmt.Errorf("%w: keys.%s is missing in %s (a process of one role is started with --roles control, or --roles steps)", worker.ErrConfig, name, f.Source())
	}
	keys, err := keysource.Ring(f.Key(source))
	if err != nil {
		return nil, fmt.Errorf("%w: keys.%s: %w", worker.ErrConfig, name, err)
	}
	return keys, nil
}

// builtins are the Go functions that every interlockd has, for trying things
// out. Real ones are registered through package worker, or are HTTP actions.
func builtins() map[string]executor.Executor {
	return map[string]executor.Executor{
		"echo": executor.Func(func(_ context.Context, c executor.Call) (json.RawMessage, error) {
			return c.Args, nil
		}),
		"wait": executor.Func(wait),
	}
}

// wait takes {"ms": N} and returns after so many milliseconds. It changes
// nothing, so that stopping it is harmless.
func wait(ctx context.Context, c executor.Call) (json.RawMessage, error) {
	var args struct {
		MS int64 `json:"ms"`
	}
	if err := json.Unmarshal(c.Args, &args); err != nil {
		return nil, &executor.Error{Cause: "wait.args", NoEffect: true, Permanent: true, Err: err}
	}
	select {
	case <-ctx.Done():
		return nil, &executor.Error{Cause: "wait.interrupted", NoEffect: true, Err: context.Cause(ctx)}
	case <-time.After(time.Duration(args.MS) * time.Millisecond):
		return json.RawMessage(fmt.Sprintf(`{"waited":%d}`, args.MS)), nil
	}
}

func portOf(address string) (int, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("%w: temporal.address %q: %w", config.ErrConfig, address, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0, fmt.Errorf("%w: temporal.address %q has no port number", config.ErrConfig, address)
	}
	return n, nil
}

// sdkLogger gives the Temporal SDK our logger. What it says of itself in the
// ordinary course of things is of no use to an operator.
type sdkLogger struct{ *zap.SugaredLogger }

func (l sdkLogger) Debug(msg string, kv ...any) { l.Debugw(msg, kv...) }
func (l sdkLogger) Info(msg string, kv ...any)  { l.Debugw(msg, kv...) }
func (l sdkLogger) Warn(msg string, kv ...any)  { l.Warnw(msg, kv...) }
func (l sdkLogger) Error(msg string, kv ...any) { l.Errorw(msg, kv...) }
