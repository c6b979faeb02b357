package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// fewNames is how many names of one object are compared one by one. Beyond
// it a set takes over, so that an object with many members costs no more than
// its length.
const fewNames = 16

// CheckJSON reports whether data is exactly one JSON value (RFC 8259) that two
// parsers cannot read differently, or [ErrJSON]: valid UTF-8, at most 64
// objects and arrays inside each other, no object with the same name twice,
// and no escape that is half of a surrogate pair. White space is free.
func CheckJSON(data []byte) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("%w: not valid UTF-8", ErrJSON)
	}
	s := scanner{data: data}
	if err := s.value(0); err != nil {
		return err
	}
	s.next()
	if s.at != len(data) {
		return fmt.Errorf("%w: bytes after the value", ErrJSON)
	}
	return nil
}

// A scanner reads JSON from data[at:]. names holds the names of the objects
// that are open, the innermost last.
type scanner struct {
	data  []byte
	at    int
	names [][]byte
}

// next skips white space and returns the byte it stands before, or 0 at the
// end. A zero byte in the data is an error wherever it stands.
func (s *scanner) next() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take skips white space and the byte c, if it is next.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) unexpected() error {
	if s.at >= len(s.data) {
		return fmt.Errorf("%w: it ends too early", ErrJSON)
	}
	return fmt.Errorf("%w: unexpected %q at byte %d", ErrJSON, s.data[s.at], s.at)
}

// value reads one value that stands inside of depth objects and arrays.
func (s *scanner) value(depth int) error {
	switch c := s.next(); {
	case (c == '{' || c == '[') && depth == maxDepth:
		return fmt.Errorf("%w: nested more than %d deep", ErrJSON, maxDepth)
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || isDigit(c):
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.at:], []byte(word)) {
			s.at += len(word)
			return nil
		}
	}
	return s.unexpected()
}

func (s *scanner) array(depth int) error {
	s.at++
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		switch {
		case s.take(']'):
			return nil
		case !s.take(','):
			return s.unexpected()
		}
	}
}

func (s *scanner) object(depth int) error {
	s.at++
	if s.take('}') {
		return nil
	}
	outer := len(s.names)
	var many map[string]bool
	for {
		if err := s.member(outer, &many, depth); err != nil {
			return err
		}
		switch {
		case s.take('}'):
			s.names = s.names[:outer]
			return nil
		case !s.take(','):
			return s.unexpected()
		}
	}
}

// member reads one member of the object whose names stand in s.names[outer:]
// while they are few, and then in many.
func (s *scanner) member(outer int, many *map[string]bool, depth int) error {
	if s.next() != '"' {
		return s.unexpected()
	}
	name, err := s.text()
	switch {
	case err != nil:
		return err
	case s.seen(name, outer, many):
		return fmt.Errorf("%w: the name %.60q twice in one object", ErrJSON, name)
	case !s.take(':'):
		return s.unexpected()
	}
	return s.value(depth)
}

// seen reports whether the object has had this name, and remembers it.
func (s *scanner) seen(name []byte, outer int, many *map[string]bool) bool {
	if *many != nil {
		seen := (*many)[string(name)]
		(*many)[string(name)] = true
		return seen
	}
	for _, other := range s.names[outer:] {
		if bytes.Equal(name, other) {
			return true
		}
	}
	s.names = append(s.names, name)
	if few := s.names[outer:]; len(few) > fewNames {
		*many = make(map[string]bool, 2*len(few))
		for _, n := range few {
			(*many)[string(n)] = true
		}
	}
	return false
}

// plain returns the text that a JSON string with escapes stands for.
func plain(quoted []byte) ([]byte, error) {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrJSON, err)
	}
	return []byte(text), nil
}
