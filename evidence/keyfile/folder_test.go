package keyfile_test

import (
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/keyfile"
)

func TestLoadFolder(t *testing.T) {
	dir := t.TempDir()
	_, err := keyfile.LoadFolder(filepath.Join(dir, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	none, err := keyfile.LoadFolder(dir)
	require.NoError(t, err)
	require.Empty(t, none)

	b, err := keyfile.Create(filepath.Join(dir, "b.pem"))
	require.NoError(t, err)
	a, err := keyfile.Create(filepath.Join(dir, "a.pem"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), []byte("not a key"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".c.pem"), []byte("half a key"), 0o600))
	keys, err := keyfile.LoadFolder(dir)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.Equal(t, a.KeyID(), keys[0].KeyID())
	require.Equal(t, b.KeyID(), keys[1].KeyID())
	require.Equal(t, filepath.Join(dir, "b.pem"), keys[1].Origin())

	require.NoError(t, os.Chmod(filepath.Join(dir, "b.pem"), 0o644))
	_, err = keyfile.LoadFolder(dir)
	require.ErrorIs(t, err, keyfile.ErrExposed, "one that others can read spoils all")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.pem"), []byte("x"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(dir, "b.pem"), 0o600))
	_, err = keyfile.LoadFolder(dir)
	require.ErrorIs(t, err, keyfile.ErrKey)
}

func TestFromEnv(t *testing.T) {
	const name = "INTERLOCK_TEST_KEY"
	path := filepath.Join(t.TempDir(), "key.pem")
	made, err := keyfile.Create(path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	for _, form := range []string{string(text), base64.StdEncoding.EncodeToString(block.Bytes), "\n" + base64.StdEncoding.EncodeToString(block.Bytes) + "\n"} {
		t.Setenv(name, form)
		key, err := keyfile.FromEnv(name)
		require.NoError(t, err)
		require.Equal(t, made.KeyID(), key.KeyID())
		require.Empty(t, key.Origin())
		_, there := os.LookupEnv(name)
		require.False(t, there, "the variable is still there")
	}
	_, err = keyfile.FromEnv(name)
	require.ErrorIs(t, err, keyfile.ErrKey, "it can be read once")
	for _, bad := range []string{"", "se-cret", "AAAA", string(text) + string(text), "-----BEGIN PRIVATE KEY-----"} {
		t.Setenv(name, bad)
		_, err := keyfile.FromEnv(name)
		require.ErrorIs(t, err, keyfile.ErrKey, "%q", bad)
		if bad != "" {
			require.NotContains(t, err.Error(), bad, "the error shows the key")
		}
	}
}
