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

// keys are the keys that the demo makes, by name in the trust root. One
// person has them all here; in earnest, each is where its role is.
var keys = []struct {
	name string
	role evidence.Role
}{
	{"authority", evidence.RoleAuthority},
	{"recorder", evidence.RoleRecorder},
	{"step-worker", evidence.RoleWorker},
	{"support-agent", evidence.RolePrincipal},
}

// makeFolder makes the folder at dir anew, with keys and the trust root.
func makeFolder(dir string) (folder, error) {
	f := folder{dir}
	if err := os.RemoveAll(dir); err != nil {
		return f, fmt.Errorf("couldn't clear the working folder: %w", err)
	}
	for _, sub := range []string{"keys", "secrets", "proofs", "histories", "temporal"} {
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
		signer, err := keyfile.Create(f.keyPath(k.name))
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

func (f folder) keyPath(name string) string { return f.path("keys/" + name + ".pem") }

// makeToken makes the credential of the step worker at the desk.
func (f folder) makeToken() (string, error) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: without randomness the program ends
	token := hex.EncodeToString(b[:])
	return token, f.write(f.path("secrets/desk_token"), []byte(token+"\n"))
}

// addresses fill the templates.
type addresses struct{ Temporal, Desk string }

// configure writes the configuration, the catalogue and the policy.
func (f folder) configure(a addresses) error {
	for _, name := range []string{"interlock.yaml", "actions.yaml"} {
		data, err := render(name, a)
		if err != nil {
			return err
		}
		if err := f.write(f.path(name), data); err != nil {
			return err
		}
	}
	return f.writePolicy()
}

// lease is how long authority lasts without a new signal.
func (f folder) lease() (time.Duration, error) {
	c, err := config.Load(f.dir)
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
