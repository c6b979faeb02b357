// Package config reads interlock.yaml, the one configuration file that the
// daemon and the command line share. The type [File] is its manual.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keysource"
)

// Name is the usual name of the file.
const Name = "interlock.yaml"

// ErrConfig means that a configuration cannot be used.
var ErrConfig = errors.New("unusable configuration")

// A File is interlock.yaml. Paths are relative to the folder it is in.
// Unknown fields are errors.
type File struct {
	// Temporal says which Temporal service to use.
	Temporal Temporal `yaml:"temporal"`
	// Queues are the task queues.
	Queues Queues `yaml:"queues"`
	// Trust is the path of the trust root. Required. Workers follow it: they
	// read a new version within a second. Replace the file as a whole, by
	// renaming another to it, as interlock keys does.
	Trust string `yaml:"trust"`
	// Policy is the path of the policy bundle. Required by the control plane.
	Policy string `yaml:"policy"`
	// Catalogue is the path of the catalogue of actions. Required by workers.
	Catalogue string `yaml:"catalogue"`
	// Store is the evidence store: the path of an SQLite file, which is created
	// when it is missing, for processes of one machine; or, for a fleet, the URL
	// of a PostgreSQL database (postgres://user@host/database?sslmode=verify-full)
	// that interlockd store prepare was run on. A password must not be in it:
	// PGPASSFILE and PGPASSWORD are read, as by PostgreSQL's own programs.
	// Required by workers.
	Store string `yaml:"store"`
	// Secrets is the folder with the secrets that the catalogue names, one
	// file each, mode 0600. Needed only if the catalogue names any. A control
	// plane that can read the folder refuses to start.
	Secrets string `yaml:"secrets"`
	// Keys say where the private keys are. Each is the path of a file, mode
	// 0600, in a folder to which only its owner can write; or of such a folder
	// with files *.pem, all of them keys of the role, of which the newest is used
	// that the trust root allows (and *.uri, each with one pkcs11: URI); or
	// env:NAME, an environment variable with PEM or with PKCS #8 in base64, which
	// is taken away when it was read; or the pkcs11: URI of a key in a token (RFC
	// 7512), with module-path, and with pin-source or $INTERLOCK_PKCS11_PIN.
	//
	// A process needs those of its roles only, and refuses to start if it can
	// read another: here, or in the folders of its keys, of this file, of policy
	// and catalogue. See package worker/keyring.
	Keys Keys `yaml:"keys"`
	// Worker is the name of the worker's key in the trust root. Required for
	// the role steps.
	Worker string `yaml:"worker"`
	// Lease is how long authority lasts without a new signal: 500ms to 1h,
	// 10s by default. A frozen or cut off step stops within it.
	Lease Duration `yaml:"lease"`
	// Interval is the time between two integrity measurements: 20ms to a
	// third of the lease, 1s by default.
	Interval Duration `yaml:"interval"`
	// Window is the time between two signals in the chain, 1m by default.
	Window Duration `yaml:"window"`
	// Outage is how long executions wait for an evidence store that does not
	// answer, before they halt: 0s to 10m, 30s by default. Nothing takes effect
	// meanwhile, and no lease is renewed: a step that runs still stops with its
	// lease. With 0s they do not wait.
	Outage *Duration `yaml:"outage"`
	// Health is the address at which a worker says whether it lives (/healthz)
	// and whether it is ready (/readyz), such as 127.0.0.1:9090. Empty by default:
	// it does not listen. Anybody who reaches the address may ask.
	Health string `yaml:"health"`
	// MaxEvents is how many events a history may have before its execution
	// continues as new, 40 to 5000; 4000 by default.
	MaxEvents int `yaml:"maxEvents"`
	// MaxBytes is the same for the size of a history, 1048576 to 10485760; 8388608
	// by default.
	MaxBytes int `yaml:"maxBytes"`
	// SearchAttributes says that the Temporal namespace has the search
	// attributes InterlockVerdict, InterlockPrincipal, InterlockPolicy and
	// InterlockHaltCause, all of type Keyword. False by default: setting
	// attributes that a server does not know would block executions.
	SearchAttributes bool `yaml:"search_attributes"`

	dir, source string
}

// Temporal says which Temporal service to use.
type Temporal struct {
	// Address is host:port of the frontend, 127.0.0.1:7233 by default.
	Address string `yaml:"address"`
	// Namespace is "default" by default.
	Namespace string `yaml:"namespace"`
}

// Queues are the task queues.
type Queues struct {
	// Control is the queue of the control plane, "interlock" by default.
	Control string `yaml:"control"`
	// Steps is the queue of the step workers, "interlock-steps" by default.
	Steps string `yaml:"steps"`
}

// Keys say where private keys are; see [File].
type Keys struct {
	Authority string `yaml:"authority"`
	Recorder  string `yaml:"recorder"`
	Worker    string `yaml:"worker"`
	Principal string `yaml:"principal"` // for the command line
	Operator  string `yaml:"operator"`  // for interlock resolve
	Approver  string `yaml:"approver"`  // for interlock approve and refuse
	Revoker   string `yaml:"revoker"`   // for interlock revoke, kill and restore
	Root      string `yaml:"root"`      // for interlock keys; no process may read it
}

