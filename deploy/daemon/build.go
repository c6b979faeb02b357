package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

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

// Build builds interlockd, with build tags if there are any, into the folder
// bin under root and dir, and returns its path.
func Build(ctx context.Context, root, dir, tags string) (string, error) {
	bin := filepath.Join(root, "bin", dir) + string(filepath.Separator)
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", tags, "-o", bin, "./worker/cmd/interlockd")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, said)
	}
	return bin + "interlockd", nil
}
