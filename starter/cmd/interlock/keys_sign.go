package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/config"
)

func (a *app) keysSign() *cobra.Command {
	c := change{app: a}
	cmd := &cobra.Command{
		Use:   "sign DRAFT",
		Short: "Sign a draft of a new version with another root key",
		Long: `Signs a draft, and says what it changes: look at that before you give the file to
anybody. The trust root that interlock.yaml names is what it is compared with.`,
		Args: exactly("DRAFT"),
		RunE: func(_ *cobra.Command, args []string) error { return c.sign(args[0]) },
	}
	a.configFlag(cmd)
	cmd.Flags().StringVar(&c.key, "key", "", "the root key to sign with: a file, env:NAME, or a pkcs11: URI (default: keys.root in interlock.yaml)")
	return cmd
}

// sign adds a signature to the draft in a file.
func (c *change) sign(path string) error {
	f, err := c.app.load()
	if err != nil {
		return err
	}
	current, err := f.ReadTrust()
	if err != nil {
		return err
	}
	d, err := readDraft(path)
	if err != nil {
		return err
	}
	root, err := c.root(f)
	if err != nil {
		return err
	}
	if !isRoot(current.Roots(), root) && !isRoot(d.Roots, root) {
		return usage("the key %s is no root key, neither of the trust root nor of the draft", root.KeyID())
	}
	if err := d.Sign(root); err != nil {
		return err
	}
	data, err := d.Encode()
	if err != nil {
		return err
	}
	if err := writeFile(path, data, true); err != nil {
		return err
	}
	c.app.tellDraft(path, current, d)
	return nil
}

func readDraft(path string) (*evidence.Draft, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("couldn't read the draft: %w", err)
	}
	d, err := evidence.ParseDraft(data)
	if err != nil {
		return nil, usage("%s: %w", path, err)
	}
	return d, nil
}

func isRoot(roots evidence.Roots, key *evidence.Signer) bool {
	for _, k := range roots.Keys {
		if k.ID == key.KeyID() {
			return true
		}
	}
	return false
}

func (a *app) keysAdopt() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt FILE",
		Short: "Put a new version of the trust root in force",
		Long: `Takes a draft that has enough signatures, or a trust root of another machine, and
puts it in the place of the trust root that interlock.yaml names, as a whole or
not at all. Processes take it within a second.`,
		Args: exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := a.load()
			if err != nil {
				return err
			}
			current, err := f.ReadTrust()
			if err != nil {
				return err
			}
			d, err := readDraft(args[0])
			if err != nil {
				return err
			}
			next, err := follows(current, d)
			if err != nil {
				if n := lacking(current, d); n > 0 {
					return withHint(err, fmt.Sprintf("%d more of the root keys must sign it: interlock keys sign %s --key FILE", n, args[0]))
				}
				return err
			}
			return a.adopt(f, next)
		},
	}
	a.configFlag(cmd)
	return cmd
}

// adopt puts a trust root in the place of the present one.
func (a *app) adopt(f *config.File, next *evidence.Trust) error {
	path := f.Path(f.Trust)
	data, err := next.Encode()
	if err != nil {
		return err
	}
	if err := replaceFile(path, data); err != nil {
		return err
	}
	if a.json() {
		a.encode(a.out, struct {
			Version uint64 `json:"version"`
			File    string `json:"file"`
			Lacking int    `json:"lacking"`
		}{next.Version(), path, 0})
		return nil
	}
	fmt.Fprintf(a.out, "version %d of the trust root is in force: %s\n", next.Version(), plain(path))
	return nil
}

// replaceFile replaces a file as a whole, with one that as many can read.
func replaceFile(path string, data []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".interlock-*")
	if err != nil {
		return fmt.Errorf("couldn't write %s: %w", path, err)
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("couldn't write %s: %w", path, err), os.Remove(temp.Name()))
	}
	return nil
}

func (a *app) keysPublic() *cobra.Command {
	return &cobra.Command{
		Use:   "public SOURCE",
		Short: "Show the public key of a private one: of a file, env:NAME, or a pkcs11: URI",
		Args:  exactly("SOURCE"),
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := loadOne("SOURCE", args[0])
			if err != nil {
				return err
			}
			text, err := evidence.PublicKey(key.Public()).MarshalText()
			if err != nil {
				return err
			}
			if a.json() {
				a.encode(a.out, struct {
					ID     string `json:"id"`
					Public string `json:"public"`
				}{key.KeyID(), string(text)})
				return nil
			}
			fmt.Fprintf(a.out, "%s\n", text)
			return nil
		},
	}
}
