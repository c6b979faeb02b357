package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// vacant refuses early what [writeFile] would refuse in the end.
func vacant(path string, force bool) error {
	if path == "-" || force {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return taken(path)
	}
	return nil
}

func taken(path string) error {
	return fmt.Errorf("couldn't write %s: %w", path, fs.ErrExist)
}

// writeFile writes a whole file or none: to a file beside it first, which
// then takes its place. Without force it never replaces a file, not even one
// that appears meanwhile. What it writes only the owner can read, because
// arguments and results stand in it.
func writeFile(path string, data []byte, force bool) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".interlock-*")
	if err != nil {
		return fmt.Errorf("couldn't write %s: %w", path, err)
	}
	defer func() {
		if gone := os.Remove(temp.Name()); err == nil && gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = fmt.Errorf("couldn't remove %s: %w", temp.Name(), gone)
		}
	}()
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("couldn't write %s: %w", path, err)
	}
	place := os.Link // fails where a file is; Rename does not
	if force {
		place = os.Rename
	}
	err = place(temp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	if err != nil {
		return fmt.Errorf("couldn't write %s: %w", path, err)
	}
	return nil
}

func sortFiles(files []file) {
	slices.SortFunc(files, func(x, y file) int { return strings.Compare(x.name, y.name) })
}
