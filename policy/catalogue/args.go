package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/interlock-run/interlock/evidence"
)

// The bounds of arguments, whatever a schema says.
const (
	// MaxArgs is the size of the largest arguments, in bytes.
	MaxArgs = 64 << 10
	// MaxNumber is the length of the longest number, in bytes.
	MaxNumber = 64
)

const (
	maxExponent = 308 // of a number: 1e9999999 must not be worked out
	maxText     = 400 // bytes of an error's text
	maxShown    = 5   // problems named in an error
)

// ErrArgs means that arguments do not fit their action.
var ErrArgs = errors.New("invalid arguments")

// CheckArgs reports whether args are arguments of the action: one JSON object
// in the form that [evidence.CheckJSON] allows, at most [MaxArgs] long, that
// fits the schema. Numbers are compared exactly. The error is [ErrArgs] and
// says which argument is wrong and how; its text is the same every time.
func (a *Action) CheckArgs(args []byte) error {
	if a.schema == nil {
		return fmt.Errorf("%w: action %q has no schema", ErrArgs, a.Name)
	}
	value, err := decodeArgs(args)
	if err != nil {
		return err
	}
	if err := a.schema.Validate(value); err != nil {
		return fmt.Errorf("%w: %s", ErrArgs, explain(err))
	}
	return nil
}

func decodeArgs(args []byte) (map[string]any, error) {
	if len(args) > MaxArgs {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrArgs, MaxArgs)
	}
	if err := evidence.CheckJSON(args); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArgs, err)
	}
	dec := json.NewDecoder(bytes.NewReader(args))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrArgs, err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: not a JSON object", ErrArgs)
	}
	return object, checkNumbers(object)
}

// checkNumbers refuses numbers that cost much to compare exactly.
func checkNumbers(value any) error {
	switch v := value.(type) {
	case json.Number:
		return checkNumber(string(v))
	case []any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNumber(text string) error {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.TrimLeft(exponent, "+-0")
	if len(text) > MaxNumber || len(digits) > 3 || (len(digits) == 3 && digits > fmt.Sprint(maxExponent)) {
		return fmt.Errorf("%w: a number is too long or too large", ErrArgs)
	}
	return nil
}

// explain says what is wrong in one bounded line, in a fixed order. The
// schema library's own text depends on the order of a map.
func explain(err error) string {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return "cannot be checked against the schema"
	}
	problems := leaves(invalid)
	slices.Sort(problems)
	problems = slices.Compact(problems)
	if len(problems) > maxShown {
		problems = append(problems[:maxShown], fmt.Sprintf("and %d more", len(problems)-maxShown))
	}
	text := strings.Join(problems, "; ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
