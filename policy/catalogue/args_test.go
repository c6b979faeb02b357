package catalogue_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/policy/catalogue"
)

// TestCheckArgs has one row for each way in which arguments can be wrong. An
// empty want means that they are right.
func TestCheckArgs(t *testing.T) {
	tests := []struct{ args, want string }{
		{`{"order_id":"A","amount":1}`, ""},
		{`{"order_id":"A","amount":9007199254740993}`, ""},
		{`{"order_id":"A","amount":1.0}`, ""}, // JSON Schema: 1.0 is an integer
		{`{"order_id":"A","amount":9007199254740994}`, `argument "amount": more than 9007199254740993`},
		{`{"order_id":"A","amount":0.99999999999999999999}`, `argument "amount": got number, want integer`},
		{`{"order_id":"A","amount":0}`, `argument "amount": less than 1`},
		{`{"order_id":"A"}`, `arguments: "amount" missing`},
		{`{}`, `arguments: "amount", "order_id" missing`},
		{`{"order_id":"A","amount":1,"z":1,"y":2}`, `arguments: "y", "z" unknown`},
		{`{"order_id":7,"amount":"1"}`, `argument "amount": got string, want integer; argument "order_id": got number, want string`},
		{`{"order_id":"","amount":1}`, `argument "order_id": breaks "minLength"`},
		{`{"order_id":"A","amount":1,"note":"X"}`, `argument "note": does not match "^[a-z ]*$"`},
		{`{"order_id":"A","amount":1,"kind":"c"}`, `argument "kind": not one of [a b]`},
		{`{"order_id":"A","amount":1,"where":{"zip":1}}`, `argument "where.zip": got number, want string`},
		{`{"order_id":"A","amount":1,"where":{"zap":1}}`, `argument "where": "zap" unknown`},
		{`{"order_id":"A","amount":1,"amount":2}`, `the name "amount" twice`},
		{`{"order_id":"A","amount":1} {}`, "bytes after the value"},
		{`{"order_id":"A","amount":1e999999999}`, "a number is too long or too large"},
		{`{"order_id":"A","amount":1,"where":[1e-999]}`, "a number is too long or too large"},
		{`{"order_id":"A","amount":` + strings.Repeat("1", 65) + `}`, "a number is too long or too large"},
		{`{"order_id":"` + strings.Repeat("A", catalogue.MaxArgs) + `"}`, "longer than 65536 bytes"},
		{`[]`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{``, "not in the allowed form of JSON"},
		{"{\"order_id\":\"\xff\"}", "not valid UTF-8"},
	}
	a := refund(t)
	for _, tt := range tests {
		err := a.CheckArgs([]byte(tt.args))
		if tt.want == "" {
			require.NoError(t, err, tt.args)
			continue
		}
		require.ErrorIs(t, err, catalogue.ErrArgs, tt.args)
		require.ErrorContains(t, err, tt.want)
		for range 5 {
			require.EqualError(t, a.CheckArgs([]byte(tt.args)), err.Error(), "the text must be the same every time")
		}
	}
}

// TestCheckArgsIsBounded checks that an error does not grow with arguments.
func TestCheckArgsIsBounded(t *testing.T) {
	var properties, args []string
	for i := range 60 {
		name := fmt.Sprintf("%s%d", strings.Repeat("n", 90), i)
		properties = append(properties, name+": {type: string}")
		args = append(args, fmt.Sprintf("%q:1", name))
	}
	const closed = "args: {type: object, additionalProperties: false"
	a, _ := parse(t, strings.Replace(good, closed, closed+", properties: {"+strings.Join(properties, ", ")+"}", 1)).Action("local.clock")
	err := a.CheckArgs([]byte("{" + strings.Join(args, ",") + "}"))
	require.ErrorIs(t, err, catalogue.ErrArgs)
	require.Less(t, len(err.Error()), 500)
	require.ErrorContains(t, err, "…")
	err = a.CheckArgs([]byte("{" + strings.ReplaceAll(strings.Join(args, ","), "n", "") + "}"))
	require.ErrorContains(t, err, "unknown")
}

// FuzzCatalogue parses any bytes as a catalogue. What parses must hold to the
// bounds that the executor relies on.
func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("version: 1\nactions: {a: {effect: read, timeout: 1s, func: f, args: {type: object, additionalProperties: false}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := catalogue.Parse("a.yaml", data)
		if err != nil {
			require.ErrorIs(t, err, catalogue.ErrCatalogue)
			return
		}
		require.NotEmpty(t, c.Names())
		for _, name := range c.Names() {
			a, _ := c.Action(name)
			require.Positive(t, a.Timeout)
			ways := 0
			for _, has := range []bool{a.HTTP != nil, a.Func != "", a.Activity != ""} {
				if has {
					ways++
				}
			}
			require.Equal(t, 1, ways)
			require.True(t, a.Attempts == 1 || a.Idempotent || a.Effect == catalogue.Read)
			require.ErrorIs(t, a.CheckArgs([]byte(`{"no such argument":1}`)), catalogue.ErrArgs)
		}
	})
}

// FuzzArgs checks any bytes as arguments. What passes is a JSON object with
// an amount, and its address stays on the host and path of the template.
func FuzzArgs(f *testing.F) {
	for _, args := range []string{`{"order_id":"A","amount":1}`, `{"order_id":"..","amount":1e5}`, `{"order_id":"a","amount":1,"where":{}}`, `[1e9999]`} {
		f.Add([]byte(args))
	}
	a := refund(f)
	f.Fuzz(func(t *testing.T, args []byte) {
		if err := a.CheckArgs(args); err != nil {
			require.ErrorIs(t, err, catalogue.ErrArgs)
			require.Less(t, len(err.Error()), 600)
			return
		}
		var object map[string]any
		require.NoError(t, json.Unmarshal(args, &object))
		require.Contains(t, object, "amount")
	})
}
