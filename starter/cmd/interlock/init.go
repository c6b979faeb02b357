package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/worker/config"
)

// keyLife is how long the keys that init makes are good for.
const keyLife = 365 * 24 * time.Hour

// A madeKey is a key that init makes.
type madeKey struct {
	file string
	role evidence.Role
	name string
}

// made are the keys that init makes. The names are used in the templates.
var made = []madeKey{
	{"keys/authority.pem", evidence.RoleAuthority, "authority"},
	{"keys/recorder.pem", evidence.RoleRecorder, "recorder"},
	{"keys/worker.pem", evidence.RoleWorker, "worker-1"},
	{"keys/principal.pem", evidence.RolePrincipal, "developer"},
	{"keys/operator.pem", evidence.RoleOperator, "on-call"},
	{"keys/approver.pem", evidence.RoleApprover, "lead"},
	{"keys/revoker.pem", evidence.RoleRevoker, "security"},
	{"keys/root.pem", rootKey, "root"},
}

// rootKey stands for a role where there is none: root keys sign the trust root.
const rootKey evidence.Role = "root"

func (a *app) initCommand() *cobra.Command {
	var name, address string
	var roles bool
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make keys, a trust root, a policy and requests that work together",
		Long: `Makes a folder in which interlockd and interlock work at once. It never
overwrites a file: if one that it would make is there, it makes nothing.

All keys are in one folder, for trying things out. With --apart there is a
folder each for the control plane, the step worker, the principal, the operator,
the approver, the revoker and the root key, with its own keys only; interlockd
refuses to start where it can read a key of another role. In earnest each key is
made where it is used, and only the public keys meet, in trust.json.

The root key signs trust.json, and so says whose key is believed: keep it where
no program runs. See interlock keys --help.`,
		Args: exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error { return a.initialise(args[0], name, address, roles) },
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the trust domain (default: the name of DIR)")
	cmd.Flags().BoolVar(&roles, "apart", false, "make a folder for each role, with its own keys only")
	cmd.Flags().StringVar(&address, "address", "127.0.0.1:7233", "host:port of the Temporal service")
	return cmd
}

func (a *app) initialise(dir, name, address string, roles bool) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return usage("--address %q: want host:port", address)
	}
	if name == "" {
		name = domainOf(dir)
	}
	lay, next := together, nextTogether
	if roles {
		lay, next = apart, nextApart
	}
	l, err := lay(address)
	if err != nil {
		return err
	}
	if err := l.absent(dir); err != nil {
		return err
	}
	w := maker{dir: dir}
	if err := w.make(name, l); err != nil {
		w.undo()
		return err
	}
	switch {
	case a.json():
		a.encode(a.out, struct {
			Domain string   `json:"domain"`
			Files  []string `json:"files"`
			Next   []string `json:"next"`
		}{name, w.files, next(dir)})
	case roles:
		a.initialisedApart(dir, name, address)
	default:
		a.initialised(dir, name, w.files)
	}
	return nil
}

// A layout is what init makes, by paths in its folder.
type layout struct {
	folders []string // for their owner only; a folder before those in it
	keys    []madeKey
	trusts  []string // copies of the trust root
	files   []file
}

// together lays out one folder with everything.
func together(address string) (*layout, error) {
	files, err := templated(address)
	return &layout{folders: []string{"keys"}, keys: made, trusts: []string{trustName}, files: files}, err
}

// domainOf names a trust domain after its folder.
func domainOf(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if base := filepath.Base(dir); base != string(filepath.Separator) {
		return base
	}
	return "interlock"
}

// absent makes sure that nothing would be overwritten.
func (l *layout) absent(dir string) error {
	paths := slices.Clone(l.trusts)
	for _, f := range l.files {
		paths = append(paths, f.name)
	}
	for _, k := range l.keys {
		paths = append(paths, k.file)
	}
	for _, path := range paths {
		path = filepath.Join(dir, path)
		_, err := os.Lstat(path)
		if err == nil {
			return withHint(fmt.Errorf("couldn't make %s: it is there already, and nothing was touched: %w", path, fs.ErrExist), "name another folder")
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("couldn't look at %s: %w", path, err)
		}
	}
	return nil
}

// A maker makes files in a folder, and knows which.
type maker struct {
	dir   string
	files []string
}

func (m *maker) make(domain string, l *layout) error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return fmt.Errorf("couldn't make the folder: %w", err)
	}
	for _, folder := range l.folders {
		if err := os.MkdirAll(filepath.Join(m.dir, folder), 0o700); err != nil {
			return fmt.Errorf("couldn't make the folder %s: %w", folder, err)
		}
	}
	trust, err := m.keys(domain, l.keys)
	if err != nil {
		return err
	}
	files := slices.Clone(l.files)
	for _, path := range l.trusts {
		files = append(files, file{path, trust})
	}
	for _, f := range files {
		if err := m.write(filepath.Join(m.dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

// keys makes keys and returns the trust root that believes them, signed by the
// root key among them.
func (m *maker) keys(domain string, wanted []madeKey) ([]byte, error) {
	from := time.Now().Add(-time.Minute) // clocks differ
	d := &evidence.Draft{Domain: domain, Version: 1, Issued: evidence.TimeOf(from), Roots: evidence.Roots{Need: 1}}
	var root *evidence.Signer
	for _, k := range wanted {
		path := filepath.Join(m.dir, k.file)
		signer, err := keyfile.Create(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		m.files = append(m.files, path)
		if k.role == rootKey {
			root = signer
			d.Roots.Keys = append(d.Roots.Keys, evidence.RootKey{ID: signer.KeyID(), Name: k.name, Public: evidence.PublicKey(signer.Public())})
			continue
		}
		d.Keys = append(d.Keys, evidence.Key{
			ID: signer.KeyID(), Role: k.role, Name: k.name, Public: evidence.PublicKey(signer.Public()),
			From: evidence.TimeOf(from), Until: evidence.TimeOf(from.Add(keyLife)),
		})
	}
	if err := d.Sign(root); err != nil {
		return nil, err
	}
	trust, err := d.Trust()
	if err != nil {
		return nil, err
	}
	return trust.Encode()
}

func (m *maker) write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("couldn't make %s: %w", path, err)
	}
	m.files = append(m.files, path)
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("couldn't write %s: %w", path, err)
	}
	return nil
}

// undo removes what was made, so that init can be tried again.
func (m *maker) undo() {
	for _, path := range m.files {
		_ = os.Remove(path)
	}
}

// nextTogether is what to start, in this order.
func nextTogether(dir string) []string {
	return []string{
		"interlockd dev --config " + filepath.Join(dir, config.Name),
		"interlock start --config " + filepath.Join(dir, config.Name) + " " + filepath.Join(dir, "request.yaml"),
	}
}

func (a *app) initialised(dir, domain string, files []string) {
	fmt.Fprintf(a.out, "made the trust domain %s:\n", plain(domain))
	for _, path := range files {
		fmt.Fprintf(a.out, "  %s\n", plain(path))
	}
	next := nextTogether(dir)
	fmt.Fprintf(a.out, "next, in two terminals:\n  %s\n  %s\n", plain(next[0]), plain(next[1]))
}
