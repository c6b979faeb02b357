package catalogue_test

import (
	"encoding/json"
	"fmt"
	"net/url"
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

// TestTarget has one row for each kind of argument in an address.
func TestTarget(t *testing.T) {
	tests := []struct{ args, address, body string }{
		{`{"order_id":"A-1","amount":5,"note":"x"}`, "/orders/A-1/refund?n=5", `{"note":"x"}`},
		{`{"order_id":"a/b?c#d","amount":-5}`, "/orders/a%2Fb%3Fc%23d/refund?n=-5", `{}`},
		{`{"order_id":"a&b=c é%","amount":5}`, "/orders/a&b=c%20%C3%A9%25/refund?n=5", `{}`},
		{`{"order_id":"@evil.example:80","amount":5}`, "/orders/@evil.example:80/refund?n=5", `{}`},
		{`{"order_id":"...","amount":5,"note":"<&>"}`, "/orders/.../refund?n=5", `{"note":"<&>"}`},
		{`{"order_id":"x","amount":5,"where":{"zip":12345678901234567890}}`, "/orders/x/refund?n=5", `{"where":{"zip":12345678901234567890}}`},
		{`{"order_id":"..","amount":5}`, "", ""},
		{`{"order_id":".","amount":5}`, "", ""},
		{`{"order_id":"a/../b","amount":5}`, "", ""},
		{`{"order_id":"a\\..","amount":5}`, "", ""},
		{`{"order_id":"","amount":5}`, "", ""},
		{`{"order_id":"a","amount":5.0}`, "", ""},
		{`{"order_id":"a","amount":5e1}`, "", ""},
		{`{"order_id":"a"}`, "", ""},
		{`{"order_id":true,"amount":5}`, "", ""},
		{`{"order_id":"a","amount":5`, "", ""},
	}
	h := refund(t).HTTP
	for _, tt := range tests {
		address, body, err := h.Target([]byte(tt.args))
		if tt.address == "" {
			require.ErrorIs(t, err, catalogue.ErrArgs, tt.args)
			require.Empty(t, address)
			require.Nil(t, body)
			continue
		}
		require.NoError(t, err, tt.args)
		require.Equal(t, "http://127.0.0.1:8080"+tt.address, address)
		require.Equal(t, tt.body, string(body))
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:8080", u.Host)
	}
}

// TestTargetWithoutBody checks methods that have none, and an empty argument
// in a query, which is one.
func TestTargetWithoutBody(t *testing.T) {
	text := strings.NewReplacer("method: POST", "method: GET", "n={amount}", "n={order_id}", "/{order_id}/", "/x/").Replace(good)
	a, ok := parse(t, text).Action("orders.refund")
	require.True(t, ok)
	address, body, err := a.HTTP.Target([]byte(`{"order_id":"a+b &c","amount":1}`))
	require.NoError(t, err)
	require.Nil(t, body)
	require.Equal(t, "http://127.0.0.1:8080/orders/x/refund?n=a%2Bb+%26c", address)
	address, _, err = a.HTTP.Target([]byte(`{"order_id":"","amount":1}`))
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:8080/orders/x/refund?n=", address)
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
			require.True(t, (a.HTTP == nil) != (a.Func == ""))
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
		address, body, err := a.HTTP.Target(args)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:8080", u.Host)
		require.Len(t, strings.Split(u.EscapedPath(), "/"), 4)
		require.True(t, json.Valid(body))
	})
}
