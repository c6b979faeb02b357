package evidence

import "fmt"

// text reads a string and returns what it stands for.
func (s *scanner) text() ([]byte, error) {
	start := s.at
	escaped := false
	for s.at++; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c < ' ':
			return nil, s.unexpected()
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c == '"':
			s.at++
			if escaped {
				return plain(s.data[start:s.at])
			}
			return s.data[start+1 : s.at-1], nil
		}
	}
	return nil, s.unexpected()
}

// escape reads an escape and stays on its last byte.
func (s *scanner) escape() error {
	s.at++
	if s.at >= len(s.data) {
		return s.unexpected()
	}
	switch s.data[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		return s.unicode()
	}
	return s.unexpected()
}

// unicode reads the rest of \uXXXX and, if that is the first half of a
// surrogate pair, of the escape after it. A half that stands alone is no
// character: some parsers replace it, some keep it, some fail.
func (s *scanner) unicode() error {
	at := s.at - 1
	unit, ok := s.hex()
	switch {
	case !ok:
		return s.unexpected()
	case unit < 0xD800 || unit > 0xDFFF:
		return nil
	case unit < 0xDC00 && s.at+2 < len(s.data) && s.data[s.at+1] == '\\' && s.data[s.at+2] == 'u':
		s.at += 2
		if low, ok := s.hex(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return nil
		}
	}
	return fmt.Errorf("%w: half of a surrogate pair at byte %d", ErrJSON, at)
}

// hex reads four hexadecimal digits after s.at and stays on the last.
func (s *scanner) hex() (unit int, ok bool) {
	for range 4 {
		s.at++
		if s.at >= len(s.data) {
			return 0, false
		}
		digit, ok := hexDigit(s.data[s.at])
		if !ok {
			return 0, false
		}
		unit = unit<<4 | digit
	}
	return unit, true
}

func hexDigit(c byte) (int, bool) {
	switch {
	case isDigit(c):
		return int(c - '0'), true
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10, true
	}
	return 0, false
}

// number reads -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
func (s *scanner) number() error {
	s.skip("-")
	if !s.skip("0") && !s.digits() {
		return s.unexpected()
	}
	if s.skip(".") && !s.digits() {
		return s.unexpected()
	}
	if s.skip("eE") {
		s.skip("+-")
		if !s.digits() {
			return s.unexpected()
		}
	}
	return nil
}

// skip skips the next byte if it is one of set.
func (s *scanner) skip(set string) bool {
	for i := range len(set) {
		if s.at < len(s.data) && s.data[s.at] == set[i] {
			s.at++
			return true
		}
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && isDigit(s.data[s.at]) {
		s.at++
	}
	return s.at > start
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
