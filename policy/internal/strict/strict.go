// Package strict reads a small, unambiguous part of YAML: one document of
// mappings, sequences and scalars. Anchors, aliases, tags, merge keys,
// directives, duplicate keys, and numbers that JSON spells otherwise are
// errors, because two readers of a policy must never see different rules.
//
// Everything that is read keeps its place, so that an error can point at it.
package strict

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a file. They keep the YAML library's time and stack out of an
// author's hands.
const (
	// MaxSize is the size of the largest file, in bytes.
	MaxSize = 1 << 20
	// MaxDepth is how deeply collections may be nested.
	MaxDepth = 32
)

// A Pos is a place in a file: line and column, from 1, in characters.
type Pos struct{ Line, Column int }

// A Doc is one file: its root and the problems found in it so far. It is not
// safe for concurrent use.
type Doc struct {
	Root *Node

	file     string
	lines    [][]rune
	problems []Problem
}

// Parse reads data, the content of the file called name. The error, if any,
// is a list of [Problem].
func Parse(name string, data []byte) (*Doc, error) {
	d := &Doc{file: name, Root: &Node{Kind: Null, Pos: Pos{1, 1}}}
	if len(data) > MaxSize {
		d.Errorf(Pos{1, 1}, "longer than %d bytes", MaxSize)
		return nil, d.Err()
	}
	d.split(data)
	d.parse(data)
	if err := d.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// split keeps the lines for messages and refuses what no text editor shows.
func (d *Doc) split(data []byte) {
	for i, line := range strings.Split(string(data), "\n") {
		d.lines = append(d.lines, []rune(line))
		if !utf8.ValidString(line) {
			d.Errorf(Pos{i + 1, 1}, "not valid UTF-8")
		}
		if at := strings.IndexFunc(line, hidden); at >= 0 {
			d.Errorf(Pos{i + 1, utf8.RuneCountInString(line[:at]) + 1}, "a tab, carriage return or other hidden character; indent with spaces")
		}
	}
}

// hidden reports whether r can change the meaning of a file unseen: control
// characters, byte order marks, line separators and bidirectional overrides.
func hidden(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0xfeff, r == 0x2028, r == 0x2029:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200b:
		return true
	}
	return false
}

func (d *Doc) parse(data []byte) {
	if len(d.problems) > 0 || !d.shallow() {
		return
	}
	tokens := lexer.Tokenize(string(data))
	for _, tk := range tokens {
		d.checkToken(tk)
	}
	if len(d.problems) > 0 {
		return
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		d.syntaxError(err)
		return
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) != 1 {
		d.Errorf(Pos{1, 1}, "holds %d YAML documents, want one", len(bodies))
		return
	}
	d.Root = d.convert(bodies[0], 0)
}

// shallow refuses what could nest far more than MaxDepth deep before the YAML
// library, whose time grows with the square of the depth, sees it. Brackets
// and dashes in strings count too, so the bound for them is wider.
func (d *Doc) shallow() bool {
	open := 0
	for i, line := range d.lines {
		indicators := 0
		for at, r := range line {
			last := at+1 == len(line) || line[at+1] == ' '
			switch {
			case r == '[', r == '{':
				open++
			case r == ']', r == '}':
				open = max(open-1, 0)
			case last && (r == '-' || r == '?' || r == ':'):
				indicators++
			}
		}
		if open > 4*MaxDepth || indicators > 4*MaxDepth {
			d.Errorf(Pos{i + 1, 1}, "nested too deep")
			return false
		}
	}
	return true
}

// checkToken refuses the parts of YAML that make a file say what it does not
// show.
func (d *Doc) checkToken(tk *token.Token) {
	switch tk.Type {
	case token.AnchorType, token.AliasType:
		d.Errorf(posOf(tk), "anchors and aliases are not allowed")
	case token.TagType:
		d.Errorf(posOf(tk), "tags are not allowed")
	case token.MergeKeyType:
		d.Errorf(posOf(tk), "merge keys are not allowed")
	case token.DirectiveType:
		d.Errorf(posOf(tk), "directives are not allowed")
	case token.MappingKeyType:
		d.Errorf(posOf(tk), "keys with '?' are not allowed")
	case token.InvalidType:
		d.Errorf(posOf(tk), "%s", tk.Error)
	}
}

func (d *Doc) syntaxError(err error) {
	var detail yaml.Error
	if errors.As(err, &detail) && detail.GetToken() != nil {
		d.Errorf(posOf(detail.GetToken()), "%s", detail.GetMessage())
		return
	}
	d.Errorf(Pos{1, 1}, "%v", err)
}

func posOf(tk *token.Token) Pos {
	if tk == nil || tk.Position == nil {
		return Pos{1, 1}
	}
	return Pos{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File string
	Pos  Pos
	Text string
}

// Error returns file:line:column and what is wrong.
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Pos.Line, p.Pos.Column, p.Text)
}
