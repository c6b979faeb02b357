package devserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// rootVariable names the folder of this module's source, for programs that do
// not run inside it.
const rootVariable = "INTERLOCK_ROOT"

// howToInstall ends every error that leaves no temporal CLI.
const howToInstall = "install the Temporal CLI (https://docs.temporal.io/cli) and put it on PATH, " +
	"or run this inside a checkout of interlock, or set " + rootVariable + " to one, to have it built"

// Find returns the path of a genuine temporal CLI, which is, in this order:
//
//  1. the one on PATH;
//  2. bin/temporal in this module's source, as built by an earlier call;
//  3. one that it builds there now, which takes minutes.
//
// The source is the folder that INTERLOCK_ROOT names or, if that is not set,
// the one that the working directory is in. A program called temporal that is
// not the Temporal CLI is passed over. What Find is doing is written to
// progress, one line at a time, while it takes long.
//
// Processes that call Find at the same time build once.
func Find(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := exec.LookPath("temporal"); err == nil {
		if err := genuine(ctx, path); err == nil {
			return path, nil
		} else if ctx.Err() != nil {
			return "", context.Cause(ctx)
		} else {
			fmt.Fprintf(progress, "passing over %s: %v\n", path, err)
		}
	}
	root, err := moduleRoot()
	if err != nil {
		return "", fmt.Errorf("there is no temporal CLI on PATH, and its source was not found: %w; %s", err, howToInstall)
	}
	b := builder{root: root, progress: progress, every: 5 * time.Second}
	path, err := b.ensure(ctx)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("couldn't build the temporal CLI: %w; %s", err, howToInstall)
	}
	return path, nil
}

// genuineVersion is what the CLI prints of itself, whatever its version.
var genuineVersion = regexp.MustCompile(`^temporal version \S+ \(Server \S+, UI \S+\)`)

// genuine checks that the program at path is the Temporal CLI and runs here.
func genuine(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second // a child of it may hold the pipe open
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --version failed: %w; %s", path, err, quoteTail(output))
	}
	if !genuineVersion.Match(output) {
		line, _, _ := bytes.Cut(output, []byte("\n"))
		return fmt.Errorf("%s is not the Temporal CLI: it says %q", path, line)
	}
	return nil
}

// ourModule matches the go.mod of this module and of no other.
var ourModule = regexp.MustCompile(`(?m)^module\s+github\.com/interlock-run/interlock\s*$`)

// moduleRoot returns the folder of this module's source.
func moduleRoot() (string, error) {
	if root := os.Getenv(rootVariable); root != "" {
		if !isRoot(root) {
			return "", fmt.Errorf("%s is %s, which is not a checkout of interlock", rootVariable, root)
		}
		return filepath.Abs(root)
	}
	working, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("couldn't tell the working directory: %w", err)
	}
	for dir := working; ; {
		if isRoot(dir) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("%s is not inside a checkout of interlock", working)
		}
		dir = parent
	}
}

func isRoot(dir string) bool {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && ourModule.Match(mod)
}
