package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/policy/catalogue"
)

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	require.NoError(t, os.Chmod(path, mode)) // whatever the umask is
}

func TestSecretDir(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "secrets")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(outside, "other"), token, 0o600)
	for name, mode := range map[string]os.FileMode{"group": 0o640, "others": 0o604, "written": 0o620, "good": 0o400, ".hidden": 0o600} {
		write(t, filepath.Join(dir, name), token, mode)
	}
	write(t, filepath.Join(dir, "lines"), token+"\n\n", 0o600)
	write(t, filepath.Join(dir, "line"), token+"\n", 0o600)
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", 20<<10), 0o600)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	write(t, filepath.Join(dir, "folder", "inner"), token, 0o600)
	require.NoError(t, os.Symlink("good", filepath.Join(dir, "inward")))
	require.NoError(t, os.Symlink("../other", filepath.Join(dir, "outward")))

	tests := []struct {
		name string
		dir  executor.SecretDir
		file string
		want string // "" if refused
	}{
		{"as it is", executor.SecretDir(dir), "good", token},
		{"one line end", executor.SecretDir(dir), "line", token},
		{"two line ends", executor.SecretDir(dir), "lines", token + "\n"},
		{"link inside", executor.SecretDir(dir), "inward", token},
		{"link to the outside", executor.SecretDir(dir), "outward", ""},
		{"readable by the group", executor.SecretDir(dir), "group", ""},
		{"readable by others", executor.SecretDir(dir), "others", ""},
		{"writable by the group", executor.SecretDir(dir), "written", ""},
		{"not there", executor.SecretDir(dir), "missing", ""},
		{"too large", executor.SecretDir(dir), "large", ""},
		{"a directory", executor.SecretDir(dir), "folder", ""},
		{"deeper", executor.SecretDir(dir), "folder/inner", ""},
		{"outside", executor.SecretDir(dir), "../other", ""},
		{"hidden", executor.SecretDir(dir), ".hidden", ""},
		{"no name", executor.SecretDir(dir), "", ""},
		{"no directory", "", "good", ""},
		{"directory not there", executor.SecretDir(dir + "x"), "good", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.dir.Secret(tt.file)
			require.Equal(t, tt.want, got)
			if tt.want == "" {
				require.ErrorIs(t, err, executor.ErrSecret)
				require.NotContains(t, err.Error(), token)
				return
			}
			require.NoError(t, err)
		})
	}
}

// TestSecretMapIsNotPrinted logs a map of secrets in every careless way.
func TestSecretMapIsNotPrinted(t *testing.T) {
	holder := struct{ s executor.Secrets }{secrets}
	h := newHTTP(t, spec("POST", "https://shop.example", "shop.example:443"))
	for _, v := range []any{secrets, &secrets, holder, &holder, h, *h} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			require.NotContains(t, fmt.Sprintf(verb, v), token)
		}
		data, _ := json.Marshal(v)
		require.NotContains(t, string(data), token)
	}
}

func TestSecretMapIsACopy(t *testing.T) {
	m := map[string]string{"token": token}
	s := executor.SecretMap(m)
	delete(m, "token")
	got, err := s.Secret("token")
	require.NoError(t, err)
	require.Equal(t, token, got)
}

// TestHTTPReadsSecretsEachTime rotates a secret, and then loses it.
func TestHTTPReadsSecretsEachTime(t *testing.T) {
	current, lost := "first", error(nil)
	rotating := executor.SecretFunc(func(string) (string, error) { return current, lost })
	server := record(t, says(200, `{}`))
	h, err := executor.NewHTTP(spec("POST", server.URL, server.host()), rotating, executor.HTTPOptions{Effect: catalogue.Write})
	require.NoError(t, err)

	for _, current = range []string{"second", "third"} {
		_, err = h.Execute(context.Background(), call(`{}`))
		require.NoError(t, err)
		got := server.requests()
		require.Equal(t, "Bearer "+current, got[len(got)-1].Header.Get("Authorization"))
	}
	for _, current = range []string{"", token + "\r\nX-Evil: 1", token + " ", token + "\x00"} {
		_, err = h.Execute(context.Background(), call(`{}`))
		requireError(t, err, executor.CauseSecret, true, false)
	}
	current, lost = token, errors.New("the vault is away")
	_, err = h.Execute(context.Background(), call(`{}`))
	requireError(t, err, executor.CauseSecret, true, false)
	require.Len(t, server.requests(), 2)
}
