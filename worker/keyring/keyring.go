// Package keyring makes sure that a process can read no private key and no
// credential but those of its roles. What a process cannot read, nobody gets
// who takes it over.
//
// It is a check against mistakes: a key that was copied along, a folder that
// several roles share, a process that runs as the wrong user. It looks where
// keys usually are, not everywhere, and does not find a key that somebody hides.
package keyring

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// ErrForeign means that a process can read what belongs to another role, or
// that this could not be ruled out.
var ErrForeign = errors.New("the roles are not apart")

// An Own is a key that a process signs with, and the role it has.
type Own struct {
	Role   evidence.Role
	Signer *evidence.Signer
}

// A Process says what a process is, and where it could come upon what is not
// its own.
type Process struct {
	// Trust says whose key is whose. Required.
	Trust *evidence.Trust
	// Own are the keys of the process. At least one. Each must have its role in
	// the trust root, and of those of one role one must be trusted now: the
	// others may have ended, or be to come. The folders of those that are in
	// files are searched.
	Own []Own
	// Files are further files that may hold a key.
	Files []string
	// Folders are further folders to search.
	Folders []string
	// Secrets are further folders that may hold credentials of the outside
	// world.
	Secrets []string
}

// Check returns [ErrForeign] with everything that the process can read and
// must not. It looks at the files named, and at those in the folders and in
// their folders called keys, no deeper: at most 4096, of at most 64 KiB each.
// Larger files are passed over; more of them refuse.
//
// A private key is the process's own if the trust root gives it the role and
// the name of one of the process's keys: an authority may have the key that
// replaces its present one, a worker not that of another worker. Any other is
// foreign, one that the trust root does not know included, and so is a root
// key: no process needs one. Keys are compared, not
// files: the same key in two files is one key.
//
// Only a worker has credentials. A process without that role must not be able
// to list a folder called secrets in any of the folders searched either.
//
// What the system does not let the process open, it cannot read. Any other
// failure to look refuses.
func (p Process) Check() error {
	owners, err := p.owners()
	if err != nil {
		return err
	}
	s := search{trust: p.Trust, owners: owners, seen: map[string]bool{}}
	for _, path := range unique(slices.Clone(p.Files)) {
		s.file(path)
	}
	for _, dir := range p.folders() {
		s.folder(dir)
		s.folder(filepath.Join(dir, "keys"))
	}
	if !p.acts() {
		s.credentials(p.secrets())
	}
	return s.err()
}

// An owner is who has a key: several keys of one owner replace one another.
type owner struct {
	role evidence.Role
	name string
}

func (p Process) owners() (map[owner]bool, error) {
	if p.Trust == nil || len(p.Own) == 0 {
		return nil, fmt.Errorf("%w: without a trust root and a key of its own a process has no role", ErrForeign)
	}
	owners := map[owner]bool{}
	now := evidence.TimeOf(time.Now())
	useless := map[evidence.Role]error{} // why none of its keys can be used; nil if one can
	for _, own := range p.Own {
		if own.Signer == nil {
			return nil, fmt.Errorf("%w: there is no %s key", ErrForeign, own.Role)
		}
		k, ok := p.known(own)
		_, err := p.Trust.KeyNow(own.Signer.KeyID(), own.Role, now)
		if !ok {
			return nil, fmt.Errorf("%w: the %s key: %w", ErrForeign, own.Role, err)
		}
		owners[owner{k.Role, k.Name}] = true
		if before, seen := useless[own.Role]; !seen || before != nil {
			useless[own.Role] = err
		}
	}
	for role, err := range useless {
		if err != nil {
			return nil, fmt.Errorf("%w: the %s key: %w", ErrForeign, role, err)
		}
	}
	return owners, nil
}

// known returns a key of the process as the trust root has it, valid now or
// not.
func (p Process) known(own Own) (evidence.Key, bool) {
	for _, k := range p.Trust.Keys() {
		if k.ID == own.Signer.KeyID() && k.Role == own.Role {
			return k, true
		}
	}
	return evidence.Key{}, false
}

func (p Process) acts() bool {
	for _, own := range p.Own {
		if own.Role == evidence.RoleWorker {
			return true
		}
	}
	return false
}

// folders are those named and those of the keys: where the name of a file is,
// and where the file is that a link leads to.
func (p Process) folders() []string {
	folders := slices.Clone(p.Folders)
	for _, own := range p.Own {
		path := own.Signer.Origin()
		if path == "" {
			continue // not in a file
		}
		folders = append(folders, filepath.Dir(path))
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	return unique(folders)
}

func (p Process) secrets() []string {
	secrets := slices.Clone(p.Secrets)
	for _, dir := range p.folders() {
		secrets = append(secrets, filepath.Join(dir, "secrets"))
	}
	return unique(secrets)
}

// unique sorts paths and drops those that stand there twice.
func unique(paths []string) []string {
	for i, path := range paths {
		if abs, err := filepath.Abs(path); err == nil {
			paths[i] = abs
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
