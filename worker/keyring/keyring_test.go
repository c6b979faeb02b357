package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/worker/keyring"
)

// trust is that of package evidencetest, valid now. The retired authority has
// the name of the present one: the present key replaced it.
func trust(t *testing.T) *evidence.Trust {
	t.Helper()
	keys := evidencetest.Keys()
	for i := range keys {
		keys[i].From, keys[i].Until = evidence.TimeOf(time.Now().Add(-time.Hour)), 0
		if keys[i].Name == evidencetest.Retired {
			keys[i].Name, keys[i].Until = evidencetest.Authority, evidence.TimeOf(time.Now().Add(-time.Minute))
		}
	}
	trust, err := evidence.NewTrust(evidencetest.Domain, keys)
	require.NoError(t, err)
	return trust
}

func der(t *testing.T, key any) []byte {
	t.Helper()
	data, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return data
}

// pemOf is the key with the given name, as it stands in a file.
func pemOf(t *testing.T, name string) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der(t, evidencetest.Private(name))}))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func load(t *testing.T, path string) *evidence.Signer {
	t.Helper()
	s, err := keyfile.Load(path)
	require.NoError(t, err)
	return s
}

// control is a control plane whose keys are in dir/own, and whose
// configuration is in dir.
func control(t *testing.T, dir string) keyring.Process {
	t.Helper()
	write(t, dir+"/own/authority.pem", pemOf(t, evidencetest.Authority))
	write(t, dir+"/own/recorder.pem", pemOf(t, evidencetest.Recorder))
	return keyring.Process{Trust: trust(t), Folders: []string{dir}, Own: []keyring.Own{
		{Role: evidence.RoleAuthority, Signer: load(t, dir+"/own/authority.pem")},
		{Role: evidence.RoleRecorder, Signer: load(t, dir+"/own/recorder.pem")},
	}}
}

