package executor

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret bounds the size of a secret, in bytes, to what fits in a header.
const maxSecret = 16 << 10

// ErrSecret means that there is no usable secret of this name.
var ErrSecret = errors.New("no usable secret")

// Secrets are the credentials of a step worker.
//
// Secret returns the current value of the secret called name. It is called
// for every use, so that a rotated secret is picked up. It must be safe for
// concurrent use, and its error must not hold any part of the secret.
type Secrets interface {
	Secret(name string) (string, error)
}

// SecretFunc makes [Secrets] of a function.
type SecretFunc func(name string) (string, error)

// Secret calls f.
func (f SecretFunc) Secret(name string) (string, error) { return f(name) }

// SecretMap makes [Secrets] of a copy of m. It returns a function because
// that, unlike a map, cannot be printed or encoded by whoever logs a value
// that holds it.
func SecretMap(m map[string]string) SecretFunc {
	m = maps.Clone(m)
	return func(name string) (string, error) {
		if s, ok := m[name]; ok {
			return s, nil
		}
		return "", fmt.Errorf("%w: %q is not there", ErrSecret, name)
	}
}

// SecretDir is a directory that holds one file for each secret, named like
// it. One newline at the end of a file is not part of the secret.
//
// A file is refused if anybody but its owner has any permission on it. Links
// may not lead out of the directory. Files are read each time.
type SecretDir string

// Secret returns the content of the file called name, or [ErrSecret].
func (d SecretDir) Secret(name string) (string, error) {
	data, err := d.read(name)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrSecret, name, err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("%w: %q is longer than %d bytes", ErrSecret, name, maxSecret)
	}
	return strings.TrimSuffix(string(data), "\n"), nil
}

func (d SecretDir) read(name string) ([]byte, error) {
	if name == "" || name != filepath.Base(name) || name[0] == '.' {
		return nil, errors.New("not the name of a file with a secret")
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The open file is asked, not its name: the name may lead elsewhere by now.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("has mode %v: want a file that only its owner can use", info.Mode())
	}
	return io.ReadAll(io.LimitReader(f, maxSecret+1))
}
