package main

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
)

// A listedKey is a key with what can be said of it now.
type listedKey struct {
	evidence.Key
	State string `json:"state"`
}

// stateOf says what a key is good for now.
func stateOf(k *evidence.Key, at evidence.Time) string {
	switch {
	case k.Compromised != 0:
		return "compromised"
	case k.Until != 0 && k.Until <= at:
		return "retired"
	case k.From > at:
		return "to come"
	}
	return "valid"
}

func (a *app) keysList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys of the trust root, and its root keys",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			f, err := a.load()
			if err != nil {
				return err
			}
			trust, err := f.ReadTrust()
			if err != nil {
				return err
			}
			a.list(trust)
			return nil
		},
	}
	a.configFlag(cmd)
	return cmd
}

func (a *app) list(trust *evidence.Trust) {
	at := now()
	keys := []listedKey{}
	for _, k := range trust.Keys() {
		keys = append(keys, listedKey{k, stateOf(&k, at)})
	}
	roots := trust.Roots()
	if a.json() {
		a.encode(a.out, struct {
			Domain  string             `json:"domain"`
			Version uint64             `json:"version"`
			Issued  evidence.Time      `json:"issued"`
			Need    int                `json:"need"`
			Roots   []evidence.RootKey `json:"roots"`
			Keys    []listedKey        `json:"keys"`
		}{trust.Domain(), trust.Version(), trust.Issued(), roots.Need, append([]evidence.RootKey{}, roots.Keys...), keys})
		return
	}
	if trust.Version() == 0 {
		fmt.Fprintf(a.out, "trust domain %s, not signed\n", plain(trust.Domain()))
	} else {
		fmt.Fprintf(a.out, "trust domain %s, version %d of %v, signed by %d of %d root keys\n",
			plain(trust.Domain()), trust.Version(), trust.Issued(), roots.Need, len(roots.Keys))
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tNAME\tPERSON\tID\tFROM\tUNTIL\tSTATE")
	for _, k := range keys {
		state := k.State
		if k.Compromised != 0 {
			state += " since " + k.Compromised.String() + ": " + k.Note
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%v\t%s\n", k.Role, plain(k.Name), plain(k.Holder()), k.ID, k.From, k.Until, plain(state))
	}
	for _, k := range roots.Keys {
		fmt.Fprintf(w, "root\t%s\t%s\t%s\t\t\t\n", plain(k.Name), plain(k.Name), k.ID)
	}
	_ = w.Flush()
}

// tellDraft says what a draft changes, and what it lacks.
func (a *app) tellDraft(path string, current *evidence.Trust, d *evidence.Draft) {
	lacks := lacking(current, d)
	if a.json() {
		a.encode(a.out, struct {
			Version uint64   `json:"version"`
			File    string   `json:"file"`
			Lacking int      `json:"lacking"`
			Changes []string `json:"changes"`
		}{d.Version, path, lacks, differences(current, d)})
		return
	}
	fmt.Fprintf(a.out, "%s is version %d of the trust root, as a draft. After version %d it changes:\n", plain(path), d.Version, current.Version())
	for _, line := range differences(current, d) {
		fmt.Fprintf(a.out, "  %s\n", plain(line))
	}
	if lacks > 0 {
		fmt.Fprintf(a.out, "%d more of the root keys must sign it: interlock keys sign %s --key FILE\n", lacks, plain(path))
		return
	}
	fmt.Fprintf(a.out, "it has the signatures that it needs: %s\n", plain(a.again("interlock keys adopt "+path)))
}

// differences says in words what a draft changes.
func differences(current *evidence.Trust, d *evidence.Draft) []string {
	lines := []string{}
	if d.Domain != current.Domain() {
		lines = append(lines, fmt.Sprintf("the domain is %s", d.Domain))
	}
	before := map[string]evidence.Key{}
	for _, k := range current.Keys() {
		before[k.ID] = k
	}
	for _, k := range d.Keys {
		was, there := before[k.ID]
		delete(before, k.ID)
		who := fmt.Sprintf("key %s: %s %s (%s)", k.ID, k.Role, k.Name, k.Holder())
		switch {
		case !there:
			lines = append(lines, fmt.Sprintf("%s is added, from %v until %v", who, k.From, k.Until))
		case was.Compromised != k.Compromised:
			lines = append(lines, fmt.Sprintf("%s is compromised since %v: %s", who, k.Compromised, k.Note))
		case was.Until != k.Until:
			lines = append(lines, fmt.Sprintf("%s ends at %v, not at %v", who, k.Until, was.Until))
		case was.Role != k.Role || was.Name != k.Name || was.Person != k.Person || was.From != k.From || was.Note != k.Note:
			lines = append(lines, fmt.Sprintf("%s was %s %s (%s) from %v, %s", who, was.Role, was.Name, was.Holder(), was.From, was.Note))
		}
	}
	for _, k := range before {
		lines = append(lines, fmt.Sprintf("key %s: %s %s is forgotten", k.ID, k.Role, k.Name))
	}
	return append(lines, rootDifferences(current.Roots(), d.Roots)...)
}

func rootDifferences(was, is evidence.Roots) (lines []string) {
	id := func(k evidence.RootKey) string { return k.ID + " " + k.Name }
	for _, k := range is.Keys {
		if !slices.ContainsFunc(was.Keys, func(o evidence.RootKey) bool { return id(o) == id(k) }) {
			lines = append(lines, fmt.Sprintf("root key %s: %s is added", k.ID, k.Name))
		}
	}
	for _, k := range was.Keys {
		if !slices.ContainsFunc(is.Keys, func(o evidence.RootKey) bool { return id(o) == id(k) }) {
			lines = append(lines, fmt.Sprintf("root key %s: %s is removed", k.ID, k.Name))
		}
	}
	if was.Need != is.Need {
		lines = append(lines, fmt.Sprintf("%d of the root keys have to sign the next version, not %d", is.Need, was.Need))
	}
	return lines
}
