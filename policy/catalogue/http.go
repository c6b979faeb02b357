package catalogue

import (
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/interlock-run/interlock/policy/internal/strict"
)

var (
	methods    = []string{"GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"}
	headerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)
	hostName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$`)
	// reserved headers are set by the transport or carry governance; a
	// catalogue must not be able to change what they say.
	reserved = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer",
		"Proxy-Authorization", "Proxy-Connection", "Expect", "Idempotency-Key"}
)

func parseHTTP(doc *strict.Doc, n *strict.Node, schema *jsonschema.Schema) *HTTP {
	m := doc.Map(n, []string{"method", "url", "hosts"}, "headers")
	h := &HTTP{Method: m.String("method"), URL: m.String("url"), Hosts: m.Strings("hosts")}
	if m.Get("method") != nil && !slices.Contains(methods, h.Method) {
		doc.Errorf(m.Place("method"), "method: want one of %s, got %q", strings.Join(methods, ", "), h.Method)
	}
	for i, host := range h.Hosts {
		if err := checkHost(host); err != nil {
			doc.Errorf(m.Place("hosts"), "hosts: %v", err)
		}
		if slices.Contains(h.Hosts[:i], host) {
			doc.Errorf(m.Place("hosts"), "hosts: %q twice", host)
		}
	}
	if h.URL != "" {
		parseURL(doc, m.Place("url"), h, schema)
	}
	if n := m.Get("headers"); n != nil {
		h.Headers = parseHeaders(doc, n)
	}
	return h
}

// parseURL checks the template of the address and splits it into parts.
func parseURL(doc *strict.Doc, pos strict.Pos, h *HTTP, schema *jsonschema.Schema) {
	parts, err := splitTemplate(h.URL)
	if err != nil {
		doc.Errorf(pos, "url: %v", err)
		return
	}
	h.parts = parts
	for _, p := range parts {
		if p.arg == "" || schema == nil {
			continue
		}
		if err := checkTemplateArg(p.arg, schema); err != nil {
			doc.Errorf(pos, "url: %v", err)
		}
	}
	if err := checkAddress(h); err != nil {
		doc.Errorf(pos, "url: %v", err)
	}
}

// checkTemplateArg insists that the argument is always there and is a string
// or a whole number.
func checkTemplateArg(name string, schema *jsonschema.Schema) error {
	arg := schema.Properties[name]
	if arg == nil {
		return fmt.Errorf("{%s} is not an argument", name)
	}
	if !slices.Contains(schema.Required, name) {
		return fmt.Errorf("{%s} is not a required argument", name)
	}
	types := []string{}
	if arg.Types != nil {
		types = arg.Types.ToStrings()
	}
	if len(types) != 1 || (types[0] != "string" && types[0] != "integer") {
		return fmt.Errorf("{%s} must have type string or integer", name)
	}
	return nil
}

// checkAddress checks the address with every argument replaced by a letter.
func checkAddress(h *HTTP) error {
	u, err := url.Parse(expand(h.parts, func(part) string { return "x" }))
	if err != nil {
		return fmt.Errorf("%q is not a URL", h.URL)
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("want scheme https or http, got %q", u.Scheme)
	case u.User != nil:
		return fmt.Errorf("holds a user or password; send a header with a secret")
	case strings.Contains(h.URL, "#"):
		return fmt.Errorf("holds a fragment")
	case !slices.Contains(h.Hosts, address(u)):
		return fmt.Errorf("host %q is not one of hosts", address(u))
	}
	for _, host := range h.Hosts {
		if u.Scheme == "http" && !loopback(host) {
			return fmt.Errorf("http without TLS may only go to loopback hosts, not %q", host)
		}
	}
	return nil
}

// address returns the host:port that u leads to.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// checkHost reports whether host is host:port in the one form that can be
// compared with what a client is about to dial.
func checkHost(host string) error {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return fmt.Errorf("%q is not host:port", host)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != port {
		return fmt.Errorf("%q has no valid port", host)
	}
	addr, err := netip.ParseAddr(name)
	if err == nil && addr.String() == name && addr.Zone() == "" {
		return nil
	}
	if err == nil || !hostName.MatchString(name) {
		return fmt.Errorf("%q is not a host in lower case or a plain IP address", host)
	}
	return nil
}

func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || (err == nil && addr.IsLoopback())
}

func parseHeaders(doc *strict.Doc, n *strict.Node) []Header {
	var headers []Header
	if n.Kind != strict.Object {
		doc.Errorf(n.Pos, "headers: want a mapping, got %v", n.Kind)
	}
	for _, f := range n.Fields {
		m := doc.Map(f.Value, nil, "value", "secret", "prefix")
		h := Header{Name: f.Name, Value: m.String("value"), Secret: m.String("secret"), Prefix: m.String("prefix")}
		if err := checkHeader(h); err != nil {
			doc.Errorf(f.Pos, "header %q: %v", f.Name, err)
		}
		headers = append(headers, h)
	}
	slices.SortFunc(headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return headers
}

func checkHeader(h Header) error {
	switch {
	case !headerName.MatchString(h.Name):
		return fmt.Errorf("not a header name")
	case textproto.CanonicalMIMEHeaderKey(h.Name) != h.Name:
		return fmt.Errorf("write it %q", textproto.CanonicalMIMEHeaderKey(h.Name))
	case slices.Contains(reserved, h.Name):
		return fmt.Errorf("reserved")
	case (h.Value == "") == (h.Secret == ""):
		return fmt.Errorf("want exactly one of value and secret")
	case h.Secret == "" && h.Prefix != "":
		return fmt.Errorf("prefix goes with secret only")
	case h.Secret != "" && !simpleName.MatchString(h.Secret):
		return fmt.Errorf("%q is not the name of a secret", h.Secret)
	case strings.ContainsFunc(h.Value+h.Prefix, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("holds a character that headers cannot")
	}
	return nil
}
