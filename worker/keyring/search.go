package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/interlock-run/interlock/evidence"
)

const (
	maxFiles = 4096     // that one search looks at
	maxSize  = 64 << 10 // bytes; no key is as large
)

// remedy is what to do about anything that is found.
const remedy = "move it to where only the process that needs it can read it, or run this process as another user " +
	"(folders made apart: interlock init --apart DIR)"

// A search looks for what is not the process's own.
type search struct {
	trust  *evidence.Trust
	owners map[owner]bool
	seen   map[string]bool // every path is looked at once
	errs   []error
}

func (s *search) err() error { return errors.Join(s.errs...) }

func (s *search) found(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%w: %w", ErrForeign, fmt.Errorf(format, args...)))
}

// new reports whether path was not looked at yet.
func (s *search) new(path string) bool {
	old := s.seen[path]
	s.seen[path] = true
	return !old
}

// folder looks at the files in dir. Other things in there, folders included,
// are passed over.
func (s *search) folder(dir string) {
	// The folder above may have had it as a file to look at.
	if !s.new(dir + string(filepath.Separator)) {
		return
	}
	names, err := list(dir, maxFiles+1)
	if err != nil {
		s.found("%s could not be searched for keys of others: %w", dir, err)
		return
	}
	if len(s.seen)+len(names) > maxFiles {
		s.found("%s has too many files to be searched for keys of others (%d are looked at in all); give the keys and the configuration a folder of their own", dir, maxFiles)
		return
	}
	for _, name := range names {
		s.file(filepath.Join(dir, name))
	}
}

// credentials notes which of the folders can be listed.
func (s *search) credentials(dirs []string) {
	for _, dir := range dirs {
		names, err := list(dir, 1)
		if err != nil {
			s.found("%s could not be searched for credentials: %w", dir, err)
		}
		if names != nil {
			s.found("%s: this process can read the folder with the credentials of the outside world, and it is not a step worker; %s", dir, remedy)
		}
	}
}

// file looks for private keys in the file at path.
func (s *search) file(path string) {
	if !s.new(path) {
		return
	}
	data, err := read(path)
	if err != nil {
		s.found("%s could not be searched for keys of others: %w", path, err)
		return
	}
	for _, key := range keysIn(data) {
		if whose := s.foreign(key); whose != "" {
			s.found("%s: this process can read %s, which is not a key of its roles; %s", path, whose, remedy)
			return
		}
	}
}

// foreign says whose key it is, or "" for one of the process's own.
func (s *search) foreign(k key) string {
	for _, known := range s.trust.Keys() {
		if known.ID != k.id {
			continue
		}
		if s.owners[owner{known.Role, known.Name}] {
			return ""
		}
		return fmt.Sprintf("the private key of %q (role %s)", known.Name, known.Role)
	}
	for _, root := range s.trust.Roots().Keys {
		if root.ID == k.id {
			return fmt.Sprintf("the root key of %q, with which whoever takes this process over could make every key good", root.Name)
		}
	}
	return fmt.Sprintf("a private key that is not in the trust root (%s)", k)
}

// list returns the names of up to n entries of dir: none, and not nil, for an
// empty folder, nil for one that cannot be listed or is none.
func list(dir string, n int) ([]string, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return nil, unlessDenied(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, unlessDenied(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(n)
	if errors.Is(err, io.EOF) {
		return []string{}, nil
	}
	return names, unlessDenied(err)
}

// read returns the content of the file at path: nothing if it cannot be
// opened, is not a regular one, or is too large to be a key.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, unlessDenied(err)
	}
	// Were it a pipe by now, opening it would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unlessDenied(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if len(data) > maxSize {
		return nil, nil
	}
	return data, err
}

// unlessDenied drops the errors that mean that a process has no access. Any
// other, such as too many open files, says nothing about what it can read.
func unlessDenied(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
