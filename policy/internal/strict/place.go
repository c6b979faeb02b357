package strict

import (
	"fmt"
	"strings"
)

// Places returns where each character of a scalar's text stands in the file,
// and, last, where the text ends. It follows quotes, escapes, folded lines
// and the indentation of block scalars.
func (d *Doc) Places(n *Node) []Pos {
	c := cursor{lines: d.lines, line: n.Pos.Line - 1, col: n.Pos.Column - 1}
	c.open(n)
	var places []Pos
	for _, r := range n.Text {
		c.seek(r)
		places = append(places, c.pos())
		c.take(r)
	}
	return append(places, c.pos())
}

// Show returns the line of pos and a caret under its column.
func (d *Doc) Show(pos Pos) string {
	if pos.Line > len(d.lines) {
		return ""
	}
	number := fmt.Sprintf("%4d", pos.Line)
	line := string(d.lines[pos.Line-1])
	return fmt.Sprintf("%s | %s\n%s | %s^", number, line,
		strings.Repeat(" ", len(number)), strings.Repeat(" ", pos.Column-1))
}

// A cursor walks the source of one scalar. White space in the text may be
// any white space in the source; everything else stands for itself or is
// escaped, so walking from one to the next stays exact.
type cursor struct {
	lines     [][]rune
	line, col int
	quote     rune // '"', '\'' or 0
	indent    int  // of a block scalar
}

func (c *cursor) pos() Pos { return Pos{c.line + 1, c.col + 1} }

// now returns the character at the cursor, '\n' at the end of a line, and 0
// at the end of the file.
func (c *cursor) now() rune {
	switch {
	case c.line >= len(c.lines):
		return 0
	case c.col >= len(c.lines[c.line]):
		return '\n'
	}
	return c.lines[c.line][c.col]
}

// open moves past the quote, or past the header of a block scalar.
func (c *cursor) open(n *Node) {
	if n.block {
		c.indent = -1
		c.nextLine()
		return
	}
	if q := c.now(); q == '"' || q == '\'' {
		c.quote = q
		c.col++
	}
}

// nextLine moves to the next line; in a block scalar, past its indentation,
// which the first line that is not blank sets.
func (c *cursor) nextLine() {
	c.line, c.col = c.line+1, 0
	if c.indent == -1 {
		for c.line < len(c.lines) && strings.TrimSpace(string(c.lines[c.line])) == "" {
			c.line++
		}
		for c.indent = 0; c.now() == ' '; c.col++ {
			c.indent++
		}
		return
	}
	for c.col < c.indent && c.now() == ' ' {
		c.col++
	}
}

// seek moves to the source of r, the next character of the text.
func (c *cursor) seek(r rune) {
	if white(r) {
		return
	}
	for white(c.now()) || c.continued() {
		c.step()
	}
}

// continued reports whether a backslash hides the end of the line.
func (c *cursor) continued() bool {
	return c.quote == '"' && c.now() == '\\' && c.col+1 == len(c.lines[c.line])
}

// take moves past the source of r.
func (c *cursor) take(r rune) {
	now := c.now()
	switch {
	case now == '\\' && c.quote == '"':
		c.col++
		c.col += escapeLength(c.now())
	case now == '\'' && c.quote == '\'':
		c.col += 2
	case now == 0, white(r) && !white(now):
	default:
		c.step()
	}
}

func (c *cursor) step() {
	if c.col >= len(c.lines[c.line]) {
		c.nextLine()
		return
	}
	c.col++
}

// escapeLength returns how many characters follow the backslash.
func escapeLength(r rune) int {
	switch r {
	case 'x':
		return 3
	case 'u':
		return 5
	case 'U':
		return 9
	}
	return 1
}

func white(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }
