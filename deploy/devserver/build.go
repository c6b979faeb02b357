package devserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// cliPackage is the main package of the CLI; deploy/temporal/go.mod has its
// version.
const cliPackage = "github.com/temporalio/cli/cmd/temporal"

// A builder builds the temporal CLI into bin/ of the source at root.
type builder struct {
	root     string
	progress io.Writer
	every    time.Duration // between two lines of progress
}

// ensure returns the path of bin/temporal, which it builds if it is missing or
// does not run. One process builds at a time; the others wait and use the
// result.
func (b builder) ensure(ctx context.Context) (string, error) {
	bin := filepath.Join(b.root, "bin")
	path := filepath.Join(bin, "temporal"+executableSuffix())
	if genuine(ctx, path) == nil {
		return path, nil
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("couldn't make the folder for programs: %w", err)
	}
	unlock, err := b.lock(ctx, filepath.Join(bin, ".temporal.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if genuine(ctx, path) == nil {
		return path, nil // built by another process while we waited
	}
	return path, b.build(ctx, path)
}

func executableSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// lock waits until this process has the lock that is the file at path. The file
// is never removed: a process could still wait for it.
func (b builder) lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("couldn't open lock file: %w", err)
	}
	stop := b.report(func(elapsed time.Duration) string {
		return fmt.Sprintf("waiting for another process that builds the temporal CLI: %v", elapsed)
	})
	defer stop()
	for {
		locked, err := lockFile(f)
		if locked {
			return f.Close, nil
		}
		if err == nil {
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		return nil, errors.Join(fmt.Errorf("couldn't lock %s: %w", path, err), f.Close())
	}
}

// build builds the CLI beside path and moves it there when it is whole.
func (b builder) build(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".temporal-build-")
	if err != nil {
		return fmt.Errorf("couldn't make a folder to build in: %w", err)
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, filepath.Base(path))

	fmt.Fprintln(b.progress, "building the temporal CLI from its source, once; this takes minutes")
	began := time.Now()
	if err := b.compile(ctx, built); err != nil {
		return err
	}
	if err := genuine(ctx, built); err != nil {
		return err
	}
	if err := os.Rename(built, path); err != nil {
		return fmt.Errorf("couldn't put the program in place: %w", err)
	}
	fmt.Fprintf(b.progress, "built the temporal CLI in %v\n", time.Since(began).Round(time.Second))
	return nil
}

// compile runs the Go tool, with progress.
func (b builder) compile(ctx context.Context, out string) error {
	var said output
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, cliPackage)
	cmd.Dir = filepath.Join(b.root, "deploy", "temporal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &said, &said
	// Interrupted, the Go tool ends its compilers and removes its files.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second

	stop := b.report(func(elapsed time.Duration) string {
		return strings.TrimSpace(fmt.Sprintf("still building the temporal CLI: %v  %s", elapsed, said.lastLine()))
	})
	defer stop()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build in %s: %w; %s", cmd.Dir, err, quoteTail(said.bytes()))
	}
	return nil
}

// report writes line to progress from time to time, until stop is called.
func (b builder) report(line func(elapsed time.Duration) string) (stop func()) {
	began, done := time.Now(), make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		ticker := time.NewTicker(b.every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(b.progress, line(time.Since(began).Round(time.Second)))
			case <-done:
				return
			}
		}
	})
	return func() { close(done); reporter.Wait() }
}

// An output collects what a command prints while it runs. It is safe for
// concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf.Bytes())
}

func (o *output) lastLine() string {
	all := bytes.TrimSpace(o.bytes())
	return string(all[bytes.LastIndexByte(all, '\n')+1:])
}
