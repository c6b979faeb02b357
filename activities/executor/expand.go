package executor

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// maxURL bounds the length of an address, in bytes.
const maxURL = 8 << 10

// expand fills in the template. An argument that would not stay in its place
// is refused, and so is one that a server or proxy might move by decoding
// once more: path arguments are plain words, anything may go into a query.
func (t *template) expand(args map[string]string) (string, error) {
	segments, err := fillAll(t.segments, args, pathValue)
	if err != nil {
		return "", err
	}
	pairs, err := fillAll(t.query, args, queryValue)
	if err != nil {
		return "", err
	}
	address := t.origin + "/" + strings.Join(segments, "/")
	if t.query != nil {
		address += "?" + strings.Join(pairs, "&")
	}
	return address, t.check(address)
}

func fillAll(all [][]piece, args map[string]string, escape func(string) (string, error)) ([]string, error) {
	filled := make([]string, len(all))
	for i, pieces := range all {
		var err error
		if filled[i], err = fill(pieces, args, escape); err != nil {
			return nil, err
		}
	}
	return filled, nil
}

func fill(pieces []piece, args map[string]string, escape func(string) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
		if p.arg == "" {
			continue
		}
		value, ok := args[p.arg]
		if !ok {
			return "", fmt.Errorf("argument %q is missing", p.arg)
		}
		escaped, err := escape(value)
		if err != nil {
			return "", fmt.Errorf("argument %q %w", p.arg, err)
		}
		b.WriteString(escaped)
	}
	return b.String(), nil
}

func pathValue(value string) (string, error) {
	if value == "" {
		return "", errors.New("is empty and part of a path")
	}
	if strings.ContainsAny(value, `/\%?#;`) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", errors.New(`is part of a path and holds one of / \ % ? # ; or a control character`)
	}
	return url.PathEscape(value), nil
}

func queryValue(value string) (string, error) { return url.QueryEscape(value), nil }

// check looks at a finished address the way a client will: same origin, as
// many segments, none that leads elsewhere, and nothing that would be
// written differently from what was prepared.
func (t *template) check(address string) error {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURL || u.String() != address || !fitsHeader(address) ||
		strings.ContainsAny(address, " #") {
		return errors.New("the address is not a plain URL, or too long")
	}
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if u.Scheme != t.scheme || addressOf(u) != t.address || u.User != nil || len(segments) != len(t.segments) {
		return errors.New("the address leads elsewhere than the template")
	}
	for _, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "." || plain == ".." {
			return errors.New("the path holds a segment that leads elsewhere")
		}
	}
	return nil
}
