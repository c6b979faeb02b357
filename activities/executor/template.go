package executor

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// A template is an address with arguments in braces, taken apart where a
// path or query is: what fills in an argument can then be kept in its place.
type template struct {
	scheme   string
	address  string // host:port
	origin   string // scheme://host, as in the catalogue
	segments [][]piece
	query    [][]piece // name=value
	used     map[string]bool
}

// A piece is either a text, already escaped, or an argument.
type piece struct{ text, arg string }

func parseTemplate(raw string) (*template, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	path, query, asks := strings.Cut(rest[end:], "?")
	t := &template{scheme: scheme, origin: scheme + "://" + rest[:end], used: map[string]bool{}}
	if err := t.parseOrigin(); err != nil {
		return nil, err
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		pieces, err := t.pieces(segment)
		if err != nil {
			return nil, err
		}
		t.segments = append(t.segments, pieces)
	}
	if asks {
		return t, t.parseQuery(query)
	}
	return t, nil
}

func (t *template) parseOrigin() error {
	u, err := url.Parse(t.origin)
	if err != nil || u.Host == "" { // braces cannot be in a host
		return errors.New("url: want scheme://host/ with no argument before the path")
	}
	if t.scheme != "https" && t.scheme != "http" {
		return fmt.Errorf("url: scheme %.20q, want https or http", t.scheme)
	}
	t.address = addressOf(u)
	return nil
}

// parseQuery allows arguments as values only: a name from outside could be
// one that the server gives a meaning of its own.
func (t *template) parseQuery(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(name, "{}") {
			return fmt.Errorf("url: %.60q: an argument in the query must come after =", pair)
		}
		pieces, err := t.pieces(pair)
		if err != nil {
			return err
		}
		t.query = append(t.query, pieces)
	}
	return nil
}

func (t *template) pieces(text string) ([]piece, error) {
	var pieces []piece
	for text != "" {
		before, after, found := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			return nil, errors.New("url: } without {")
		}
		pieces = append(pieces, piece{text: before})
		if !found {
			break
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return nil, errors.New("url: { without a name and }")
		}
		pieces = append(pieces, piece{arg: name})
		t.used[name] = true
		text = rest
	}
	return pieces, nil
}

// addressOf returns the host:port that u leads to, as the dialer will see it.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
