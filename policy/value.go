package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/interlock-run/interlock/evidence"
)

// exactDigits is how many significant digits of a decimal fraction a double
// keeps, whatever they are.
const exactDigits = 15

// errNumber means that CEL cannot hold a number closely enough to compare it.
var errNumber = errors.New("a number cannot be held exactly")

// fromJSON returns a JSON value in CEL: whole numbers as int (or uint above
// int's range) and others as double. A number that neither holds is an error,
// because a rule would compare another number than the action is given.
func fromJSON(data []byte) (ref.Val, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("%w: %v", evidence.ErrJSON, err)
	}
	// Decoding lets duplicate names and trailing bytes through.
	if err := evidence.CheckJSON(data); err != nil {
		return nil, err
	}
	return fromAny(value)
}

// fromObject returns a JSON object in CEL.
func fromObject(data []byte) (ref.Val, error) {
	value, err := fromJSON(data)
	if err != nil {
		return nil, err
	}
	if _, ok := value.(traits.Mapper); !ok {
		return nil, fmt.Errorf("%w: not an object", evidence.ErrJSON)
	}
	return value, nil
}

func fromAny(value any) (ref.Val, error) {
	switch v := value.(type) {
	case bool:
		return types.Bool(v), nil
	case string:
		return types.String(v), nil
	case json.Number:
		return fromNumber(string(v))
	case []any:
		return fromList(v)
	case map[string]any:
		return fromMap(v)
	}
	return types.NullValue, nil
}

func fromList(list []any) (ref.Val, error) {
	items := make([]ref.Val, len(list))
	for i, item := range list {
		value, err := fromAny(item)
		if err != nil {
			return nil, err
		}
		items[i] = value
	}
	return types.NewRefValList(adapt, items), nil
}

func fromMap(m map[string]any) (ref.Val, error) {
	entries := make(map[string]any, len(m))
	for name, item := range m {
		value, err := fromAny(item)
		if err != nil {
			return nil, err
		}
		entries[name] = value
	}
	return ordered{types.NewStringInterfaceMap(adapt, entries)}, nil
}

func fromNumber(text string) (ref.Val, error) {
	if !strings.ContainsAny(text, ".eE") {
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			return types.Int(v), nil
		}
		if v, err := strconv.ParseUint(text, 10, 64); err == nil {
			return types.Uint(v), nil
		}
		return nil, fmt.Errorf("%w: a whole number of %d digits", errNumber, len(text))
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.Trim(strings.ReplaceAll(strings.TrimPrefix(mantissa, "-"), ".", ""), "0")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || len(digits) > exactDigits || (digits != "" && math.Abs(v) < 1e-300) {
		return nil, fmt.Errorf("%w: a fraction of %d digits", errNumber, len(digits))
	}
	return types.Double(v), nil
}

// An ordered map is a map whose keys come in one order. Go's maps come in
// another one each time, and so would what rules make of them.
type ordered struct{ traits.Mapper }

// Iterator walks the keys in their order.
func (o ordered) Iterator() traits.Iterator {
	var keys []ref.Val
	for it := o.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, func(a, b ref.Val) int {
		return cmp.Compare(a.(types.String), b.(types.String))
	})
	return types.NewRefValList(adapt, keys).Iterator()
}
