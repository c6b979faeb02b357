package strict

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A Kind says what a node is.
type Kind int

// The kinds, which are those of JSON.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Object
)

// String returns the kind in words.
func (k Kind) String() string {
	return [...]string{"nothing", "a boolean", "a number", "a string", "a list", "a mapping"}[k]
}

// A Node is one value of a file.
type Node struct {
	Kind   Kind
	Pos    Pos
	Text   string // of a scalar: a string's value, else as written
	Items  []*Node
	Fields []Field

	block bool // a block scalar: its text begins on the next line
}

// A Field is one entry of a mapping.
type Field struct {
	Name  string
	Pos   Pos
	Value *Node
}

// number is what JSON calls a number.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// convert turns what the YAML library read into a Node, and refuses what
// JSON could not say.
func (d *Doc) convert(n ast.Node, depth int) *Node {
	node := &Node{Pos: posOf(n.GetToken())}
	if depth > MaxDepth {
		d.Errorf(node.Pos, "nested more than %d deep", MaxDepth)
		return node
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		node.Kind, node.Text = Bool, strconv.FormatBool(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		node.Kind, node.Text = Number, n.GetToken().Value
		d.checkNumber(node)
	case *ast.StringNode:
		node.Kind, node.Text = String, n.Value
		d.checkPlain(node, n.Token)
	case *ast.LiteralNode:
		node.Kind, node.Text, node.block = String, n.Value.Value, true
	case *ast.SequenceNode:
		node.Kind = List
		for _, item := range n.Values {
			node.Items = append(node.Items, d.convert(item, depth+1))
		}
	case *ast.MappingNode:
		d.convertFields(node, n.Values, depth)
	case *ast.MappingValueNode:
		d.convertFields(node, []*ast.MappingValueNode{n}, depth)
	default:
		d.Errorf(node.Pos, "%v is not allowed here", n.Type())
	}
	return node
}

func (d *Doc) convertFields(node *Node, values []*ast.MappingValueNode, depth int) {
	node.Kind = Object
	seen := map[string]bool{}
	for i, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		pos := posOf(v.Key.GetToken())
		if i == 0 {
			node.Pos = pos
		}
		if !ok {
			d.Errorf(pos, "a key must be a string")
			continue
		}
		if seen[key.Value] {
			d.Errorf(pos, "duplicate key %q", key.Value)
		}
		seen[key.Value] = true
		node.Fields = append(node.Fields, Field{key.Value, pos, d.convert(v.Value, depth+1)})
	}
}

func (d *Doc) checkNumber(n *Node) {
	if !number.MatchString(n.Text) {
		d.Errorf(n.Pos, "write the number %s as JSON does, or quote it", n.Text)
	}
}

// checkPlain refuses unquoted text that another YAML reader takes for a
// number, such as 1e3 or 1_000.
func (d *Doc) checkPlain(n *Node, tk *token.Token) {
	if tk.Type != token.StringType {
		return
	}
	if _, err := strconv.ParseFloat(n.Text, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		d.Errorf(n.Pos, "quote %q, or write the number without an exponent", n.Text)
	}
}
