package executor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/interlock-run/interlock/policy/catalogue"
)

// ErrHTTP means that an action cannot be done over HTTP as it is declared.
var ErrHTTP = errors.New("invalid HTTP action")

// HTTPOptions say how to do one action over HTTP.
type HTTPOptions struct {
	// Effect is the action's, from the catalogue. Required. Only a GET or
	// HEAD of an action that reads is taken to change nothing.
	Effect catalogue.Effect
	// RootCAs are the authorities to trust instead of the system's, or nil.
	RootCAs *x509.CertPool
}

// HTTP is a [Preparer] that does one action over HTTP. It is safe for
// concurrent use.
//
// A request goes to the template's host and nowhere else. One that could
// change something is sent at most once, on a connection of its own: its
// redirects are not followed, and no failure makes it be sent again.
//
// The error says what is known about this call alone. That one attempt had
// no effect says nothing about the attempts before it.
type HTTP struct {
	*Requests
	headers   []catalogue.Header
	secrets   Secrets
	safe      bool // changes nothing: may be redirected, and sent again
	transport http.RoundTripper
}

// NewHTTP returns the executor of the action that spec describes. It refuses,
// with [ErrHTTP], a URL it could not keep in its place, a host that spec does
// not allow, a lacking effect, and a secret that is not there: a worker with
// a hole in it must not start. It sends nothing.
func NewHTTP(spec *catalogue.HTTP, secrets Secrets, o HTTPOptions) (*HTTP, error) {
	requests, err := NewRequests(spec)
	if err != nil {
		return nil, err
	}
	safe := reads(spec.Method, o.Effect)
	h := &HTTP{
		Requests:  requests,
		headers:   slices.Clone(spec.Headers),
		secrets:   secrets,
		safe:      safe,
		transport: newTransport(spec.Hosts, safe, o.RootCAs),
	}
	if err := h.validate(spec, o); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHTTP, err)
	}
	return h, nil
}

func reads(method string, e catalogue.Effect) bool {
	return e == catalogue.Read && (method == http.MethodGet || method == http.MethodHead)
}

// validate looks at what a template alone cannot say. The last two work as a
// call would: an address with a letter for each argument, and its headers.
func (h *HTTP) validate(spec *catalogue.HTTP, o HTTPOptions) error {
	if !slices.Contains([]string{"GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"}, spec.Method) {
		return fmt.Errorf("method %.20q", spec.Method)
	}
	if !slices.Contains([]catalogue.Effect{catalogue.Read, catalogue.Write, catalogue.Irreversible}, o.Effect) {
		return fmt.Errorf("effect %.20q", o.Effect)
	}
	if !slices.Contains(spec.Hosts, h.template.address) {
		return fmt.Errorf("url: host %q is not one of hosts", h.template.address)
	}
	letters := map[string]string{}
	for name := range h.template.used {
		letters[name] = "x"
	}
	if _, err := h.template.expand(letters); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	_, err := h.header("start", false)
	return err
}
