// Package catalogue reads the declared actions: what executions can do to the
// outside world, with which arguments, and how it is done.
//
// A catalogue is a YAML file, read strictly: an unknown field, a duplicate
// key or a doubtful value is an error at its place in the file. A catalogue
// that [Parse] accepts needs no further check. The package only reads; what
// is declared here is done elsewhere.
package catalogue

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/interlock-run/interlock/evidence"
)

// ErrCatalogue means that a file is not a valid catalogue. The error's text
// has a line for each problem: file:line:column and what is wrong.
var ErrCatalogue = errors.New("invalid catalogue")

// A Catalogue is a set of actions. It is read only and safe for concurrent
// use. The zero Catalogue has no actions.
type Catalogue struct {
	data    []byte
	digest  evidence.Digest
	actions map[string]*Action
}

// Digest identifies the catalogue: [evidence.FileDigest] of its exact bytes.
func (c *Catalogue) Digest() evidence.Digest { return c.digest }

// Bytes returns a copy of the exact bytes that were parsed.
func (c *Catalogue) Bytes() []byte { return bytes.Clone(c.data) }

// Action returns the action called name and whether there is one.
func (c *Catalogue) Action(name string) (*Action, bool) {
	a, ok := c.actions[name]
	return a, ok
}

// Names returns the names of the actions, sorted.
func (c *Catalogue) Names() []string {
	return slices.Sorted(maps.Keys(c.actions))
}
