package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/template"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/config"
)

// A part is the folder of those who have the same keys.
type part struct {
	folder string
	who    string // as in the template
	roles  []evidence.Role
	files  []string // that it has besides its configuration and the trust root
}

// parts are the folders that init --apart makes. What a process cannot read,
// nobody gets who takes it over.
var parts = []part{
	{"control", "control plane", []evidence.Role{evidence.RoleAuthority, evidence.RoleRecorder}, []string{"actions.yaml", "policy.yaml", "policy-cases.yaml"}},
	{"steps", "step worker", []evidence.Role{evidence.RoleWorker}, []string{"actions.yaml"}},
	{"principal", "principal", []evidence.Role{evidence.RolePrincipal}, []string{"actions.yaml", "request.yaml", "request-denied.yaml", "request-approval.yaml"}},
	{"operator", "operator", []evidence.Role{evidence.RoleOperator}, nil},
	{"approver", "approver", []evidence.Role{evidence.RoleApprover}, nil},
	{"revoker", "revoker", []evidence.Role{evidence.RoleRevoker}, nil},
	{"root", "root key", []evidence.Role{rootKey}, nil},
}

// storeFolder is the one thing that control plane and step workers share.
const storeFolder = "store"

// apart lays out a folder for each part.
func apart(address string) (*layout, error) {
	all, err := templated(address)
	if err != nil {
		return nil, err
	}
	l := &layout{folders: []string{storeFolder}}
	for _, p := range parts {
		l.folders = append(l.folders, p.folder, filepath.Join(p.folder, "keys"))
		l.trusts = append(l.trusts, filepath.Join(p.folder, trustName))
		data, err := p.configuration(address)
		if err != nil {
			return nil, err
		}
		l.files = append(l.files, file{filepath.Join(p.folder, config.Name), data})
		for _, f := range all {
			if slices.Contains(p.files, f.name) {
				l.files = append(l.files, file{filepath.Join(p.folder, f.name), f.data})
			}
		}
		for _, k := range p.keys() {
			k.file = filepath.Join(p.folder, k.file)
			l.keys = append(l.keys, k)
		}
	}
	return l, nil
}

// keys returns those of the part.
func (p part) keys() []madeKey {
	var keys []madeKey
	for _, k := range made {
		if slices.Contains(p.roles, k.role) {
			keys = append(keys, k)
		}
	}
	return keys
}

// configuration fills in the interlock.yaml of the part.
func (p part) configuration(address string) ([]byte, error) {
	type key struct {
		Role evidence.Role
		File string
	}
	values := struct {
		Address, Who string
		Keys         []key
	}{Address: address, Who: p.who}
	for _, k := range p.keys() {
		values.Keys = append(values.Keys, key{k.role, k.file})
	}
	t, err := template.ParseFS(templates, "templates/apart.tmpl")
	if err != nil {
		return nil, fmt.Errorf("couldn't read the templates: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return nil, fmt.Errorf("couldn't fill in the configuration of the %s: %w", p.who, err)
	}
	return b.Bytes(), nil
}

// nextApart is what to start, in this order.
func nextApart(dir string) []string {
	control, steps, principal := filepath.Join(dir, "control"), filepath.Join(dir, "steps"), filepath.Join(dir, "principal")
	return []string{
		"interlockd worker --roles control --config " + control,
		"interlockd worker --roles steps --config " + steps,
		"interlock start --config " + principal + " " + filepath.Join(principal, "request.yaml"),
	}
}

// initialisedApart tells people what there is now.
func (a *app) initialisedApart(dir, domain, address string) {
	fmt.Fprintf(a.out, "made the trust domain %s, with each role apart:\n", plain(domain))
	for _, p := range parts {
		fmt.Fprintf(a.out, "  %-13s %s%c\n", p.who, plain(filepath.Join(dir, p.folder)), os.PathSeparator)
	}
	fmt.Fprintf(a.out, "  %-13s %s%c\n", "evidence", plain(filepath.Join(dir, storeFolder)), os.PathSeparator)
	fmt.Fprintf(a.out, "next, with a Temporal service at %s, in this order and each in a terminal of its own:\n", plain(address))
	for _, command := range nextApart(dir) {
		fmt.Fprintf(a.out, "  %s\n", plain(command))
	}
	fmt.Fprint(a.out, "in earnest, let each folder belong to a user of its own, and the evidence to control plane and step worker together\n")
}
