// Package keyfile keeps Ed25519 private keys in files: PKCS #8 (RFC 8410) in
// PEM, as `openssl genpkey -algorithm ed25519` writes them, readable by their
// owner only.
package keyfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/interlock-run/interlock/evidence"
)

const (
	blockType = "PRIVATE KEY"
	maxSize   = 64 << 10
)

// The errors of this package.
var (
	// ErrExposed means that others than the owner may read a key file.
	ErrExposed = errors.New("key file is readable by others")
	// ErrReplaceable means that others than the owner may write to the folder
	// of a key file, and put another key in its place; or to what says where a
	// key is.
	ErrReplaceable = errors.New("key file can be replaced by others")
	// ErrKey means that a file does not hold one Ed25519 private key.
	ErrKey = errors.New("not an Ed25519 private key")
)

// A fileKey knows the file that it is in.
type fileKey struct {
	ed25519.PrivateKey
	path string
}

// Origin returns the absolute path of the file. See [evidence.Signer.Origin].
func (k fileKey) Origin() string { return k.path }

// Load reads the key in the file at path. It refuses a file that is not a
// regular one, that group or others have any right to ([ErrExposed]), or that
// is in a folder to which group or others may write ([ErrReplaceable]). If the
// path is a link, that goes for the folder of the link and of the file.
//
// The signer's Origin is the absolute path.
func Load(path string) (*evidence.Signer, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't find the key: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't open the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("couldn't look at the key: %w", err)
	}
	if err := errors.Join(checkFile(path, info), checkFolders(path)); err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return nil, fmt.Errorf("couldn't read the key: %w", err)
	}
	key, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return evidence.NewSigner(fileKey{key, path})
}

// CheckReplaceable returns [ErrReplaceable] if group or others may write to the
// file at path, or to its folder, as [Load] does for keys: for files that say
// where a key is, and for programs that are given one. A file that is not
// regular is [ErrKey].
func CheckReplaceable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("couldn't look at %s: %w", path, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a regular file", ErrKey, path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: %s has mode %04o; run chmod go-w on it, and look whether it is still yours", ErrReplaceable, path, info.Mode().Perm())
	}
	return checkFolders(path)
}

// checkFolders looks at the folder that path is in, and at the one that the
// file is in, if path is a link.
func checkFolders(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("couldn't find the key: %w", err)
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return checkFolder(filepath.Dir(real))
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("couldn't look at the folder of the key: %w", err)
	}
	// In a sticky folder, as /tmp and mounted secrets are, others can add
	// files, but not replace this one.
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: the folder %s has mode %04o; run chmod go-w on it, and look whether the key is still yours", ErrReplaceable, dir, mode.Perm())
	}
	return nil
}

func checkFile(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a regular file", ErrKey, path)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: %s has mode %04o; run chmod 600 on it, and consider the key known", ErrExposed, path, info.Mode().Perm())
	case info.Size() == 0 || info.Size() > maxSize:
		return fmt.Errorf("%w: %s has %d bytes", ErrKey, path, info.Size())
	}
	return nil
}

func parse(data []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != blockType || len(rest) > 0 {
		return nil, fmt.Errorf("%w: want one PEM block of type %q", ErrKey, blockType)
	}
	return parseDER(block.Bytes)
}

func parseDER(der []byte) (ed25519.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: it is a %T", ErrKey, parsed)
	}
	return key, nil
}

// Create makes a new key and writes it to path with mode 0600. It never
// overwrites a file: it fails with [fs.ErrExist]. The signer's Origin is the
// absolute path.
func Create(path string) (*evidence.Signer, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't find the folder of the key: %w", err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("couldn't make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("couldn't encode the key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("couldn't create the key file: %w", err)
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: blockType, Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return nil, fmt.Errorf("couldn't write the key file: %w", err)
	}
	return evidence.NewSigner(fileKey{key, path})
}
