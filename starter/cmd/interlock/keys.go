package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keysource"
	"github.com/interlock-run/interlock/worker/config"
)

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Say whose keys are believed: add, retire, and mark compromised ones",
		Long: `Makes new versions of the trust root, trust.json, each signed by its root keys.
Processes that run take a new version within a second, and nothing stops.

To replace a key:

  1. interlock keys add --role authority --name authority --make keys/authority/2027.pem
     It is valid from a minute later on, when everybody knows it. The process
     that signs with it needs it in the folder that keys.authority names.
  2. interlock keys retire ID-OF-THE-OLD-ONE
     What it signed can be verified for ever.

A key that was stolen: add another one first if there is none, then

     interlock keys compromised ID --since 2026-01-31T09:30:00Z --note "…"

Executions that it signed a part of are halted. What it signed before that time
is believed where a record by another key proves that it was before.

Where more than one root key has to sign, the new version is a draft at first:
interlock keys sign DRAFT --key FILE, by each in turn, then interlock keys adopt
DRAFT. Adopt also takes a new version to another machine.`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(a.keysList(), a.keysAdd(), a.keysRetire(), a.keysCompromised(), a.keysRoots(), a.keysSign(), a.keysAdopt(), a.keysPublic())
	return cmd
}

// A change is what the commands that make a new version have in common.
type change struct {
	app   *app
	key   string // source of the root key to sign with
	draft string // where to put a draft
}

// flags adds those of a change.
func (c *change) flags(cmd *cobra.Command) {
	c.app.configFlag(cmd)
	cmd.Flags().StringVar(&c.key, "key", "", "the root key to sign with: a file, env:NAME, or a pkcs11: URI (default: keys.root in interlock.yaml)")
	cmd.Flags().StringVar(&c.draft, "draft", "", "where to put the new version if it needs more signatures (default: trust-VERSION.draft beside the trust root)")
}

// make makes the next version of the trust root, signs it, and puts it in
// force if that is enough.
func (c *change) make(edit func(*evidence.Trust, *evidence.Draft) error) error {
	f, err := c.app.load()
	if err != nil {
		return err
	}
	current, err := f.ReadTrust()
	if err != nil {
		return err
	}
	d := current.Draft(now())
	if err := edit(current, d); err != nil {
		return err
	}
	if current.Version() == 0 && len(d.Roots.Keys) == 0 {
		return withHint(usage("%s is not signed, and has no versions", f.Path(f.Trust)),
			"give it root keys: interlock keys roots --need 1 --add NAME=PUBLIC, or change the file and start everything again")
	}
	root, err := c.root(f)
	if err != nil {
		return err
	}
	if err := d.Sign(root); err != nil {
		return err
	}
	next, err := follows(current, d)
	if err == nil {
		return c.app.adopt(f, next)
	}
	if lacking(current, d) == 0 {
		return err
	}
	return c.keep(f, current, d)
}

// root loads the root key to sign with.
func (c *change) root(f *config.File) (*evidence.Signer, error) {
	if c.key == "" {
		return loadKey(f, "root", f.Keys.Root)
	}
	return loadOne("--key", c.key)
}

func loadOne(flag, source string) (*evidence.Signer, error) {
	keys, err := keysource.Load(source)
	if err != nil {
		return nil, usage("%s: %w", flag, err)
	}
	if len(keys) != 1 {
		return nil, usage("%s: %d keys are there: want one", flag, len(keys))
	}
	return keys[0], nil
}

// keep writes a draft that needs more signatures. It overwrites none.
func (c *change) keep(f *config.File, current *evidence.Trust, d *evidence.Draft) error {
	path := c.draft
	if path == "" {
		path = f.Path(fmt.Sprintf("trust-%d.draft", d.Version))
	}
	data, err := d.Encode()
	if err != nil {
		return err
	}
	if err := writeFile(path, data, false); err != nil {
		return withHint(err, "sign that one, or remove it, or name another file with --draft")
	}
	c.app.tellDraft(path, current, d)
	return nil
}

// follows returns the trust root that a draft has become, if it may follow the
// current one.
func follows(current *evidence.Trust, d *evidence.Draft) (*evidence.Trust, error) {
	next, err := d.Trust()
	if err != nil {
		return nil, err
	}
	if current.Version() == 0 { // the first signed one is believed because it lies there, as the unsigned one was
		return next, nil
	}
	data, err := current.Encode()
	if err != nil {
		return nil, err
	}
	trial, err := evidence.ParseTrust(data)
	if err != nil {
		return nil, err
	}
	return next, trial.Advance(next)
}

// lacking returns how many signatures a draft lacks: of the root keys of the
// current version, and of its own.
func lacking(current *evidence.Trust, d *evidence.Draft) int {
	return max(unsigned(current.Roots(), d), unsigned(d.Roots, d))
}

func unsigned(roots evidence.Roots, d *evidence.Draft) int {
	signed := 0
	for _, k := range roots.Keys {
		for _, s := range d.Signatures {
			if s.KeyID == k.ID {
				signed++
			}
		}
	}
	return max(roots.Need-signed, 0)
}

// find returns the one key of a draft that is meant by an id or a name. Of a
// name only keys that have not ended count.
func find(d *evidence.Draft, what string) (*evidence.Key, error) {
	var found []*evidence.Key
	for i := range d.Keys {
		k := &d.Keys[i]
		if k.ID == what {
			return k, nil
		}
		if k.Name == what && (k.Until == 0 || k.Until > now()) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return nil, withHint(usage("there is no key with the id or the name %.80q", what), "see the keys: interlock keys list")
	case 1:
		return found[0], nil
	}
	var ids []string
	for _, k := range found {
		ids = append(ids, k.ID)
	}
	return nil, usage("%d keys have the name %.80q: say which of %s", len(found), what, strings.Join(ids, ", "))
}