// TestT23Check: what a process finds, and what it makes of it.
func TestT23Check(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	put := func(path, content string) func(*testing.T, string, *keyring.Process) {
		return func(t *testing.T, dir string, _ *keyring.Process) { write(t, dir+"/"+path, content) }
	}
	worker := pemOf(t, evidencetest.Worker)
	tests := []struct {
		name  string
		place func(t *testing.T, dir string, p *keyring.Process)
		want  string // "" if nothing is foreign
	}{
		{"nothing", put("readme", "nothing"), ""},
		{"a public key", put("keys/x.pem", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"), ""},
		{"its own key again", put("keys/x.pem", pemOf(t, evidencetest.Authority)), ""},
		{"a key that its own one replaced", put("keys/x.pem", pemOf(t, evidencetest.Retired)), ""},
		{"deeper", put("keys/deeper/x.pem", worker), ""},
		{"in a folder called otherwise", put("other/x.pem", worker), ""},
		{"longer than a key can be", put("x.pem", strings.Repeat("#\n", 40<<10)+worker), ""},
		{"a link to nothing", func(t *testing.T, dir string, _ *keyring.Process) {
			require.NoError(t, os.Symlink("gone", dir+"/x.pem"))
		}, ""},
		{"keys is a file", put("keys", "nothing"), ""},
		{"files and folders that are not there", func(_ *testing.T, dir string, p *keyring.Process) {
			p.Files, p.Folders, p.Secrets = []string{dir + "/x"}, []string{dir + "/y"}, []string{dir + "/z"}
		}, ""},

		{"a worker's key", put("x.pem", worker), `x.pem: this process can read the private key of "worker-1" (role worker)`},
		{"in keys", put("keys/x", worker), `keys/x: this process can read the private key of "worker-1"`},
		{"beside its own", put("own/x", pemOf(t, evidencetest.Alice)), `own/x: this process can read the private key of "alice" (role principal)`},
		{"in keys beside its own", put("own/keys/x", worker), "own/keys/x"},
		{"hidden", put(".x.swp", worker), ".x.swp"},
		{"after its own", put("x.pem", pemOf(t, evidencetest.Authority)+"text\n"+worker), `"worker-1"`},
		{"after a certificate", put("x.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"+worker), `"worker-1"`},
		{"inside YAML", put("x.yaml", "key: |\n  "+strings.ReplaceAll(worker, "\n", "\n  ")), `"worker-1"`},
		{"with the line ends of another system", put("x.pem", strings.ReplaceAll(worker, "\n", "\r\n")), `"worker-1"`},
		{"in DER", put("x.der", string(der(t, evidencetest.Private(evidencetest.Worker)))), `"worker-1"`},
		{"a stranger's", put("x.pem", pemOf(t, evidencetest.Stranger)), "not in the trust root (key "},
		{"of another kind", put("x.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der(t, ec)}))), "not in the trust root (not an Ed25519 key)"},
		{"not readable here", put("x", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"), "a PEM block OPENSSH PRIVATE KEY"},
		{"encrypted", put("x", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "a PEM block ENCRYPTED PRIVATE KEY"},
		{"a link to one", func(t *testing.T, dir string, _ *keyring.Process) {
			write(t, dir+"/far/away/x", worker)
			require.NoError(t, os.Symlink("far/away/x", dir+"/link"))
		}, "link: this process can read"},
		{"in the folder that its own key's link leads to", func(t *testing.T, dir string, p *keyring.Process) {
			write(t, dir+"/far/away/authority.pem", pemOf(t, evidencetest.Authority))
			write(t, dir+"/far/away/x", worker)
			require.NoError(t, os.Symlink("far/away/authority.pem", dir+"/link"))
			p.Own[0].Signer = load(t, dir+"/link")
		}, "far/away/x: this process can read"},
		{"beside the link that leads to its own key", func(t *testing.T, dir string, p *keyring.Process) {
			write(t, dir+"/links/x", worker)
			require.NoError(t, os.Symlink(dir+"/own/authority.pem", dir+"/links/authority.pem"))
			p.Own[0].Signer = load(t, dir+"/links/authority.pem")
		}, "links/x: this process can read"},
		{"named", func(t *testing.T, dir string, p *keyring.Process) {
			write(t, dir+"/far/x", worker)
			p.Files = []string{dir + "/far/x"}
		}, "far/x: this process can read"},
		{"too many files", func(t *testing.T, dir string, _ *keyring.Process) {
			for i := range 4200 {
				require.NoError(t, os.Symlink("gone", fmt.Sprintf("%s/%d", dir, i)))
			}
		}, "too many files"},
		{"a link that leads to itself", func(t *testing.T, dir string, _ *keyring.Process) {
			require.NoError(t, os.Symlink("x", dir+"/x"))
		}, "x could not be searched for keys of others"},

		{"credentials beside its configuration", put("secrets/token", "x"), "secrets: this process can read the folder with the credentials"},
		{"credentials beside its keys", put("own/secrets/token", "x"), "own/secrets: this process can read the folder with the credentials"},
		{"a folder for credentials, named and empty", func(t *testing.T, dir string, p *keyring.Process) {
			p.Secrets = []string{dir + "/far"}
			require.NoError(t, os.Mkdir(dir+"/far", 0o700))
		}, "far: this process can read the folder with the credentials"},

		{"no trust root", func(_ *testing.T, _ string, p *keyring.Process) { p.Trust = nil }, "without a trust root"},
		{"no key", func(_ *testing.T, _ string, p *keyring.Process) { p.Own = nil }, "without a trust root and a key"},
		{"no signer", func(_ *testing.T, _ string, p *keyring.Process) { p.Own[1].Signer = nil }, "no recorder key"},
		{"a zero signer", func(_ *testing.T, _ string, p *keyring.Process) { p.Own[1].Signer = &evidence.Signer{} }, "recorder key"},
		{"its own key in another role", func(_ *testing.T, _ string, p *keyring.Process) { p.Own[1].Role = evidence.RoleWorker }, "has role recorder, not worker"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			p := control(t, dir)
			tt.place(t, dir, &p)
			err := p.Check()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, keyring.ErrForeign)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestT23CheckWorker: a worker has credentials, and not the key of another
// worker.
func TestT23CheckWorker(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/keys/me.pem", pemOf(t, evidencetest.Worker))
	write(t, dir+"/secrets/token", "x")
	p := keyring.Process{Trust: trust(t), Folders: []string{dir}, Secrets: []string{dir + "/secrets"}, Own: []keyring.Own{
		{Role: evidence.RoleWorker, Signer: load(t, dir+"/keys/me.pem")},
	}}
	require.NoError(t, p.Check())
	write(t, dir+"/keys/other.pem", pemOf(t, evidencetest.OtherWorker))
	write(t, dir+"/keys/authority.pem", pemOf(t, evidencetest.Authority))
	err := p.Check()
	require.ErrorContains(t, err, `"worker-2"`)
	require.ErrorContains(t, err, `"authority"`, "not only the first one is said")
	require.NotContains(t, err.Error(), `"worker-1"`)
}

// TestCheckSaysNoSecret: neither a key nor a credential is in a message.
func TestCheckSaysNoSecret(t *testing.T) {
	dir := t.TempDir()
	p := control(t, dir)
	write(t, dir+"/x.pem", pemOf(t, evidencetest.Worker))
	write(t, dir+"/secrets/token", "hunter2")
	err := p.Check()
	require.Error(t, err)
	block := strings.Split(pemOf(t, evidencetest.Worker), "\n")[1]
	require.False(t, bytes.Contains([]byte(err.Error()), []byte(block)))
	require.NotContains(t, err.Error(), "hunter2")
}

// TestT27RootKeys finds a root key, which no process may be able to read.
func TestT27RootKeys(t *testing.T) {
	d := evidencetest.Draft()
	d.Keys = trust(t).Keys()
	for _, root := range []string{evidencetest.Root1, evidencetest.Root2} {
		require.NoError(t, d.Sign(evidencetest.Signer(root)))
	}
	signed, err := d.Trust()
	require.NoError(t, err)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys", "root.pem"), pemOf(t, evidencetest.Root1))
	p := keyring.Process{
		Trust: signed, Folders: []string{dir},
		Own: []keyring.Own{{Role: evidence.RoleWorker, Signer: evidencetest.Signer(evidencetest.Worker)}},
	}
	err = p.Check()
	require.ErrorIs(t, err, keyring.ErrForeign)
	require.ErrorContains(t, err, `the root key of "root-1"`)
	p.Own = []keyring.Own{{Role: evidence.RoleWorker, Signer: evidencetest.Signer(evidencetest.Root1)}}
	require.ErrorIs(t, p.Check(), keyring.ErrForeign, "a process whose own key is a root key")
}

// TestT27KeysThatReplaceEachOther is what a process may have several of.
func TestT27KeysThatReplaceEachOther(t *testing.T) {
	const next = "next authority"
	keys := trust(t).Keys()
	keys = append(keys, evidence.Key{
		ID: evidencetest.Signer(next).KeyID(), Role: evidence.RoleAuthority, Name: evidencetest.Authority,
		Public: evidence.PublicKey(evidencetest.Signer(next).Public()), From: evidence.TimeOf(time.Now().Add(time.Hour)),
	})
	whole, err := evidence.NewTrust(evidencetest.Domain, keys)
	require.NoError(t, err)
	for name, row := range map[string]struct {
		own  []string
		want string
	}{
		"retired, present and next": {[]string{evidencetest.Retired, evidencetest.Authority, next}, ""},
		"next and present":          {[]string{next, evidencetest.Authority}, ""},
		"next only":                 {[]string{next}, "was not valid"},
		"retired and next":          {[]string{evidencetest.Retired, next}, "was not valid"},
		"present and a stranger's":  {[]string{evidencetest.Authority, evidencetest.Stranger}, "not in the trust root"},
		"present and a recorder's":  {[]string{evidencetest.Authority, evidencetest.Recorder}, "has role recorder"},
	} {
		p := keyring.Process{Trust: whole}
		for _, o := range row.own {
			p.Own = append(p.Own, keyring.Own{Role: evidence.RoleAuthority, Signer: evidencetest.Signer(o)})
		}
		err := p.Check()
		if row.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, keyring.ErrForeign, name)
		require.ErrorContains(t, err, row.want, name)
	}
}
