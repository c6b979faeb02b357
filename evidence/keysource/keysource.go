// Package keysource loads the keys that a configuration names: from a file, a
// folder, the environment, or a PKCS #11 token.
package keysource

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/evidence/pkcs11"
)

const (
	env = "env:"
	// suffix is that of files in a folder with the URI of a key in a token.
	suffix = ".uri"
	maxURI = 4 << 10
)

// ErrSource means that what a configuration names is no source of keys.
var ErrSource = errors.New("not a source of keys")

// IsPath reports whether source is a path, of a file or a folder, and not
// something else that keys come from.
func IsPath(source string) bool {
	return source != "" && !strings.HasPrefix(source, env) && !strings.HasPrefix(source, pkcs11.Scheme)
}

// Load returns the keys that source names; at least one, or an error:
//
//   - env:NAME is the key in an environment variable, see [keyfile.FromEnv];
//   - pkcs11:… is the key in a token, see [pkcs11.ParseURI];
//   - the path of a file is the key in it, see [keyfile.Load];
//   - the path of a folder is all keys in it: those in files *.pem, and those
//     that files *.uri name, each with one pkcs11: URI.
func Load(source string) ([]*evidence.Signer, error) {
	if name, ok := strings.CutPrefix(source, env); ok {
		return one(keyfile.FromEnv(name))
	}
	if !IsPath(source) {
		if source == "" {
			return nil, fmt.Errorf("%w: there is none", ErrSource)
		}
		return one(pkcs11.Open(source))
	}
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("couldn't find the key: %w", err)
	}
	if info.IsDir() {
		return folder(source)
	}
	return one(keyfile.Load(source))
}

// Ring returns a ring with the keys that source names. It is loaded anew if
// source is a folder: to it, keys can be added. A file that is replaced would
// take the present key away before the next one is valid.
func Ring(source string) (*evidence.Ring, error) {
	if info, err := os.Stat(source); IsPath(source) && err == nil && info.IsDir() {
		return evidence.LoadRing(func() ([]*evidence.Signer, error) { return Load(source) })
	}
	keys, err := Load(source)
	if err != nil {
		return nil, err
	}
	return evidence.NewRing(keys...)
}

func one(key *evidence.Signer, err error) ([]*evidence.Signer, error) {
	if err != nil {
		return nil, err
	}
	return []*evidence.Signer{key}, nil
}

func folder(path string) ([]*evidence.Signer, error) {
	keys, err := keyfile.LoadFolder(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the folder of keys: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		key, err := named(filepath.Join(path, e.Name()))
		//lint:ignore SA4023 a build without cgo opens no token, and always returns an error
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(path, e.Name()), err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: the folder %s has neither %s nor %s files", ErrSource, path, keyfile.Suffix, suffix)
	}
	return keys, nil
}

// named opens the key that a file names. Whoever can write to the file chooses
// the library that is loaded, and runs in this process.
func named(file string) (*evidence.Signer, error) {
	if err := keyfile.CheckReplaceable(file); err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxURI {
		return nil, fmt.Errorf("%w: %d bytes", ErrSource, info.Size())
	}
	uri, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return pkcs11.Open(strings.TrimSpace(string(uri)))
}
