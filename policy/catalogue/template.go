package catalogue

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A part is a stretch of an address: a text or an argument.
type part struct {
	text string
	arg  string
}

var argName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// splitTemplate splits an address at its {arguments}.
func splitTemplate(template string) ([]part, error) {
	scheme, rest, ok := strings.Cut(template, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	if !ok || strings.ContainsAny(scheme+host, "{}") {
		return nil, errors.New("want scheme://host/ without {} before the path")
	}
	var parts []part
	for template != "" {
		text, after, found := strings.Cut(template, "{")
		if strings.Contains(text, "}") {
			return nil, errors.New("} without {")
		}
		parts = append(parts, part{text: text})
		if !found {
			break
		}
		name, after, found := strings.Cut(after, "}")
		if !found || !argName.MatchString(name) {
			return nil, fmt.Errorf("{%.60s is not an argument in braces", name)
		}
		parts = append(parts, part{arg: name})
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
