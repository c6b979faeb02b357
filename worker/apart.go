package worker

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/worker/keyring"
)

// Near says where a process could come upon what is not its own, besides the
// places that [New] knows: the folders that its keys are in (as far as they
// come from package keyfile, or their crypto.Signer has a method Origin), the
// folder of its catalogue and the folder of its policy, each with its folders
// keys and secrets.
//
// New refuses to start a process that can read, in any of these, a private key
// that is not one of its roles', or a control plane that can read credentials.
// See [keyring.Process] for what exactly is looked at.
type Near struct {
	Files   []string // that may hold a key
	Folders []string // that may hold keys
	Secrets []string // folders with credentials of the outside world
}

// apart refuses a process that can read what belongs to another role.
func (c *Config) apart() error {
	if c.TogetherUnsafe || !defence.Stands(defence.RolesApart) {
		return nil
	}
	own, err := c.own()
	if err != nil {
		return err
	}
	p := keyring.Process{
		Trust: c.Trust, Own: own, Files: c.Near.Files, Secrets: c.Near.Secrets,
		Folders: append([]string{filepath.Dir(c.Catalogue)}, c.Near.Folders...),
	}
	if c.Control != nil && c.Control.Policy != "" {
		p.Folders = append(p.Folders, filepath.Dir(c.Control.Policy))
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

// own returns the keys that the process signs with.
func (c *Config) own() ([]keyring.Own, error) {
	var own []keyring.Own
	var errs []error
	add := func(role evidence.Role, ring *evidence.Ring, key *evidence.Signer) {
		keys := ring.Signers()
		if ring == nil && key != nil {
			keys = []*evidence.Signer{key}
		}
		errs = append(errs, missing(len(keys) == 0, fmt.Sprintf("the %s key", role)))
		for _, k := range keys {
			own = append(own, keyring.Own{Role: role, Signer: k})
		}
	}
	if c.Control != nil {
		add(evidence.RoleAuthority, c.Control.Authorities, c.Control.Authority)
		add(evidence.RoleRecorder, c.Control.Recorders, c.Control.Recorder)
	}
	if c.Steps != nil {
		add(evidence.RoleWorker, c.Steps.Keys, c.Steps.Key)
	}
	return own, errors.Join(errs...)
}

// everyRole refuses a trust root in which some role has no key that is valid
// now: nothing that needs that role could be done, or be believed afterwards.
func everyRole(t *evidence.Trust) error {
	if t == nil {
		return nil // said already
	}
	now := evidence.TimeOf(time.Now())
	valid := map[evidence.Role]bool{}
	for _, k := range t.Keys() {
		if _, err := t.KeyNow(k.ID, k.Role, now); err == nil {
			valid[k.Role] = true
		}
	}
	var errs []error
	for _, role := range []evidence.Role{evidence.RolePrincipal, evidence.RoleAuthority, evidence.RoleWorker, evidence.RoleRecorder} {
		if !valid[role] {
			errs = append(errs, fmt.Errorf("%w: the trust root has no key of role %s that is valid now; add one", ErrConfig, role))
		}
	}
	return errors.Join(errs...)
}
