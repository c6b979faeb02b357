package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing means that this machine has no PostgreSQL that could be run.
var ErrMissing = errors.New("PostgreSQL is not installed (no initdb beside postgres; on Debian: apt-get install postgresql)")

// bin returns the folder with the server's programs, which distributions do not
// put on PATH.
func bin() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is good
	for i, j := 0, len(dirs)-1; i < j; i, j = i+1, j-1 {
		dirs[i], dirs[j] = dirs[j], dirs[i] // the newest first
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, dir := range dirs {
		if has(dir, "initdb") && has(dir, "postgres") {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func has(dir, program string) bool {
	info, err := os.Stat(filepath.Join(dir, program))
	return err == nil && info.Mode().IsRegular()
}
