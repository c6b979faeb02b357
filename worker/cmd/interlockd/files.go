package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/config"
)

// checkFiles refuses files that decide what may happen and that everybody on
// this machine can change. A group may: it is how operators share a folder.
func checkFiles(f *config.File) error {
	var errs []error
	for _, path := range []string{f.Source(), f.Path(f.Trust), f.Path(f.Policy), f.Path(f.Catalogue)} {
		info, err := os.Stat(path)
		if err != nil {
			continue // whoever needs the file says so
		}
		if mode := info.Mode().Perm(); mode&0o002 != 0 {
			errs = append(errs, fmt.Errorf("%w: %s has mode %04o, so that everybody can change it; look at what it says, then run chmod o-w on it", worker.ErrConfig, path, mode))
		}
	}
	return errors.Join(errs...)
}
