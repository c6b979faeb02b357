package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/interlock-run/interlock/evidence"
)

// Prepared is what a call is about to send, without the secrets.
type Prepared struct {
	Method string
	URL    string
	// Body is the JSON to send, or nil if the method has no body.
	Body []byte
	// Digest identifies the three above: [evidence.ValueDigest] of the JSON
	// array [method, url, body], with null for no body.
	Digest evidence.Digest
}

// Prepare returns what Execute will send for c, to the byte, and sends
// nothing. The same call gives the same bytes. An error is an [Error] with
// [CauseArgument].
func (h *HTTP) Prepare(c Call) (*Prepared, error) {
	if c.Key == "" || !fitsHeader(c.Key) {
		return nil, unfit(errors.New("the call has no usable idempotency key"))
	}
	members, err := parseMembers(c.Args)
	if err != nil {
		return nil, unfit(err)
	}
	p := &Prepared{Method: h.method}
	if p.URL, err = h.target(members); err != nil {
		return nil, unfit(err)
	}
	if p.Body, err = h.body(members); err != nil {
		return nil, unfit(err)
	}
	if p.Digest, err = p.digest(); err != nil {
		return nil, unfit(err)
	}
	return p, nil
}

func (h *HTTP) target(members []member) (string, error) {
	texts := map[string]string{}
	for _, m := range members {
		if !h.template.used[m.name] {
			continue
		}
		text, err := m.text()
		if err != nil {
			return "", err
		}
		texts[m.name] = text
	}
	return h.template.expand(texts)
}

// body returns the arguments that the address does not use. A method without
// a body has no place for them; leaving one out in silence would do something
// else than what was decided.
func (h *HTTP) body(members []member) ([]byte, error) {
	rest := slices.DeleteFunc(members, func(m member) bool { return h.template.used[m.name] })
	switch {
	case slices.Contains([]string{"POST", "PUT", "PATCH"}, h.method):
		return joinMembers(rest), nil
	case len(rest) > 0:
		return nil, fmt.Errorf("argument %q is not in the url, and %s has no body", rest[0].name, h.method)
	}
	return nil, nil
}

func (p *Prepared) digest() (evidence.Digest, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode([]any{p.Method, p.URL, json.RawMessage(p.Body)}); err != nil {
		return evidence.Digest{}, fmt.Errorf("couldn't digest the request: %w", err)
	}
	return evidence.ValueDigest(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
