package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/worker/config"
)

// keyLife is how long the keys that init makes are good for.
const keyLife = 365 * 24 * time.Hour

// made are the keys that init makes. The names are used in the templates.
var made = []struct {
	file string
	role evidence.Role
	name string
}{
	{"keys/authority.pem", evidence.RoleAuthority, "authority"},
	{"keys/recorder.pem", evidence.RoleRecorder, "recorder"},
	{"keys/worker.pem", evidence.RoleWorker, "worker-1"},
	{"keys/principal.pem", evidence.RolePrincipal, "operator"},
	{"keys/operator.pem", evidence.RoleOperator, "on-call"},
}

func (a *app) initCommand() *cobra.Command {
	var name, address string
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make keys, a trust root, a policy and requests that work together",
		Long: `Makes a folder in which interlockd and interlock work at once. It never
overwrites a file: if one that it would make is there, it makes nothing.

All keys are in one folder, for trying things out. In earnest each key is made
where it is used, and only the public keys meet, in trust.json.`,
		Args: exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error { return a.initialise(args[0], name, address) },
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the trust domain (default: the name of DIR)")
	cmd.Flags().StringVar(&address, "address", "127.0.0.1:7233", "host:port of the Temporal service")
	return cmd
}

func (a *app) initialise(dir, name, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return usage("--address %q: want host:port", address)
	}
	if name == "" {
		name = domainOf(dir)
	}
	files, err := templated(address)
	if err != nil {
		return err
	}
	if err := absent(dir, files); err != nil {
		return err
	}
	var w maker
	if err := w.make(dir, name, files); err != nil {
		w.undo()
		return err
	}
	return a.initialised(dir, name, w.files)
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
func absent(dir string, files []file) error {
	paths := []string{trustName}
	for _, f := range files {
		paths = append(paths, f.name)
	}
	for _, k := range made {
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

// A maker makes files, and knows which.
type maker struct{ files []string }

func (m *maker) make(dir, domain string, files []file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("couldn't make the folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return fmt.Errorf("couldn't make the folder of the keys: %w", err)
	}
	trust, err := m.keys(dir, domain)
	if err != nil {
		return err
	}
	for _, f := range append(files, file{trustName, trust}) {
		if err := m.write(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

// keys makes the keys and returns the trust root that believes them.
func (m *maker) keys(dir, domain string) ([]byte, error) {
	from := time.Now().Add(-time.Minute) // clocks differ
	var keys []evidence.Key
	for _, k := range made {
		path := filepath.Join(dir, k.file)
		signer, err := keyfile.Create(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		m.files = append(m.files, path)
		keys = append(keys, evidence.Key{
			ID: signer.KeyID(), Role: k.role, Name: k.name, Public: evidence.PublicKey(signer.Public()),
			From: evidence.TimeOf(from), Until: evidence.TimeOf(from.Add(keyLife)),
		})
	}
	trust, err := evidence.NewTrust(domain, keys)
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

func (a *app) initialised(dir, domain string, files []string) error {
	next := []string{
		"interlockd dev --config " + filepath.Join(dir, config.Name),
		"interlock start --config " + filepath.Join(dir, config.Name) + " " + filepath.Join(dir, "request.yaml"),
	}
	if a.json() {
		a.encode(a.out, struct {
			Domain string   `json:"domain"`
			Files  []string `json:"files"`
			Next   []string `json:"next"`
		}{domain, files, next})
		return nil
	}
	fmt.Fprintf(a.out, "made the trust domain %s:\n", plain(domain))
	for _, path := range files {
		fmt.Fprintf(a.out, "  %s\n", plain(path))
	}
	fmt.Fprintf(a.out, "next, in two terminals:\n  %s\n  %s\n", plain(next[0]), plain(next[1]))
	return nil
}
