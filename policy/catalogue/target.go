package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A part is a stretch of an address: a text, or an argument and whether it
// stands in the query.
type part struct {
	text  string
	arg   string
	query bool
}

var (
	argName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	integer = regexp.MustCompile(`^-?[0-9]+$`)
)

// splitTemplate splits an address at its {arguments}.
func splitTemplate(template string) ([]part, error) {
	scheme, rest, ok := strings.Cut(template, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	if !ok || strings.ContainsAny(scheme+host, "{}") {
		return nil, errors.New("want scheme://host/ without {} before the path")
	}
	var parts []part
	query := false
	for template != "" {
		text, after, found := strings.Cut(template, "{")
		if strings.Contains(text, "}") {
			return nil, errors.New("} without {")
		}
		query = query || strings.Contains(text, "?")
		parts = append(parts, part{text: text})
		if !found {
			break
		}
		name, after, found := strings.Cut(after, "}")
		if !found || !argName.MatchString(name) {
			return nil, fmt.Errorf("{%.60s is not an argument in braces", name)
		}
		parts = append(parts, part{arg: name, query: query})
		template = after
	}
	return parts, nil
}

func expand(parts []part, value func(part) string) string {
	var b strings.Builder
	for _, p := range parts {
		if p.arg == "" {
			b.WriteString(p.text)
			continue
		}
		b.WriteString(value(p))
	}
	return b.String()
}

// Target returns what to call for args, which must have passed
// [Action.CheckArgs]: the address with its arguments filled in, escaped for
// where they stand, and for POST, PUT and PATCH a JSON object of the
// arguments that the address does not use (nil for other methods). The error
// is [ErrArgs]: an argument that is missing, or that would lead to another
// path than the template's, such as "..".
//
// The address is on the template's host whatever args are. The same args
// give the same bytes.
func (h *HTTP) Target(args []byte) (address string, body []byte, err error) {
	values, err := decodeArgs(args)
	if err != nil {
		return "", nil, err
	}
	texts := map[string]string{}
	for _, p := range h.parts {
		if p.arg == "" {
			continue
		}
		if texts[p.arg], err = text(p, values[p.arg]); err != nil {
			return "", nil, err
		}
	}
	address = expand(h.parts, func(p part) string { return escape(p, texts[p.arg]) })
	if err := checkPath(address); err != nil {
		return "", nil, err
	}
	body, err = h.body(values, texts)
	return address, body, err
}

// text returns the argument as it goes into the address, not yet escaped.
func text(p part, value any) (string, error) {
	switch v := value.(type) {
	case string:
		if v == "" && !p.query {
			return "", fmt.Errorf("%w: argument %q is empty and part of a path", ErrArgs, p.arg)
		}
		return v, nil
	case json.Number:
		if integer.MatchString(string(v)) {
			return string(v), nil
		}
	}
	return "", fmt.Errorf("%w: argument %q is not a string or whole number", ErrArgs, p.arg)
}

func escape(p part, text string) string {
	if p.query {
		return url.QueryEscape(text)
	}
	return url.PathEscape(text)
}

// checkPath refuses dot segments, also behind an escaped slash: a server, or a
// proxy on the way, would resolve them to another path.
func checkPath(address string) error {
	_, rest, _ := strings.Cut(address, "://")
	path, _, _ := strings.Cut(rest, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return fmt.Errorf("%w: the path cannot be read", ErrArgs)
	}
	for _, segment := range strings.FieldsFunc(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return fmt.Errorf("%w: the path would hold the segment %q", ErrArgs, segment)
		}
	}
	return nil
}

func (h *HTTP) body(values map[string]any, used map[string]string) ([]byte, error) {
	if !slices.Contains([]string{"POST", "PUT", "PATCH"}, h.Method) {
		return nil, nil
	}
	rest := maps.Clone(values)
	maps.DeleteFunc(rest, func(name string, _ any) bool { _, ok := used[name]; return ok })
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(rest); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrArgs, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
