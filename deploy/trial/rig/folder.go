package rig

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
)

//go:embed files
var files embed.FS

// Path is a path in the stage's folder, made of name with slashes.
func (s *Stage) Path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// keys are the keys of a stage, each in the folder of the process that has it.
var keys = []struct {
	name   string
	role   evidence.Role
	folder string
}{
	{"authority", evidence.RoleAuthority, Control},
	{"recorder", evidence.RoleRecorder, Control},
	{"step-worker", evidence.RoleWorker, Steps},
	{"trial", evidence.RolePrincipal, "agent"},
	{"trial-revoker", evidence.RoleRevoker, "agent"},
}

// makeFolders makes the folders, the keys, the trust root, and the desk's
// token, which it returns.
func (s *Stage) makeFolders() (token string, err error) {
	for _, sub := range []string{"shared", "control/keys", "steps/keys", "steps/secrets", "agent/keys"} {
		if err := os.MkdirAll(s.Path(sub), 0o700); err != nil {
			return "", fmt.Errorf("couldn't make a folder: %w", err)
		}
	}
	if err := s.makeKeys(); err != nil {
		return "", err
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: without randomness the program ends
	token = hex.EncodeToString(b[:])
	return token, os.WriteFile(s.Path("steps/secrets/desk_token"), []byte(token+"\n"), 0o600)
}

func (s *Stage) makeKeys() error {
	var trusted []evidence.Key
	now := evidence.TimeOf(time.Now())
	for _, k := range keys {
		signer, err := keyfile.Create(s.Path(k.folder + "/keys/" + k.name + ".pem"))
		if err != nil {
			return err
		}
		trusted = append(trusted, evidence.Key{
			ID: signer.KeyID(), Role: k.role, Name: k.name, Public: evidence.PublicKey(signer.Public()), From: now,
		})
	}
	var err error
	if s.Trust, err = evidence.NewTrust("trial.example", trusted); err != nil {
		return err
	}
	data, err := s.Trust.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(s.Path("shared/trust.json"), data, 0o600)
}

// settings fill the templates.
type settings struct {
	Temporal, StepsTemporal, Namespace, Queue, Shared, World, Lease, Interval, Heartbeat string
	ControlStore, StepsStore                                                             string
	MaxEvents                                                                            int
}

func (s *Stage) configure(v settings) error {
	for from, to := range map[string]string{
		"control.yaml": "control/interlock.yaml",
		"policy.yaml":  "control/policy.yaml",
		"steps.yaml":   "steps/interlock.yaml",
		"actions.yaml": "shared/actions.yaml",
	} {
		t, err := template.ParseFS(files, "files/"+from)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, v); err != nil {
			return err
		}
		if err := os.WriteFile(s.Path(to), b.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}
