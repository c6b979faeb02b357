package keyfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/keyfile"
)

func TestCreateAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	made, err := keyfile.Create(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	loaded, err := keyfile.Load(path)
	require.NoError(t, err)
	require.Equal(t, made.KeyID(), loaded.KeyID())
	require.Equal(t, path, made.Origin())
	require.Equal(t, path, loaded.Origin())

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = keyfile.Create(path)
	require.ErrorIs(t, err, fs.ErrExist, "a key is never overwritten")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestOpenSSL reads a key that `openssl genpkey -algorithm ed25519` made.
func TestOpenSSL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	const key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	require.NoError(t, os.WriteFile(path, []byte(key), 0o600))
	_, err := keyfile.Load(path)
	require.NoError(t, err)
}

func TestLoadRefuses(t *testing.T) {
	good, err := os.ReadFile(create(t))
	require.NoError(t, err)
	tests := []struct {
		name    string
		content string
		mode    fs.FileMode
		want    error
	}{
		{"readable by the group", string(good), 0o640, keyfile.ErrExposed},
		{"readable by everyone", string(good), 0o604, keyfile.ErrExposed},
		{"writable by the group", string(good), 0o620, keyfile.ErrExposed},
		{"empty", "", 0o600, keyfile.ErrKey},
		{"not PEM", "hello", 0o600, keyfile.ErrKey},
		{"two keys", string(good) + string(good), 0o600, keyfile.ErrKey},
		{"a public key", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n", 0o600, keyfile.ErrKey},
		{"cut off", string(good)[:60], 0o600, keyfile.ErrKey},
		{"nonsense inside", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, keyfile.ErrKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.pem")
			require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))
			require.NoError(t, os.Chmod(path, tt.mode))
			_, err := keyfile.Load(path)
			require.ErrorIs(t, err, tt.want)
		})
	}
	_, err = keyfile.Load(t.TempDir())
	require.ErrorIs(t, err, keyfile.ErrKey, "a folder")
	_, err = keyfile.Load(filepath.Join(t.TempDir(), "gone"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestT23LoadLooksAtTheFolder: others must not be able to put another key in
// the place of this one.
func TestT23LoadLooksAtTheFolder(t *testing.T) {
	tests := []struct {
		name string
		mode fs.FileMode
		want error
	}{
		{"its owner's", 0o700, nil},
		{"that others can list", 0o755, nil},
		{"that others can add files to, and not replace any", 0o777 | fs.ModeSticky, nil},
		{"writable by the group", 0o720, keyfile.ErrReplaceable},
		{"writable by everyone", 0o702, keyfile.ErrReplaceable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := create(t)
			require.NoError(t, os.Chmod(filepath.Dir(path), tt.mode))
			link := filepath.Join(t.TempDir(), "link.pem")
			require.NoError(t, os.Symlink(path, link))
			for _, path := range []string{path, link} {
				signer, err := keyfile.Load(path)
				require.ErrorIs(t, err, tt.want)
				if err == nil {
					require.Equal(t, path, signer.Origin(), "where it was asked for")
				}
			}
		})
	}
	link := filepath.Join(t.TempDir(), "link.pem")
	require.NoError(t, os.Symlink(create(t), link))
	require.NoError(t, os.Chmod(filepath.Dir(link), 0o777))
	_, err := keyfile.Load(link)
	require.ErrorIs(t, err, keyfile.ErrReplaceable, "the folder of the link")
}

func create(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	_, err := keyfile.Create(path)
	require.NoError(t, err)
	return path
}
