package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/interlock-run/interlock/evidence"
)

var wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)

// A member is one argument, as it stands in the arguments' bytes.
type member struct {
	name string
	raw  []byte // the name, in quotes
	json json.RawMessage
}

// parseMembers takes arguments apart without changing a byte of them: what
// was decided on is what is sent, down to the digits of a number.
func parseMembers(args []byte) ([]member, error) {
	if err := evidence.CheckJSON(args); err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(args))
	if token, _ := dec.Token(); token != json.Delim('{') {
		return nil, errors.New("arguments: not a JSON object")
	}
	var members []member
	for dec.More() {
		start := dec.InputOffset()
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("arguments: a member without a name")
		}
		m := member{name: name, raw: bytes.TrimLeft(args[start:dec.InputOffset()], " \t\r\n,")}
		if err := dec.Decode(&m.json); err != nil {
			return nil, fmt.Errorf("arguments: %w", err)
		}
		members = append(members, m)
	}
	return members, nil
}

// text returns the argument as a word for the address: a string's content or
// a whole number's digits. Anything else has more than one spelling.
func (m member) text() (string, error) {
	if wholeNumber.Match(m.json) {
		return string(m.json), nil
	}
	var text *string
	if err := json.Unmarshal(m.json, &text); err != nil || text == nil {
		return "", fmt.Errorf("argument %q is part of the address and not a string or whole number", m.name)
	}
	return *text, nil
}

// joinMembers is the inverse of parseMembers, without white space between.
func joinMembers(members []member) []byte {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, m.raw...), ':'), m.json...)
	}
	return append(b, '}')
}
