package keysource_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/evidence/keysource"
	"github.com/interlock-run/interlock/evidence/pkcs11"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "2026.pem")
	made, err := keyfile.Create(path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	t.Setenv("INTERLOCK_TEST_KEY", string(text))
	for _, source := range []string{path, dir, "env:INTERLOCK_TEST_KEY"} {
		keys, err := keysource.Load(source)
		require.NoError(t, err, source)
		require.Len(t, keys, 1, source)
		require.Equal(t, made.KeyID(), keys[0].KeyID(), source)
	}
	require.True(t, keysource.IsPath(path))
	for _, not := range []string{"", "env:X", "pkcs11:token=t"} {
		require.False(t, keysource.IsPath(not), not)
	}
}

func TestLoadRefuses(t *testing.T) {
	empty, wrong, large := t.TempDir(), t.TempDir(), t.TempDir()
	loose, written := t.TempDir(), t.TempDir()
	for _, dir := range []string{loose, written} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a.uri"), []byte("pkcs11:token=t\n"), 0o600))
	}
	require.NoError(t, os.Chmod(loose, 0o777))
	require.NoError(t, os.Chmod(filepath.Join(written, "a.uri"), 0o622))
	require.NoError(t, os.WriteFile(filepath.Join(empty, ".hidden.uri"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(wrong, "a.uri"), []byte("pkcs11:token=t\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(large, "a.uri"), make([]byte, 5000), 0o600))
	for source, want := range map[string]error{
		"":                      keysource.ErrSource,
		"nowhere":               os.ErrNotExist,
		"env:INTERLOCK_NOT_SET": keyfile.ErrKey,
		"pkcs11:token=t":        pkcs11.ErrURI,
		empty:                   keysource.ErrSource,
		wrong:                   pkcs11.ErrURI,
		large:                   keysource.ErrSource,
		loose:                   keyfile.ErrReplaceable,
		written:                 keyfile.ErrReplaceable,
	} {
		_, err := keysource.Load(source)
		require.ErrorIs(t, err, want, source)
		_, err = keysource.Ring(source)
		require.ErrorIs(t, err, want, source)
	}
}

// TestRing adds a key to a folder, and spoils it.
func TestRing(t *testing.T) {
	dir := t.TempDir()
	_, err := keyfile.Create(filepath.Join(dir, "2026.pem"))
	require.NoError(t, err)
	ring, err := keysource.Ring(dir)
	require.NoError(t, err)
	_, err = keyfile.Create(filepath.Join(dir, "2027.pem"))
	require.NoError(t, err)
	require.NoError(t, ring.Reload())
	require.Len(t, ring.Signers(), 2)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "2028.pem"), []byte("half"), 0o600))
	require.Error(t, ring.Reload())
	require.Len(t, ring.Signers(), 2, "what is there stays")

	text, err := os.ReadFile(filepath.Join(dir, "2026.pem"))
	require.NoError(t, err)
	t.Setenv("INTERLOCK_TEST_KEY", string(text))
	once, err := keysource.Ring("env:INTERLOCK_TEST_KEY")
	require.NoError(t, err)
	require.NoError(t, once.Reload(), "the variable is gone, and the key is not")
	require.Len(t, once.Signers(), 1)
}
