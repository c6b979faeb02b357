package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is how deep arguments may be nested.
const maxDepth = 64

// number is what JSON calls a number.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// A text is a string that must be written as one: YAML would take 042 for a
// number and sign another text than the one that stands there.
type text string

// UnmarshalYAML reads a string.
func (t *text) UnmarshalYAML(n ast.Node) error {
	switch n := n.(type) {
	case *ast.StringNode:
		*t = text(n.Value)
		return checkWritten(n)
	case *ast.LiteralNode:
		*t = text(n.Value.Value)
	default:
		return wrong(n, "want a string; quote it if it looks like something else")
	}
	return nil
}

// args are the arguments of a step as JSON: in the order of the file, numbers
// as written, because those are the bytes that are signed.
type args json.RawMessage

// UnmarshalYAML reads a mapping.
func (a *args) UnmarshalYAML(n ast.Node) error {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		return wrong(n, "args: want a mapping")
	}
	var b bytes.Buffer
	if err := writeJSON(&b, n, 0); err != nil {
		return err
	}
	*a = b.Bytes()
	return nil
}

// wrong says what is wrong at n.
func wrong(n ast.Node, message string) error {
	return &yaml.SyntaxError{Message: message, Token: n.GetToken()}
}

// writeJSON writes n as JSON, and refuses what JSON could not say.
func writeJSON(b *bytes.Buffer, n ast.Node, depth int) error {
	if depth > maxDepth {
		return wrong(n, "nested too deep")
	}
	switch n := n.(type) {
	case *ast.NullNode:
		b.WriteString("null")
	case *ast.BoolNode:
		b.WriteString(strconv.FormatBool(n.Value))
	case *ast.IntegerNode, *ast.FloatNode:
		return writeNumber(b, n)
	case *ast.StringNode:
		return errors.Join(checkWritten(n), writeString(b, n.Value))
	case *ast.LiteralNode:
		return writeString(b, n.Value.Value)
	case *ast.SequenceNode:
		return writeList(b, n.Values, depth)
	case *ast.MappingNode:
		return writeObject(b, n.Values, depth)
	case *ast.MappingValueNode:
		return writeObject(b, []*ast.MappingValueNode{n}, depth)
	default:
		return wrong(n, n.Type().String()+" is not allowed here")
	}
	return nil
}

// checkWritten refuses unquoted text that somebody meant as a number: the
// library takes 1e3, and numbers that are too long for it, for strings.
func checkWritten(n *ast.StringNode) error {
	if n.Token.Type != token.StringType || !strings.ContainsAny(n.Value, "0123456789") {
		return nil
	}
	if _, err := strconv.ParseFloat(n.Value, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return wrong(n, "quote it, or write the number without an exponent and shorter")
	}
	return nil
}

func writeNumber(b *bytes.Buffer, n ast.Node) error {
	written := n.GetToken().Value
	if !number.MatchString(written) {
		return wrong(n, "write the number as JSON does, or quote it")
	}
	b.WriteString(written)
	return nil
}

func writeString(b *bytes.Buffer, s string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

func writeList(b *bytes.Buffer, items []ast.Node, depth int) error {
	b.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeJSON(b, item, depth+1); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func writeObject(b *bytes.Buffer, fields []*ast.MappingValueNode, depth int) error {
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		key, ok := f.Key.(*ast.StringNode)
		if !ok {
			return wrong(f.Key, "a key must be a string; quote it")
		}
		if err := writeString(b, key.Value); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := writeJSON(b, f.Value, depth+1); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}
