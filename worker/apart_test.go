package worker_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// keyAt writes the key with the given name to a file.
func keyAt(t *testing.T, path, name string) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(evidencetest.Private(name))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return path
}

// TestT23WorkerNewLooksAround: New finds the keys of others by itself, from
// what it must be given anyway.
func TestT23WorkerNewLooksAround(t *testing.T) {
	f := workertest.New(t)
	tests := []struct {
		name   string
		change func(t *testing.T, dir string, c *worker.Config)
		want   string // "" if it starts
	}{
		{"nothing", func(*testing.T, string, *worker.Config) {}, ""},
		{"the keys of both roles", func(t *testing.T, dir string, c *worker.Config) {
			keyAt(t, dir+"/keys/authority.pem", evidencetest.Authority)
			keyAt(t, dir+"/keys/worker.pem", evidencetest.Worker)
		}, ""},
		{"a principal's key, both roles", func(t *testing.T, dir string, _ *worker.Config) {
			keyAt(t, dir+"/keys/x.pem", evidencetest.Alice)
		}, "keys/x.pem"},
		{"beside the catalogue, steps", func(t *testing.T, dir string, c *worker.Config) {
			c.Control = nil
			keyAt(t, dir+"/x.pem", evidencetest.Authority)
		}, "x.pem"},
		{"beside the policy, control", func(t *testing.T, dir string, c *worker.Config) {
			c.Steps = nil
			c.Control.Policy = filepath.Join(dir, "rules", "policy.yaml")
			require.NoError(t, os.Mkdir(filepath.Join(dir, "rules"), 0o700))
			require.NoError(t, os.WriteFile(c.Control.Policy, []byte(workertest.Policy), 0o600))
			keyAt(t, dir+"/rules/x.pem", evidencetest.Worker)
		}, "rules/x.pem"},
		{"beside its own key, steps", func(t *testing.T, dir string, c *worker.Config) {
			c.Control = nil
			key, err := keyfile.Load(keyAt(t, dir+"/far/me.pem", evidencetest.Worker))
			require.NoError(t, err)
			c.Steps.Key = key
			keyAt(t, dir+"/far/x.pem", evidencetest.Recorder)
		}, "far/x.pem"},
		{"beside the recorder's key, control", func(t *testing.T, dir string, c *worker.Config) {
			c.Steps = nil
			key, err := keyfile.Load(keyAt(t, dir+"/far/me.pem", evidencetest.Recorder))
			require.NoError(t, err)
			c.Control.Recorder = key
			keyAt(t, dir+"/far/x.pem", evidencetest.Worker)
		}, "far/x.pem"},
		{"credentials, control", func(t *testing.T, dir string, c *worker.Config) {
			c.Steps = nil
			require.NoError(t, os.Mkdir(dir+"/secrets", 0o700))
		}, "secrets: this process can read"},
		{"credentials, steps", func(t *testing.T, dir string, c *worker.Config) {
			c.Control = nil
			require.NoError(t, os.Mkdir(dir+"/secrets", 0o700))
		}, ""},
		{"near: a file", func(t *testing.T, dir string, c *worker.Config) {
			c.Near.Files = []string{keyAt(t, dir+"/far/x.pem", evidencetest.Alice)}
		}, "far/x.pem"},
		{"near: a folder", func(t *testing.T, dir string, c *worker.Config) {
			keyAt(t, dir+"/far/x.pem", evidencetest.Alice)
			c.Near.Folders = []string{dir + "/far"}
		}, "far/x.pem"},
		{"near: credentials", func(t *testing.T, dir string, c *worker.Config) {
			c.Steps = nil
			require.NoError(t, os.Mkdir(dir+"/far", 0o700))
			c.Near.Secrets = []string{dir + "/far"}
		}, "far: this process can read"},
		{"together, and it says so", func(t *testing.T, dir string, c *worker.Config) {
			c.TogetherUnsafe = true
			keyAt(t, dir+"/keys/x.pem", evidencetest.Alice)
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			c := f.Config
			control, steps := *c.Control, *c.Steps
			c.Control, c.Steps = &control, &steps
			c.Store, c.Catalogue = filepath.Join(dir, "evidence.db"), filepath.Join(dir, "actions.yaml")
			require.NoError(t, os.WriteFile(c.Catalogue, []byte(workertest.Catalogue), 0o600))
			tt.change(t, dir, &c)
			w, err := worker.New(t.Context(), c)
			if tt.want == "" {
				require.NoError(t, err)
				require.NoError(t, w.Close())
				return
			}
			require.Nil(t, w)
			require.ErrorIs(t, err, worker.ErrConfig)
			require.ErrorContains(t, err, tt.want)
			require.NoFileExists(t, c.Store, "nothing was begun")
		})
	}
}

// TestT23EveryRoleHasAKey takes one role after the other out of the trust
// root, or lets its keys end.
func TestT23EveryRoleHasAKey(t *testing.T) {
	f := workertest.New(t)
	for _, role := range []evidence.Role{evidence.RolePrincipal, evidence.RoleAuthority, evidence.RoleWorker, evidence.RoleRecorder} {
		var without, ended []evidence.Key
		for _, k := range f.Trust.Keys() {
			if k.Role != role {
				without, ended = append(without, k), append(ended, k)
				continue
			}
			k.Until = evidence.TimeOf(time.Now().Add(-time.Minute))
			ended = append(ended, k)
		}
		for name, keys := range map[string][]evidence.Key{"without": without, "ended": ended} {
			t.Run(name+" "+string(role), func(t *testing.T) {
				c := f.Config
				var err error
				c.Trust, err = evidence.NewTrust(evidencetest.Domain, keys)
				require.NoError(t, err)
				_, err = worker.New(t.Context(), c)
				require.ErrorIs(t, err, worker.ErrConfig)
				require.ErrorContains(t, err, "no key of role "+string(role))
			})
		}
	}
	c := f.Config
	c.Trust = &evidence.Trust{}
	_, err := worker.New(t.Context(), c)
	require.ErrorContains(t, err, "no key of role principal")
}
