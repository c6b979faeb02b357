package executor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// Prepared is a request that is about to be sent, without the secrets. It does
// not change once it is made, so its digest stays that of what it holds.
type Prepared struct {
	method, url string
	body        []byte
	digest      evidence.Digest
}

// NewPrepared returns a request. The body is nil if it has none.
func NewPrepared(method, url string, body []byte) *Prepared {
	return &Prepared{method: method, url: url, body: bytes.Clone(body), digest: evidence.HTTPDigest(method, url, body)}
}

// Method returns the method.
func (p *Prepared) Method() string { return p.method }

// URL returns the address.
func (p *Prepared) URL() string { return p.url }

// Body returns a copy of the JSON to send, or nil if the method has no body.
func (p *Prepared) Body() []byte { return bytes.Clone(p.body) }

// Digest returns [evidence.HTTPDigest] of the three above.
func (p *Prepared) Digest() evidence.Digest { return p.digest }

// Requests makes the requests of one action. It holds no secrets and sends
// nothing. It is safe for concurrent use.
type Requests struct {
	method   string
	template *template
}

// NewRequests returns what makes the requests of the action that spec
// describes, or [ErrHTTP].
func NewRequests(spec *catalogue.HTTP) (*Requests, error) {
	if spec == nil {
		return nil, fmt.Errorf("%w: no specification", ErrHTTP)
	}
	t, err := parseTemplate(spec.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHTTP, err)
	}
	return &Requests{method: spec.Method, template: t}, nil
}

// Prepare returns what is to be sent for c, to the byte. The same call gives
// the same bytes. An error is an [Error] with [CauseArgument].
func (r *Requests) Prepare(c Call) (*Prepared, error) {
	if c.Key == "" || !fitsHeader(c.Key) {
		return nil, unfit(errors.New("the call has no usable idempotency key"))
	}
	members, err := parseMembers(c.Args)
	if err != nil {
		return nil, unfit(err)
	}
	url, err := r.target(members)
	if err != nil {
		return nil, unfit(err)
	}
	body, err := r.body(members)
	if err != nil {
		return nil, unfit(err)
	}
	return NewPrepared(r.method, url, body), nil
}

func (r *Requests) target(members []member) (string, error) {
	texts := map[string]string{}
	for _, m := range members {
		if !r.template.used[m.name] {
			continue
		}
		text, err := m.text()
		if err != nil {
			return "", err
		}
		texts[m.name] = text
	}
	return r.template.expand(texts)
}

// body returns the arguments that the address does not use. A method without
// a body has no place for them; leaving one out in silence would do something
// else than what was decided.
func (r *Requests) body(members []member) ([]byte, error) {
	rest := slices.DeleteFunc(members, func(m member) bool { return r.template.used[m.name] })
	switch {
	case slices.Contains([]string{"POST", "PUT", "PATCH"}, r.method):
		return joinMembers(rest), nil
	case len(rest) > 0:
		return nil, fmt.Errorf("argument %q is not in the url, and %s has no body", rest[0].name, r.method)
	}
	return nil, nil
}
