package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/config"
)

func load(t *testing.T, content string) (*config.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), config.Name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return config.Load(path)
}

func TestDefaults(t *testing.T) {
	f, err := load(t, "trust: trust.json\n")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7233", f.Temporal.Address)
	require.Equal(t, "interlock", f.Queues.Control)
	require.Equal(t, evidence.Terms{LeaseMS: 10_000, IntervalMS: 1_000, WindowMS: 60_000}, f.Terms())
	require.False(t, f.SearchAttributes)
	require.Equal(t, config.Duration(30*time.Second), *f.Outage)
	require.Empty(t, f.Health, "nothing listens that was not asked for")
	require.Equal(t, filepath.Join(f.Dir(), "trust.json"), f.Path(f.Trust))
	require.Equal(t, "/etc/x", f.Path("/etc/x"))
	require.Empty(t, f.Path(""))
	require.Equal(t, filepath.Join(f.Dir(), config.Name), f.Source())
	again, err := config.Load(f.Dir())
	require.NoError(t, err, "the folder will do")
	require.Equal(t, f, again)
}

// TestOutageCanBeNone: 0s is not the default.
func TestOutageCanBeNone(t *testing.T) {
	f, err := load(t, "trust: t\noutage: 0s\n")
	require.NoError(t, err)
	require.Zero(t, *f.Outage)
	f, err = load(t, "trust: t\noutage: 2m\nhealth: 127.0.0.1:9090\n")
	require.NoError(t, err)
	require.Equal(t, config.Duration(2*time.Minute), *f.Outage)
	require.Equal(t, "127.0.0.1:9090", f.Health)
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"nothing", "", "trust is missing"},
		{"no trust root", "policy: p.yaml\n", "trust is missing"},
		{"an unknown field", "trust: t\ndry_run: true\n", "dry_run"},
		{"a field in another case", "trust: t\nPolicy: p\n", "Policy"},
		{"the same field twice", "trust: t\ntrust: u\n", "trust"},
		{"a duration without a unit", "trust: t\nlease: 10\n", "duration"},
		{"an outage without a unit", "trust: t\noutage: 30\n", "duration"},
		{"a duration that is none", "trust: t\nlease: soon\n", "duration"},
		{"two documents", "trust: t\n---\npolicy: p\n", "one document"},
		{"a password in the store's URL", "trust: t\nstore: postgres://u:hunter2@h/d\n", "PGPASSFILE"},
		{"a password at its end", "trust: t\nstore: postgresql://h/d?user=u&password=hunter2\n", "PGPASSFILE"},
		{"a password with a #", "trust: t\nstore: \"postgres://u:x#hunter2@h/d\"\n", "cannot be read"},
		{"a password with an @", "trust: t\nstore: postgres://u@hunter2@h/d\n", "PGPASSFILE"},
		{"not YAML", "trust: [", ""},
		{"a tag where a list belongs", "trust: !b c\nkeys: !b c\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.content)
			require.ErrorIs(t, err, config.ErrConfig)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := config.Load(filepath.Join(t.TempDir(), "gone.yaml"))
	require.ErrorIs(t, err, config.ErrConfig)
	require.ErrorContains(t, err, "interlock init")
}

func TestStoreTarget(t *testing.T) {
	const server = "postgres://interlock@db.example/evidence?sslmode=verify-full"
	f, err := load(t, "trust: t\nstore: "+server+"\n")
	require.NoError(t, err)
	require.Equal(t, server, f.StoreTarget(), "it is no path")
	f, err = load(t, "trust: t\nstore: evidence.db\n")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(f.Dir(), "evidence.db"), f.StoreTarget())
	f, err = load(t, "trust: t\n")
	require.NoError(t, err)
	require.Empty(t, f.StoreTarget())
}

// TestKeys names keys in every way.
func TestKeys(t *testing.T) {
	f, err := load(t, `trust: t
keys: {authority: keys/authority, recorder: "env:RECORDER", worker: "pkcs11:token=t;object=o", principal: /etc/p.pem, operator: o, approver: a, revoker: r, root: root.pem}
`)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(f.Dir(), "keys/authority"), f.Key(f.Keys.Authority))
	require.Equal(t, "env:RECORDER", f.Key(f.Keys.Recorder))
	require.Equal(t, "pkcs11:token=t;object=o", f.Key(f.Keys.Worker))
	require.Empty(t, f.Key(""))
	in := func(name string) string { return filepath.Join(f.Dir(), name) }
	require.Equal(t, []string{in("keys/authority"), "/etc/p.pem", in("o"), in("a"), in("r"), in("root.pem")}, f.KeyPaths())
}
