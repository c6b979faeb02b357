package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxDepth bounds how deeply JSON may be nested, so that a decoder's stack is
// not the attacker's to choose.
const maxDepth = 64

// ErrJSON means that JSON is not in the one form that FORMAT.md allows.
var ErrJSON = errors.New("not in the allowed form of JSON")

// marshal returns the one form in which this package writes v: no white
// space, members in the order of the struct, HTML characters as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("couldn't encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// unmarshal reads data into v if and only if data is what marshal writes for
// the result. That one rule refuses unknown and missing members, names in
// another case, duplicates, white space, other spellings of numbers and
// strings, and trailing bytes: two parsers cannot disagree about what is left.
func unmarshal(data []byte, v any) error {
	if err := CheckJSON(data); err != nil {
		return err
	}
	return reread(data, v)
}

// reread is unmarshal for data that was checked as a part of other data.
func reread(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %v", ErrJSON, err)
	}
	again, err := marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrJSON, err)
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("%w: differs from the canonical form at byte %d", ErrJSON, firstDifference(again, data))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
