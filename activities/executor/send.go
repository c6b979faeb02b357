package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// maxRedirects is how many redirects are followed by an action that reads.
const maxRedirects = 5

// An exchange is one call: what was sent, and what is known about it.
type exchange struct {
	h   *HTTP
	ctx context.Context
	// connected is set before the first byte of the request can be written,
	// and after TLS: from then on the effect may have happened. A request
	// that got a connection and was not written yet counts as sent too; the
	// gap is too small to be worth being wrong about.
	connected atomic.Bool
}

// Execute sends what Prepare returns; see Send.
func (h *HTTP) Execute(ctx context.Context, c Call) (json.RawMessage, error) {
	p, err := h.Prepare(c)
	if err != nil {
		return nil, err
	}
	return h.Send(ctx, c, p)
}

// Send sends p, with the action's headers and the idempotency key, and returns
// the JSON of the answer without insignificant white space, or null for an
// answer without a body. An error is an [Error].
func (h *HTTP) Send(ctx context.Context, c Call, p *Prepared) (json.RawMessage, error) {
	header, err := h.header(c.Key, p.body != nil)
	if err != nil {
		return nil, &Error{Cause: CauseSecret, NoEffect: true, Err: err}
	}
	x := &exchange{h: h, ctx: ctx}
	answer, err := x.send(p, header)
	if err != nil {
		return nil, x.broken(err)
	}
	defer answer.Body.Close()
	if e := x.refused(answer.StatusCode, c.Attempt); e != nil {
		return nil, e
	}
	return x.read(answer)
}

// header reads the secrets, now, and returns all headers.
func (h *HTTP) header(key string, body bool) (http.Header, error) {
	header := http.Header{"User-Agent": {"interlock"}, "Accept": {"application/json"}}
	if body {
		header.Set("Content-Type", "application/json")
	}
	for _, want := range h.headers {
		value := want.Value
		if want.Secret != "" {
			secret, err := h.secret(want.Secret)
			if err != nil {
				return nil, fmt.Errorf("header %q: %w", want.Name, err)
			}
			value = want.Prefix + secret
		}
		header.Set(want.Name, value)
	}
	header.Set("Idempotency-Key", key)
	return header, nil
}

func (h *HTTP) secret(name string) (string, error) {
	if h.secrets == nil {
		return "", fmt.Errorf("%w: %q: this worker has none", ErrSecret, name)
	}
	secret, err := h.secrets.Secret(name)
	if err != nil {
		return "", err
	}
	if secret == "" || !fitsHeader(secret) {
		return "", fmt.Errorf("%w: %q is empty or does not fit in a header", ErrSecret, name)
	}
	return secret, nil
}

// fitsHeader reports whether s goes into a header as it is: a line end in it
// would start another header.
func fitsHeader(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) && s == strings.TrimSpace(s)
}

// send returns the answer, whatever its status. It uses the transport and not
// an [http.Client], which follows redirects of requests that write.
func (x *exchange) send(p *Prepared, header http.Header) (*http.Response, error) {
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.connected.Store(true) }}
	ctx := httptrace.WithClientTrace(x.ctx, trace)
	r, err := http.NewRequestWithContext(ctx, p.method, p.url, bytes.NewReader(p.body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	for hop := 0; ; hop++ {
		answer, err := x.h.transport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		next := x.h.next(answer, hop)
		if next == nil {
			return answer, nil
		}
		answer.Body.Close()
		r = r.Clone(ctx)
		r.URL = next
	}
}

// next returns where to follow a redirect, or nil. Only an action that reads
// follows, and only to where it already was: the headers hold its secrets.
func (h *HTTP) next(answer *http.Response, hop int) *url.URL {
	if !h.safe || answer.StatusCode < 300 || answer.StatusCode > 399 || hop >= maxRedirects {
		return nil
	}
	next, err := answer.Location()
	if err != nil || next.User != nil || next.Scheme != h.template.scheme || addressOf(next) != h.template.address {
		return nil
	}
	return next
}
