package store

import (
	"fmt"
	"os"
)

// identity is the file that a store was opened on.
type identity struct {
	path string
	info os.FileInfo
}

func identityOf(path string) (identity, error) {
	info, err := os.Stat(path)
	return identity{path, info}, err
}

// check reports whether path still leads to the same file.
func (i identity) check() error {
	info, err := os.Stat(i.path)
	if err != nil {
		return err
	}
	if !os.SameFile(i.info, info) {
		return fmt.Errorf("%s was replaced by another file", i.path)
	}
	return nil
}
