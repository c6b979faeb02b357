package keyfile

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/interlock-run/interlock/evidence"
)

// Suffix is that of the key files in a folder.
const Suffix = ".pem"

// LoadFolder loads every file in the folder at path whose name ends in
// [Suffix], as [Load] does, in the order of their names. One that cannot be
// loaded spoils all. There may be none.
func LoadFolder(path string) ([]*evidence.Signer, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the folder of keys: %w", err)
	}
	var keys []*evidence.Signer
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), Suffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		key, err := Load(filepath.Join(path, e.Name()))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// FromEnv reads the key in an environment variable, as PEM or as PKCS #8 in
// standard base64, and takes the variable away, so that what this process
// starts does not inherit it. The system may go on showing it to processes of
// the same user: a file, or a token, keeps a key better. The signer has no
// Origin.
func FromEnv(name string) (*evidence.Signer, error) {
	text, ok := os.LookupEnv(name)
	if !ok || text == "" {
		return nil, fmt.Errorf("%w: the environment variable %s is not set", ErrKey, name)
	}
	key, err := parseText(text)
	if err := errors.Join(err, os.Unsetenv(name)); err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", name, err)
	}
	return evidence.NewSigner(key)
}

func parseText(text string) (ed25519.PrivateKey, error) {
	if strings.Contains(text, "-----BEGIN") {
		return parse([]byte(strings.TrimSpace(text) + "\n"))
	}
	der, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%w: neither PEM nor base64", ErrKey) // the error would quote the key
	}
	return parseDER(der)
}
