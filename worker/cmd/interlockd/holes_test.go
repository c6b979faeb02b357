package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestT23DaemonRefuses: each row is a way to be misconfigured, on folders that
// are right otherwise. The daemon must not start, and must say which file or
// field is to blame. Nothing listens at the address of Temporal, so that what
// is not refused ends with another code.
func TestT23DaemonRefuses(t *testing.T) {
	cli := cli(t)
	tests := []struct {
		name  string
		roles string // the folder is that of the first
		spoil func(t *testing.T, dir string)
		want  []string // none if it does not refuse
	}{
		// What is right is not refused.
		{"nothing: control", "control", nil, nil},
		{"nothing: steps", "steps", nil, nil},
		{"both roles", "control,steps", func(t *testing.T, dir string) {
			copyFile(t, dir+"/steps/keys/worker.pem", dir+"/control/keys/worker.pem")
			edit(t, dir+"/control/interlock.yaml", "  recorder:", "  worker: keys/worker.pem\n  recorder:")
			edit(t, dir+"/control/interlock.yaml", "trust:", "worker: worker-1\ntrust:")
			secret(t, dir+"/control/secrets", dir+"/control/interlock.yaml")
		}, nil},
		{"a key twice", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/control/keys/authority.pem", dir+"/control/keys/copy-of-authority")
		}, nil},
		{"a folder of keys that replace each other", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/control/keys/authority.pem", dir+"/control/keys/authority/2026.pem")
			require.NoError(t, os.Remove(dir+"/control/keys/authority.pem"))
			edit(t, dir+"/control/interlock.yaml", "keys/authority.pem", "keys/authority")
		}, nil},
		{"keys of others that are named and not there", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "  recorder:", "  worker: keys/worker.pem\n  principal: keys/principal.pem\n  recorder:")
		}, nil},

		// Keys of others.
		{"control can read the root key", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/root/keys/root.pem", dir+"/control/keys/root.pem")
		}, []string{"control/keys/root.pem", `the root key of "root"`}},
		{"steps can read the root key, elsewhere and named", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "  worker:", "  root: ../root/keys/root.pem\n  worker:")
		}, []string{"root/keys/root.pem", `the root key of "root"`}},
		{"the worker's key in a folder of the authority's", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/control/keys/authority.pem", dir+"/control/keys/authority/2026.pem")
			copyFile(t, dir+"/steps/keys/worker.pem", dir+"/control/keys/authority/2027.pem")
			edit(t, dir+"/control/interlock.yaml", "keys/authority.pem", "keys/authority")
		}, []string{"authority key", "has role worker"}},
		{"control can read the worker's key", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/steps/keys/worker.pem", dir+"/control/keys/worker.pem")
		}, []string{"control/keys/worker.pem", `"worker-1" (role worker)`, "interlock init --apart"}},
		{"under any name, beside interlock.yaml", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/steps/keys/worker.pem", dir+"/control/notes.bak")
		}, []string{"control/notes.bak", "role worker"}},
		{"beside interlock.yaml, with everything else elsewhere", "control", func(t *testing.T, dir string) {
			conf := dir + "/control/interlock.yaml"
			for _, name := range []string{"policy.yaml", "actions.yaml"} {
				copyFile(t, dir+"/control/"+name, dir+"/files/"+name)
				edit(t, conf, ": "+name, ": ../files/"+name)
			}
			for _, name := range []string{"authority.pem", "recorder.pem"} {
				copyFile(t, dir+"/control/keys/"+name, dir+"/vault/"+name)
				edit(t, conf, ": keys/"+name, ": ../vault/"+name)
			}
			copyFile(t, dir+"/steps/keys/worker.pem", dir+"/control/keys/left-over.pem")
		}, []string{"control/keys/left-over.pem", "role worker"}},
		{"elsewhere, and named", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "  recorder:", "  worker: ../steps/keys/worker.pem\n  recorder:")
		}, []string{"steps/keys/worker.pem", "role worker"}},
		{"the operator's, elsewhere, and named", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "  recorder:", "  operator: ../operator/keys/operator.pem\n  recorder:")
		}, []string{"operator/keys/operator.pem", `"on-call" (role operator)`}},
		{"beside a key of its own that is elsewhere", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/control/keys/recorder.pem", dir+"/vault/recorder.pem")
			copyFile(t, dir+"/principal/keys/principal.pem", dir+"/vault/ci.pem")
			edit(t, dir+"/control/interlock.yaml", "keys/recorder.pem", "../vault/recorder.pem")
		}, []string{"vault/ci.pem", `"developer" (role principal)`}},
		{"steps can read the authority's key", "steps", func(t *testing.T, dir string) {
			copyFile(t, dir+"/control/keys/authority.pem", dir+"/steps/keys/authority.pem")
		}, []string{"steps/keys/authority.pem", "role authority"}},
		{"steps can read the recorder's key, named", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "  worker:", "  recorder: ../control/keys/recorder.pem\n  worker:")
		}, []string{"control/keys/recorder.pem", "role recorder"}},
		{"both roles can read a principal's key", "control,steps", func(t *testing.T, dir string) {
			copyFile(t, dir+"/steps/keys/worker.pem", dir+"/control/keys/worker.pem")
			copyFile(t, dir+"/principal/keys/principal.pem", dir+"/control/keys/principal.pem")
			edit(t, dir+"/control/interlock.yaml", "  recorder:", "  worker: keys/worker.pem\n  recorder:")
			edit(t, dir+"/control/interlock.yaml", "trust:", "worker: worker-1\ntrust:")
		}, []string{"control/keys/principal.pem", "role principal"}},
		{"a key that nobody knows", "steps", func(t *testing.T, dir string) {
			other := initialised(t, cli)
			copyFile(t, other+"/keys/authority.pem", dir+"/steps/keys/old.pem")
		}, []string{"steps/keys/old.pem", "not in the trust root"}},
		{"control can read the credentials", "control", func(t *testing.T, dir string) {
			secret(t, dir+"/elsewhere", dir+"/control/interlock.yaml")
		}, []string{"elsewhere", "credentials of the outside world"}},
		{"control can read the credentials, not named", "control", func(t *testing.T, dir string) {
			secret(t, dir+"/control/secrets", "")
		}, []string{"control/secrets", "credentials of the outside world"}},

		// Key files.
		{"a key that others can read", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/control/keys/authority.pem", 0o644))
		}, []string{"keys.authority", "authority.pem has mode 0644", "chmod 600"}},
		{"a key that others can replace", "steps", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/steps/keys", 0o777))
		}, []string{"keys.worker", "steps/keys has mode 0777", "chmod go-w"}},
		{"a key that is not there", "steps", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir+"/steps/keys/worker.pem"))
		}, []string{"keys.worker", "no such file"}},
		{"a key that is none", "control", func(t *testing.T, dir string) {
			copyFile(t, dir+"/control/policy.yaml", dir+"/control/keys/recorder.pem")
		}, []string{"keys.recorder", "recorder.pem"}},
		{"no key", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "  authority: keys/authority.pem\n", "")
		}, []string{"keys.authority is missing"}},
		{"an environment variable that is not set", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "authority: keys/authority.pem", "authority: env:INTERLOCK_NOT_SET")
		}, []string{"keys.authority", "INTERLOCK_NOT_SET is not set"}},
		{"a token that is not there", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "authority: keys/authority.pem", `authority: "pkcs11:token=t;object=a?module-path=/nowhere/p11.so"`)
		}, []string{"keys.authority", "unusable PKCS #11 token"}},
		{"a PIN in the configuration", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "authority: keys/authority.pem", `authority: "pkcs11:token=t;object=a?module-path=/nowhere/p11.so&pin-value=1234"`)
		}, []string{"keys.authority", "a PIN does not stand in a configuration"}},
		{"an empty folder of keys", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(dir+"/control/none", 0o700))
			edit(t, dir+"/control/interlock.yaml", "authority: keys/authority.pem", "authority: none")
		}, []string{"keys.authority", "has neither .pem nor .uri files"}},
		{"one key for two roles", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "recorder: keys/recorder.pem", "recorder: keys/authority.pem")
		}, []string{"recorder key", "has role authority, not recorder"}},
		{"another worker's name", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "worker: worker-1 ", "worker: worker-2 ")
		}, []string{`belongs to "worker-1"`, `not to "worker-2"`}},
		{"no name", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "worker: worker-1 ", "")
		}, []string{"worker's name is missing"}},

		// The trust root.
		{"a trust root with a signature that is not good", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/trust.json", `"name": "on-call"`, `"name": "off-call"`)
		}, []string{"trust.json", "not made by root key"}},
		{"no trust root", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir+"/control/trust.json"))
		}, []string{"trust root", "trust.json"}},
		{"an empty file as trust root", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/control/trust.json", nil, 0o600))
		}, []string{"unusable trust root", "trust.json"}},
		{"an empty trust root", "steps", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/steps/trust.json", []byte(`{"format":"https://interlock.run/trust/v1","domain":"desk","keys":[]}`), 0o600))
		}, []string{"trust.json", "no keys"}},
		{"a trust root named by nobody", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "trust: trust.json", "")
		}, []string{"trust is missing"}},

		{"a trust root that everybody can write", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/control/trust.json", 0o646))
		}, []string{"trust.json has mode 0646", "chmod o-w"}},
		{"a configuration that everybody can write", "steps", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/steps/interlock.yaml", 0o602))
		}, []string{"interlock.yaml has mode 0602"}},

		// What may be done.
		{"a policy that everybody can write", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/control/policy.yaml", 0o666))
		}, []string{"policy.yaml has mode 0666"}},
		{"a catalogue that everybody can write", "steps", func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir+"/steps/actions.yaml", 0o666))
		}, []string{"actions.yaml has mode 0666"}},
		{"no policy", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "policy: policy.yaml", "")
		}, []string{"policy"}},
		{"an empty policy", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/control/policy.yaml", nil, 0o600))
		}, []string{"policy.yaml"}},
		{"a policy without rules", "control", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/control/policy.yaml", []byte("name: notes\nversion: 1\nrules: []\n"), 0o600))
		}, []string{"policy.yaml", "rules"}},
		{"a catalogue without actions", "steps", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir+"/steps/actions.yaml", []byte("version: 1\nactions: {}\n"), 0o600))
		}, []string{"actions.yaml", "at least one action"}},
		{"no catalogue", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "catalogue: actions.yaml", "")
		}, []string{"catalogue"}},

		// The rest.
		{"no store", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "store: ../store/evidence.db", "")
		}, []string{"evidence store"}},
		{"a field that does not exist", "steps", func(t *testing.T, dir string) {
			edit(t, dir+"/steps/interlock.yaml", "trust:", "dry_run: true\ntrust:")
		}, []string{"dry_run"}},
		{"a lease without end", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "lease: 10s", "lease: 1000h")
		}, []string{"lease"}},
		{"a lease that nobody renews in time", "control", func(t *testing.T, dir string) {
			edit(t, dir+"/control/interlock.yaml", "interval: 1s", "interval: 9s")
		}, []string{"interval"}},
		{"a role that does not exist", "control,observer", nil, []string{`role "observer"`}},
		{"no role", "", nil, []string{`role ""`}},
	}
	address := nobody(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := initialised(t, cli, "--apart", "--address", address)
			if tt.spoil != nil {
				tt.spoil(t, dir)
			}
			folder := "control"
			if tt.roles == "steps" {
				folder = tt.roles
			}
			var out bytes.Buffer
			code := run(t.Context(), []string{"worker", "--config", filepath.Join(dir, folder), "--roles", tt.roles}, &out, &out)
			if len(tt.want) == 0 {
				require.Equal(t, exitFailed, code, out.String())
				require.Contains(t, out.String(), "couldn't reach Temporal")
				return
			}
			require.Equal(t, exitUsage, code, out.String())
			for _, want := range tt.want {
				require.Contains(t, out.String(), want)
			}
		})
	}
}

// secret makes a folder with a credential, and has the configuration name it,
// if there is one.
func secret(t *testing.T, dir, config string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("x"), 0o600))
	if config != "" {
		edit(t, config, "trust:", "secrets: "+dir+"\ntrust:")
	}
}
