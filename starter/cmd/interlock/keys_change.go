package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
)

// soon is when a change takes effect that nobody gave a time for: when every
// process knows of it.
const soon = "+1m"

func now() evidence.Time { return evidence.TimeOf(time.Now()) }

// momentOf reads a time: now, an offset from now such as +1m, or RFC 3339.
func momentOf(flag, s string) (evidence.Time, error) {
	if s == "now" {
		return now(), nil
	}
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		if d, err := time.ParseDuration(s); err == nil {
			return now().Add(d), nil
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return evidence.TimeOf(t), nil
	}
	return 0, usage("%s %q: want now, an offset such as +1m or -2h, or a time such as 2026-01-31T09:30:00Z", flag, s)
}

func (a *app) keysAdd() *cobra.Command {
	c := change{app: a}
	var k evidence.Key
	var role, public, file, from, until string
	cmd := &cobra.Command{
		Use:   "add --role ROLE --name NAME (--public KEY | --make FILE)",
		Short: "Add a key, for somebody new or to replace another",
		Long: `Adds a public key to the trust root. Several keys may have one role and one
name: they replace each other.

It is valid from --from on. Leave every process the time to learn of it: whoever
does not know a key yet refuses what it signs, and that halts.`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			k.Role = evidence.Role(role)
			return c.make(func(_ *evidence.Trust, d *evidence.Draft) error { return addKey(d, k, public, file, from, until) })
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&role, "role", "", "principal, authority, worker, recorder, operator, approver or revoker")
	cmd.Flags().StringVar(&k.Name, "name", "", "whose name records state; for a key that replaces another, the same")
	cmd.Flags().StringVar(&k.Person, "person", "", "whose key it is, where that is not the name")
	cmd.Flags().StringVar(&public, "public", "", "the public key: base64, or a file with it, in base64 or PEM")
	cmd.Flags().StringVar(&file, "make", "", "make a new private key in this file, and add its public key")
	cmd.Flags().StringVar(&from, "from", soon, "when it becomes valid")
	cmd.Flags().StringVar(&until, "until", "", "when it ends, or never (default: a year after it becomes valid)")
	return cmd
}

func addKey(d *evidence.Draft, k evidence.Key, public, file, from, until string) (err error) {
	if (public == "") == (file == "") {
		return usage("add: want either --public or --make")
	}
	if k.From, err = momentOf("--from", from); err != nil {
		return err
	}
	switch until {
	case "never":
	case "":
		k.Until = k.From.Add(keyLife)
	default:
		if k.Until, err = momentOf("--until", until); err != nil {
			return err
		}
	}
	if public != "" {
		k.Public, err = publicKey(public)
	} else {
		k.Public, err = makeKey(d, k, file)
	}
	k.ID = evidence.KeyID(ed25519.PublicKey(k.Public))
	d.Keys = append(d.Keys, k)
	return err
}

// makeKey makes a private key, unless what is to be added could not be: then
// there is no file that nobody needs.
func makeKey(d *evidence.Draft, k evidence.Key, file string) (evidence.PublicKey, error) {
	trial, err := keyless(d, k)
	if err != nil {
		return nil, err
	}
	if _, err := trial.Encode(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	signer, err := keyfile.Create(file)
	if err != nil {
		return nil, withHint(err, "name another file")
	}
	return evidence.PublicKey(signer.Public()), nil
}

// keyless is the draft with a key that nobody keeps in the place of k's.
func keyless(d *evidence.Draft, k evidence.Key) (*evidence.Draft, error) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	k.Public, k.ID = evidence.PublicKey(public), evidence.KeyID(public)
	trial := *d
	trial.Keys = append(append([]evidence.Key(nil), d.Keys...), k)
	return &trial, nil
}

// publicKey reads a public key: base64, or a file with base64 or PEM.
func publicKey(s string) (evidence.PublicKey, error) {
	var k evidence.PublicKey
	if k.UnmarshalText([]byte(s)) == nil {
		return k, nil
	}
	data, err := os.ReadFile(s)
	if err != nil {
		return nil, usage("%.80q is neither an Ed25519 public key in base64 nor a file that can be read: %w", s, err)
	}
	if block, _ := pem.Decode(data); block != nil {
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if public, ok := parsed.(ed25519.PublicKey); ok && err == nil {
			return evidence.PublicKey(public), nil
		}
		return nil, usage("%s: not an Ed25519 public key in PEM", s)
	}
	if err := k.UnmarshalText([]byte(strings.TrimSpace(string(data)))); err != nil {
		return nil, usage("%s: %w", s, err)
	}
	return k, nil
}

