package main

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/worker/config"
)

//go:embed files
var files embed.FS

// A folder is the working folder: configuration, keys and everything that the
// demo makes.
type folder struct{ dir string }

func (f folder) path(name string) string    { return filepath.Join(f.dir, filepath.FromSlash(name)) }
func (f folder) proof(name string) string   { return f.path("proofs/" + name + ".json") }
func (f folder) history(name string) string { return f.path("histories/" + name + ".json") }

// keys are the keys that the demo makes, by name in the trust root, each in the
// folder of the one who has it. interlockd refuses to start where it can read
// the key of another role.
var keys = []struct {
	name   string
	role   evidence.Role
	folder string
}{
	{"authority", evidence.RoleAuthority, "control"},
	{"recorder", evidence.RoleRecorder, "control"},
	{"step-worker", evidence.RoleWorker, "steps"},
	{"support-agent", evidence.RolePrincipal, "agent"},
}

// makeFolder makes the folder at dir anew, with keys and the trust root.
func makeFolder(dir string) (folder, error) {
	f := folder{dir}
	if err := os.RemoveAll(dir); err != nil {
		return f, fmt.Errorf("couldn't clear the working folder: %w", err)
	}
	for _, sub := range []string{"control/keys", "steps/keys", "steps/secrets", "agent/keys", "proofs", "histories", "temporal"} {
		if err := os.MkdirAll(f.path(sub), 0o700); err != nil {
			return f, fmt.Errorf("couldn't make the working folder: %w", err)
		}
	}
	return f, f.makeKeys()
}

func (f folder) makeKeys() error {
	var trusted []evidence.Key
	now := evidence.TimeOf(time.Now())
	for _, k := range keys {
		signer, err := keyfile.Create(f.keyPath(k.folder, k.name))
		if err != nil {
			return err
		}
		trusted = append(trusted, evidence.Key{
			ID: signer.KeyID(), Role: k.role, Name: k.name, Public: evidence.PublicKey(signer.Public()), From: now,
		})
	}
	trust, err := evidence.NewTrust("order-desk.example", trusted)
	if err != nil {
		return err
	}
	data, err := trust.Encode()
	if err != nil {
		return err
	}
	return f.write(f.path("trust.json"), data)
}

func (f folder) keyPath(whose, name string) string { return f.path(whose + "/keys/" + name + ".pem") }

// makeToken makes the credential of the step worker at the desk.
func (f folder) makeToken() (string, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: without randomness the program ends
	token := hex.EncodeToString(b[:])
	return token, f.write(f.path("steps/secrets/desk_token"), []byte(token+"\n"))
}

// addresses fill the templates. Role is that of an interlock.yaml.
type addresses struct{ Temporal, Desk, Role string }

// configure writes the configurations, the catalogue and the policy.
func (f folder) configure(a addresses) error {
	for _, role := range roles {
		a.Role = role
		if err := f.fill("interlock.yaml", role+"/interlock.yaml", a); err != nil {
			return err
		}
	}
	if err := f.fill("actions.yaml", "actions.yaml", a); err != nil {
		return err
	}
	return f.writePolicy()
}

// fill writes one of the files to path, with the addresses filled in.
func (f folder) fill(name, path string, a addresses) error {
	data, err := render(name, a)
	if err != nil {
		return err
	}
	return f.write(f.path(path), data)
}

// lease is how long authority lasts without a new signal.
func (f folder) lease() (time.Duration, error) {
	c, err := config.Load(f.path("control"))
	if err != nil {
		return 0, err
	}
	return time.Duration(c.Lease), nil
}

func (f folder) writePolicy() error {
	data, err := files.ReadFile("files/policy.yaml")
	if err != nil {
		return err
	}
	return f.write(f.path("policy.yaml"), data)
}

// render returns one of the files with the addresses filled in.
func render(name string, a addresses) ([]byte, error) {
	t, err := template.ParseFS(files, "files/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, a)
	return b.Bytes(), err
}

func (folder) write(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }

// shorter is path relative to base, if it is below it.
func shorter(base, path string) string {
	rel, err := filepath.Rel(base, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}
