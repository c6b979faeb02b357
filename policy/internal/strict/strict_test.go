package strict

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRefuses has one row for each part of YAML that is not allowed. The
// error must stand at the given place.
func TestRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "f:1:1: holds 0 YAML documents"},
		{"comment", "# a\n", "f:1:1: holds 0 YAML documents"},
		{"two documents", "a: b\n---\nc: d\n", "f:1:1: holds 2 YAML documents"},
		{"anchor", "a: &x b\n", "f:1:4: anchors"},
		{"alias", "a: &x b\nc: *x\n", "f:2:4: anchors"},
		{"tag", "a: !!str 1\n", "f:1:4: tags"},
		{"merge key", "a: {<<: {b: c}}\n", "merge keys"},
		{"directive", "%YAML 1.2\n---\na: b\n", "f:1:1: directives"},
		{"question mark", "? a\n: b\n", "keys with '?'"},
		{"duplicate key", "a: b\na: c\n", "f:2:1: mapping key \"a\" already defined"},
		{"duplicate quoted key", "a: b\n\"a\": c\n", "f:2:1:"},
		{"duplicate key in flow", "x: {a: b, a: c}\n", "f:1:11:"},
		{"number as key", "1: b\n", "f:1:1: a key must be a string"},
		{"null as key", "~: b\n", "a key must be a string"},
		{"hexadecimal", "a: 0x10\n", "f:1:4: write the number 0x10 as JSON does"},
		{"octal", "a: 010\n", "as JSON does"},
		{"underscore", "a: 1_000\n", "as JSON does"},
		{"plus", "a: +1\n", "as JSON does"},
		{"no zero", "a: .5\n", "as JSON does"},
		{"exponent", "a: 1e3\n", "f:1:4: quote \"1e3\""},
		{"infinity", "a: .inf\n", "f:1:4:"},
		{"not a number", "a: .nan\n", "f:1:4:"},
		{"infinity in words", "a: inf\n", "quote \"inf\""},
		{"too large", "a: 1e999\n", "quote \"1e999\""},
		{"tab", "a:\n\tb: c\n", "f:2:1: a tab"},
		{"carriage return", "a: b\r\n", "f:1:5: a tab, carriage return"},
		{"byte order mark", "\ufeffa: b\n", "f:1:1: a tab"},
		{"right to left", "a: x\u202ey\n", "f:1:5: a tab"},
		{"not UTF-8", "a: \"\xff\"\n", "f:1:1: not valid UTF-8"},
		{"open quote", "a: \"b\n", "f:1:4:"},
		{"open bracket", "a: [b\n", "f:1:4:"},
		{"too long", strings.Repeat("#", MaxSize+1), "f:1:1: longer than"},
		{"too deep", "a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "nested more than 32 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := Parse("f", []byte(tt.text))
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, doc)
		})
	}
}

// TestDeepFilesAreCheap checks that nesting is refused before the YAML
// library spends time on it.
func TestDeepFilesAreCheap(t *testing.T) {
	for _, part := range []string{"[", "{a: ", "- ", "? ", "a: ", "[\n", "- [\n"} {
		begin := time.Now()
		_, err := Parse("f", []byte(strings.Repeat(part, 100_000)))
		require.ErrorContains(t, err, "nested too deep", part)
		require.Less(t, time.Since(begin), 5*time.Second, part)
	}
}

const sample = `name: é
plain: a.b == 'é' &&
  c.d
double: "x \"q\" \u00e9 \
  tail \x41 \U00000042 end"
single: 'it''s here'
literal: | # why
  one
    two

  three
folded: >-

  one
  two

  three
list: [true, null, 1.5, -0]
map: {a: {b: "<c>"}, d: []}
`