func (a *app) keysRetire() *cobra.Command {
	c := change{app: a}
	var at string
	var last bool
	cmd := &cobra.Command{
		Use:   "retire ID|NAME",
		Short: "End a key that is not needed any more; what it signed stays good",
		Long: `Ends a key. From that time on it signs nothing that is believed; what it signed
before can be verified for ever, and it never comes back.

Leave the key that replaces it the time to come into use: at least one lease.
What the old one signed just before and nobody has acted on is refused, and
that halts.`,
		Args: exactly("ID|NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.make(func(_ *evidence.Trust, d *evidence.Draft) error {
				k, err := find(d, args[0])
				if err != nil {
					return err
				}
				end, err := momentOf("--at", at)
				if err != nil {
					return err
				}
				k.Until = end
				if !last && !replaced(d, k, end) {
					return withHint(usage("no other key of role %s is valid at %v: nothing that needs one could go on", k.Role, end),
						"add one first: interlock keys add; or retire it with --last")
				}
				return nil
			})
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&at, "at", soon, "when it ends")
	cmd.Flags().BoolVar(&last, "last", false, "also if no other key has its role then")
	return cmd
}

// replaced reports whether another key has the role of k at that time.
func replaced(d *evidence.Draft, k *evidence.Key, at evidence.Time) bool {
	for i := range d.Keys {
		o := &d.Keys[i]
		if o.ID != k.ID && o.Role == k.Role && o.From <= at && (o.Until == 0 || o.Until > at) && o.Compromised == 0 {
			return true
		}
	}
	return false
}

func (a *app) keysCompromised() *cobra.Command {
	c := change{app: a}
	var since, note string
	cmd := &cobra.Command{
		Use:   "compromised ID|NAME --since TIME --note TEXT",
		Short: "Mark a key that others may have; what runs under it halts",
		Long: `Marks a key as compromised. Nothing that it signs is acted on any more, whatever
time it states, and executions that it signed a part of are halted. This is never
taken back.

Since is the last moment at which the key was certainly nobody else's. What it
signed before is believed where a record by another key, of before that moment
too, proves it; a seal, which nothing follows, is not.

Add another key first if the role has none: a halt has to be signed, too.`,
		Args: exactly("ID|NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			if since == "" || note == "" {
				return usage("compromised: want --since and --note")
			}
			return c.make(func(_ *evidence.Trust, d *evidence.Draft) error {
				k, err := find(d, args[0])
				if err != nil {
					return err
				}
				k.Note = note
				k.Compromised, err = momentOf("--since", since)
				if err == nil && k.Compromised > now() {
					return usage("--since %s is in the future: a key that is to end is retired", since)
				}
				return err
			})
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&since, "since", "", "from when on it is not believed; required")
	cmd.Flags().StringVar(&note, "note", "", "what happened; required")
	return cmd
}

func (a *app) keysRoots() *cobra.Command {
	c := change{app: a}
	var need int
	var add, remove []string
	cmd := &cobra.Command{
		Use:   "roots [--need M] [--add NAME=PUBLIC] [--remove NAME]",
		Short: "Change which root keys there are, and how many of them must sign",
		Long: `Changes the root keys. As many of the present ones have to sign that as must sign
now, and as many of the new ones as must sign then.

A trust root that was not signed becomes version 1 of one that is; processes
that run with it have to be started again.`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			return c.make(func(_ *evidence.Trust, d *evidence.Draft) error { return editRoots(&d.Roots, need, add, remove) })
		},
	}
	c.flags(cmd)
	cmd.Flags().IntVar(&need, "need", 0, "how many of the root keys have to sign (default: as now)")
	cmd.Flags().StringArrayVar(&add, "add", nil, "a root key to add: whose it is, and the public key in base64 or a file with it")
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "the name of a root key to remove")
	return cmd
}

func editRoots(roots *evidence.Roots, need int, add, remove []string) error {
	for _, name := range remove {
		before := len(roots.Keys)
		kept := roots.Keys[:0]
		for _, k := range roots.Keys {
			if k.Name != name {
				kept = append(kept, k)
			}
		}
		if roots.Keys = kept; len(kept) == before {
			return usage("--remove %.80q: no root key has that name", name)
		}
	}
	for _, s := range add {
		name, key, ok := strings.Cut(s, "=")
		if !ok {
			return usage("--add %.80q: want NAME=PUBLIC", s)
		}
		public, err := publicKey(key)
		if err != nil {
			return err
		}
		roots.Keys = append(roots.Keys, evidence.RootKey{ID: evidence.KeyID(ed25519.PublicKey(public)), Name: name, Public: public})
	}
	if need != 0 {
		roots.Need = need
	}
	return nil
}
