package strict

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Errorf notes a problem at pos.
func (d *Doc) Errorf(pos Pos, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, pos, fmt.Sprintf(format, args...)})
}

// Err returns every problem noted so far in the order of the file, joined, or
// nil.
func (d *Doc) Err() error {
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	errs := make([]error, len(d.problems))
	for i, p := range d.problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// A Map is a mapping whose fields are read by name. A getter notes a problem
// if the field has another type, and returns the zero value.
type Map struct {
	doc    *Doc
	fields map[string]*Node
	// Pos is the place of the mapping.
	Pos Pos
}

// Map reads n as a mapping with the required fields, the optional ones, and
// no others.
func (d *Doc) Map(n *Node, required []string, optional ...string) Map {
	m := Map{doc: d, fields: map[string]*Node{}, Pos: n.Pos}
	if n.Kind != Object {
		d.Errorf(n.Pos, "want a mapping, got %v", n.Kind)
		return m
	}
	for _, f := range n.Fields {
		if !slices.Contains(required, f.Name) && !slices.Contains(optional, f.Name) {
			d.Errorf(f.Pos, "unknown field %q", f.Name)
		}
		m.fields[f.Name] = f.Value
	}
	for _, name := range required {
		if m.fields[name] == nil {
			d.Errorf(n.Pos, "field %q is missing", name)
		}
	}
	return m
}

// Get returns the field's node, or nil if it is not there.
func (m Map) Get(name string) *Node { return m.fields[name] }

// Place returns where the field's value stands, or the mapping does.
func (m Map) Place(name string) Pos {
	if n := m.fields[name]; n != nil {
		return n.Pos
	}
	return m.Pos
}

// get returns the field if it is there and of the wanted kind.
func (m Map) get(name string, want Kind) *Node {
	n := m.fields[name]
	if n == nil {
		return nil
	}
	if n.Kind != want {
		m.doc.Errorf(n.Pos, "field %q: want %v, got %v", name, want, n.Kind)
		return nil
	}
	return n
}

// String returns the text of a field that must be a string.
func (m Map) String(name string) string {
	if n := m.get(name, String); n != nil {
		return n.Text
	}
	return ""
}

// Bool returns a field that must be true or false.
func (m Map) Bool(name string) bool {
	n := m.get(name, Bool)
	return n != nil && n.Text == "true"
}

// Uint returns a field that must be a whole number from 0.
func (m Map) Uint(name string) uint64 {
	n := m.get(name, Number)
	if n == nil {
		return 0
	}
	v, err := strconv.ParseUint(n.Text, 10, 63)
	if err != nil {
		m.doc.Errorf(n.Pos, "field %q: want a whole number, got %s", name, n.Text)
	}
	return v
}

// Duration returns a field such as 10s that must lie between low and high, or
// otherwise if it is not there.
func (m Map) Duration(name string, low, high, otherwise time.Duration) time.Duration {
	n := m.get(name, String)
	if n == nil {
		return otherwise
	}
	v, err := time.ParseDuration(n.Text)
	if err != nil || v < low || v > high {
		m.doc.Errorf(n.Pos, "field %q: want a duration from %v to %v, got %q", name, low, high, n.Text)
	}
	return v
}

// Strings returns a field that must be a list of strings, or nil.
func (m Map) Strings(name string) []string {
	items := m.List(name)
	if items == nil {
		return nil
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		if item.Kind != String {
			m.doc.Errorf(item.Pos, "field %q: want a list of strings, got %v", name, item.Kind)
		}
		texts = append(texts, item.Text)
	}
	return texts
}

// List returns the items of a field that must be a list, or nil if it is not
// there.
func (m Map) List(name string) []*Node {
	n := m.get(name, List)
	if n == nil {
		return nil
	}
	return append([]*Node{}, n.Items...)
}