// TestPlaces checks where words of scalars stand, for every style.
func TestPlaces(t *testing.T) {
	doc, err := Parse("f", []byte(sample))
	require.NoError(t, err)
	tests := []struct {
		field, word string
		want        Pos
	}{
		{"plain", "a.b", Pos{2, 8}}, {"plain", "&&", Pos{2, 19}}, {"plain", "c.d", Pos{3, 3}},
		{"double", "x", Pos{4, 10}}, {"double", "q", Pos{4, 14}}, {"double", "é", Pos{4, 18}}, {"double", "tail", Pos{5, 3}},
		{"double", "A", Pos{5, 8}}, {"double", "B", Pos{5, 13}}, {"double", "end", Pos{5, 24}},
		{"single", "it", Pos{6, 10}}, {"single", "s", Pos{6, 14}}, {"single", "here", Pos{6, 16}},
		{"literal", "one", Pos{8, 3}}, {"literal", "two", Pos{9, 5}}, {"literal", "three", Pos{11, 3}},
		{"folded", "one", Pos{14, 3}}, {"folded", "two", Pos{15, 3}}, {"folded", "three", Pos{17, 3}},
	}
	for _, tt := range tests {
		n := field(doc, tt.field)
		require.Equal(t, 1, strings.Count(n.Text, tt.word), tt.word)
		offset := len([]rune(n.Text[:strings.Index(n.Text, tt.word)]))
		places := doc.Places(n)
		require.Len(t, places, len([]rune(n.Text))+1)
		require.Equal(t, tt.want, places[offset], "%s: %s", tt.field, tt.word)
	}
	require.Equal(t, "   3 |   c.d\n     |   ^", doc.Show(Pos{3, 3}))
	require.Empty(t, doc.Show(Pos{99, 1}))
}

func field(doc *Doc, name string) *Node {
	for _, f := range doc.Root.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

func TestJSON(t *testing.T) {
	doc, err := Parse("f", []byte(sample))
	require.NoError(t, err)
	require.Equal(t, `[true,null,1.5,-0]`, string(field(doc, "list").JSON()))
	require.Equal(t, `{"a":{"b":"<c>"},"d":[]}`, string(field(doc, "map").JSON()))
	require.Equal(t, `"\none two\nthree"`, string(field(doc, "folded").JSON()))
}

// TestMap has one field for each getter that is given another type.
func TestMap(t *testing.T) {
	doc, err := Parse("f", []byte("a: 1\nb: x\nc: -1\nd: {}\ne: [1]\nf: true\n"))
	require.NoError(t, err)
	m := doc.Map(doc.Root, []string{"a", "b", "c", "d", "e", "f"}, "g")
	require.Equal(t, uint64(1), m.Uint("a"))
	require.Equal(t, "x", m.String("b"))
	require.True(t, m.Bool("f"))
	require.NoError(t, doc.Err())
	require.Zero(t, []any{m.String("g"), m.Uint("g"), m.Bool("g")}[0])
	require.Nil(t, m.List("g"))
	require.Equal(t, time.Second, m.Duration("g", 0, 0, time.Second))
	require.Equal(t, m.Pos, m.Place("g"))
	require.Equal(t, Pos{5, 4}, m.Place("e"))

	m.String("a")
	m.Uint("c")
	m.Bool("d")
	m.Strings("e")
	m.Duration("b", 0, time.Second, 0)
	m.List("f")
	require.EqualError(t, doc.Err(), strings.Join([]string{
		`f:1:4: field "a": want a string, got a number`,
		`f:2:4: field "b": want a duration from 0s to 1s, got "x"`,
		`f:3:4: field "c": want a whole number, got -1`,
		`f:4:4: field "d": want a boolean, got a mapping`,
		`f:5:5: field "e": want a list of strings, got a number`,
		`f:6:4: field "f": want a list, got a boolean`,
	}, "\n"))
}

// FuzzParse reads any bytes. What is read must be JSON, and every character
// of every string must have a place in the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("- a\n- |2\n   b\n- >+\n\n c\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		begin := time.Now()
		doc, err := Parse("f", data)
		if err == nil {
			walk(t, doc, doc.Root)
			require.NotEmpty(t, doc.Root.JSON())
		}
		require.Less(t, time.Since(begin), 20*time.Second)
	})
}

func walk(t *testing.T, doc *Doc, n *Node) {
	if n.Kind == String {
		for _, pos := range doc.Places(n) {
			require.Positive(t, pos.Line)
			require.Positive(t, pos.Column)
			doc.Show(pos)
		}
	}
	for _, item := range n.Items {
		walk(t, doc, item)
	}
	for _, f := range n.Fields {
		walk(t, doc, f.Value)
	}
}