// A Duration is written like 500ms, 10s, 1m.
type Duration time.Duration

// UnmarshalYAML reads what [time.ParseDuration] reads.
func (d *Duration) UnmarshalYAML(b []byte) error {
	var s string
	if err := yaml.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%w: want a duration such as 10s", ErrConfig)
	}
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%w: %q is not a duration such as 10s", ErrConfig, s)
	}
	*d = Duration(parsed)
	return nil
}

// Load reads the file at path; if path is a folder, the interlock.yaml in it.
func Load(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, Name)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: couldn't read it: %w%s", ErrConfig, err, remedy(err))
	}
	f := &File{dir: filepath.Dir(path), source: path}
	if err := decode(data, f); err != nil {
		return nil, fmt.Errorf("%w: %s: %s", ErrConfig, path, yaml.FormatError(err, false, true))
	}
	f.defaults()
	if f.Trust == "" {
		return nil, fmt.Errorf("%w: %s: trust is missing: want the path of the trust root", ErrConfig, path)
	}
	if err := CheckStore(f.Store); err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return f, nil
}

// remedy is what to do about a file that could not be read.
func remedy(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return " (name it with --config, or make one with: interlock init DIR)"
	}
	return ""
}

// decode reads exactly one document. The library panics on some that are
// malformed; that is an error like the others.
func decode(data []byte, f *File) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not readable as YAML: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := dec.Decode(&File{}); !errors.Is(err, io.EOF) {
		return errors.New("want one document, without --- in between")
	}
	return nil
}

func (f *File) defaults() {
	set(&f.Temporal.Address, "127.0.0.1:7233")
	set(&f.Temporal.Namespace, "default")
	set(&f.Queues.Control, "interlock")
	set(&f.Queues.Steps, "interlock-steps")
	set(&f.Lease, Duration(10*time.Second))
	set(&f.Interval, Duration(time.Second))
	set(&f.Window, Duration(time.Minute))
	if f.Outage == nil { // 0s is a choice
		f.Outage = new(Duration)
		*f.Outage = Duration(30 * time.Second)
	}
}

func set[T comparable](field *T, to T) {
	var zero T
	if *field == zero {
		*field = to
	}
}

// Path returns a path of the file as one that can be opened, or "" for "".
func (f *File) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(f.dir, p)
}

// StoreTarget returns Store as package store takes it: a URL as it stands, a
// path as [File.Path] returns it.
func (f *File) StoreTarget() string {
	if IsURL(f.Store) {
		return f.Store
	}
	return f.Path(f.Store)
}

// IsURL reports whether an evidence store is a PostgreSQL database.
func IsURL(store string) bool {
	return strings.HasPrefix(store, "postgres://") || strings.HasPrefix(store, "postgresql://")
}

// CheckStore refuses a URL with a password in it, or one that could have one:
// files and command lines are read by others. The error does not show it.
func CheckStore(store string) error {
	if !IsURL(store) {
		return nil
	}
	u, err := url.Parse(store)
	if err != nil {
		return fmt.Errorf("%w: store: the URL cannot be read; want postgres://user@host/database?sslmode=verify-full", ErrConfig)
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") || strings.Count(store, "@") > 1 {
		return fmt.Errorf("%w: store: the URL has a password in it; put it into the file that PGPASSFILE names (~/.pgpass), or into PGPASSWORD", ErrConfig)
	}
	return nil
}

// Key returns where the key is that one of [File.Keys] names: a path as one that
// can be opened, anything else as it stands there.
func (f *File) Key(source string) string {
	if keysource.IsPath(source) {
		return f.Path(source)
	}
	return source
}

// KeyPaths returns the paths of files and folders among [File.Keys].
func (f *File) KeyPaths() []string {
	k := f.Keys
	var paths []string
	for _, source := range []string{k.Authority, k.Recorder, k.Worker, k.Principal, k.Operator, k.Approver, k.Revoker, k.Root} {
		if keysource.IsPath(source) {
			paths = append(paths, f.Path(source))
		}
	}
	return paths
}

// Dir returns the folder that the file is in.
func (f *File) Dir() string { return f.dir }

// Source returns the path of the file itself.
func (f *File) Source() string { return f.source }

// Terms returns the times that executions are governed by.
func (f *File) Terms() evidence.Terms {
	ms := func(d Duration) int64 { return time.Duration(d).Milliseconds() }
	return evidence.Terms{LeaseMS: ms(f.Lease), IntervalMS: ms(f.Interval), WindowMS: ms(f.Window)}
}

// ReadTrust reads the trust root.
func (f *File) ReadTrust() (*evidence.Trust, error) {
	data, err := os.ReadFile(f.Path(f.Trust))
	if err != nil {
		return nil, fmt.Errorf("%w: couldn't read the trust root: %w", ErrConfig, err)
	}
	t, err := evidence.ParseTrust(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path(f.Trust), err)
	}
	return t, nil
}
