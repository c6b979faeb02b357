package catalogue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// good is a catalogue that rows of tests change in one place.
const good = `version: 1
actions:
  orders.refund:
    description: Pay money back.
    effect: write
    idempotent: true
    timeout: 10s
    heartbeat: 3s
    attempts: 3
    backoff: 200ms
    args:
      type: object
      additionalProperties: false
      required: [order_id, amount]
      properties:
        order_id: {type: string, minLength: 1, maxLength: 64}
        amount: {type: integer, minimum: 1, maximum: 9007199254740993}
        note: {type: string, pattern: "^[a-z ]*$"}
        kind: {enum: [a, b]}
        where: {type: object, additionalProperties: false, properties: {zip: {type: string}}}
    http:
      method: POST
      url: http://127.0.0.1:8080/orders/{order_id}/refund?n={amount}
      hosts: ["127.0.0.1:8080"]
      headers: {Authorization: {secret: desk_token, prefix: "Bearer "}, Accept: {value: application/json}}
  local.clock:
    effect: read
    timeout: 1s
    args: {type: object, additionalProperties: false}
    func: clock
  mail.send:
    effect: irreversible
    timeout: 1s
    args: {type: object, additionalProperties: false}
    activity: SendMail
`

func parse(t testing.TB, text string) *catalogue.Catalogue {
	t.Helper()
	c, err := catalogue.Parse("a.yaml", []byte(text))
	require.NoError(t, err)
	return c
}

func refund(t testing.TB) *catalogue.Action {
	t.Helper()
	a, ok := parse(t, good).Action("orders.refund")
	require.True(t, ok)
	return a
}

func TestParse(t *testing.T) {
	c := parse(t, good)
	require.Equal(t, evidence.FileDigest([]byte(good)), c.Digest())
	c.Bytes()[0] = 'x'
	require.Equal(t, good, string(c.Bytes()), "the copy was changed, not the catalogue")
	require.Equal(t, []string{"local.clock", "mail.send", "orders.refund"}, c.Names())
	_, ok := c.Action("orders.refunds")
	require.False(t, ok)
	clock, ok := c.Action("local.clock")
	require.True(t, ok)
	require.Nil(t, clock.HTTP)
	require.Equal(t, "clock", clock.Func)
	require.Equal(t, []any{1, 2 * time.Second, time.Second, false}, []any{clock.Attempts, clock.Heartbeat, clock.Backoff, clock.Idempotent})
	mail, ok := c.Action("mail.send")
	require.True(t, ok)
	require.Equal(t, []string{"", "SendMail", ""}, []string{clock.Activity, mail.Activity, mail.Func})
	a := refund(t)
	require.Equal(t, []any{3, 3 * time.Second, 200 * time.Millisecond, 10 * time.Second, true}, []any{a.Attempts, a.Heartbeat, a.Backoff, a.Timeout, a.Idempotent})
	require.Equal(t, []catalogue.Header{{Name: "Accept", Value: "application/json"}, {Name: "Authorization", Secret: "desk_token", Prefix: "Bearer "}}, a.HTTP.Headers)
	require.Equal(t, []string{"127.0.0.1:8080"}, a.HTTP.Hosts)
}

// TestParseRefuses changes the good catalogue in one place each.
func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"version", "version: 1", "version: 2", `a.yaml:1:10: version: want 1, got "2"`},
		{"version as text", "version: 1", `version: "1"`, "version: want 1"},
		{"no version", "version: 1\n", "", `field "version" is missing`},
		{"unknown field", "    idempotent: true", "    idempotnt: true", `6:5: unknown field "idempotnt"`},
		{"duplicate key", "    idempotent: true", "    effect: read", "already defined"},
		{"duplicate action", "local.clock:", "orders.refund:", "already defined"},
		{"bad name", "local.clock:", "Local.clock:", `action "Local.clock": a name is`},
		{"bad effect", "effect: write", "effect: wrote", `effect: want read, write or irreversible, got "wrote"`},
		{"no effect", "    effect: write\n", "", `field "effect" is missing`},
		{"no timeout", "    timeout: 10s\n", "", `field "timeout" is missing`},
		{"timeout too short", "timeout: 10s", "timeout: 1us", "want a duration from 1ms to 24h0m0s"},
		{"timeout too long", "timeout: 10s", "timeout: 25h", "want a duration"},
		{"timeout without unit", "timeout: 10s", "timeout: 10", "want a string, got a number"},
		{"no attempts", "attempts: 3", "attempts: 0", "attempts: want 1 to 100"},
		{"too many attempts", "attempts: 3", "attempts: 101", "attempts: want 1 to 100"},
		{"attempts below zero", "attempts: 3", "attempts: -1", "want a whole number"},
		{"attempts of what is not idempotent", "    idempotent: true\n", "", "needs an action that is idempotent"},
		{"attempts of what is irreversible", "effect: write\n    idempotent: true", "effect: irreversible", "needs an action that is idempotent"},
		{"idempotent as text", "idempotent: true", "idempotent: yes", "want a boolean, got a string"},
		{"neither http nor func", "    func: clock\n", "", `action "local.clock": want exactly one of http, func and activity`},
		{"both http and func", "    attempts: 3", "    attempts: 3\n    func: f", `action "orders.refund": want exactly one of http, func and activity`},
		{"bad func", "func: clock", `func: "a b"`, `func: "a b" is not a name`},
		{"both func and activity", "    func: clock", "    func: clock\n    activity: A", `action "local.clock": want exactly one of http, func and activity`},
		{"both http and activity", "    attempts: 3", "    attempts: 3\n    activity: A", `action "orders.refund": want exactly one of http, func and activity`},
		{"no activity", "activity: SendMail", `activity: ""`, `activity: "" is not the type of an activity`},
		{"bad activity", "activity: SendMail", `activity: "Send Mail"`, `activity: "Send Mail" is not the type of an activity`},
		{"activity that is a list", "activity: SendMail", "activity: [SendMail]", "want a string"},
		{"activity of the engine", "activity: SendMail", "activity: RunStep", "activity: RunStep is Interlock's own"},
		{"activity of the engine's control plane", "activity: SendMail", "activity: TakeOver", "activity: TakeOver is Interlock's own"},
		{"no args", "    args: {type: object, additionalProperties: false}\n", "", `field "args" is missing`},
		{"open args", "{type: object, additionalProperties: false}\n    func", "{type: object}\n    func", "additionalProperties: false"},
		{"args of any type", "{type: object, additionalProperties: false}\n    func", "{additionalProperties: false}\n    func", "type: object"},
		{"args with patterns", "{type: object, additionalProperties: false}\n    func", `{type: object, additionalProperties: false, patternProperties: {a: {}}}` + "\n    func", "declare each argument by its name"},
		{"args that are a list", "{type: object, additionalProperties: false}\n    func", "[]\n    func", "want a schema"},
		{"misspelt keyword", "maximum: 9007199254740993", "maximun: 5", `unknown schema keyword "maximun"`},
		{"misspelt keyword deep", "properties: {zip: {type: string}}", "properties: {zip: {allOf: [{typ: string}]}}", `unknown schema keyword "typ"`},
		{"misspelt keyword in items", "{enum: [a, b]}", "{type: array, items: {minLenght: 1}}", `unknown schema keyword "minLenght"`},
		{"bad keyword value", "minLength: 1", "minLength: many", "args:"},
		{"bad pattern", `"^[a-z ]*$"`, `"["`, "args:"},
		{"remote reference", "{enum: [a, b]}", "{$ref: https://example.com/a.json}", "a schema may only refer to itself"},
		{"file reference", "{enum: [a, b]}", "{$ref: file:///etc/passwd}", "a schema may only refer to itself"},
		{"dangling reference", "{enum: [a, b]}", `{$ref: "#/$defs/a"}`, "args:"},
		{"own id", "{enum: [a, b]}", "{$id: https://example.com/a}", `unknown schema keyword "$id"`},
		{"another draft", "      type: object\n", "      type: object\n      $schema: http://json-schema.org/draft-07/schema#\n", `unknown schema keyword "$schema"`},
		{"required but not declared", "required: [order_id, amount]", "required: [order_id, amount, id]", `required argument "id" is not declared`},
		{"huge number", "maximum: 9007199254740993", "maximum: 1.5e999", `quote "1.5e999"`},
		{"long number", "maximum: 9007199254740993", "maximum: 0." + strings.Repeat("1", 70), "too long or too large"},
		{"unknown method", "method: POST", "method: post", "method: want one of GET"},
		{"method that proxies", "method: POST", "method: CONNECT", "method: want one of GET"},
		{"no url", "      url: http://127.0.0.1:8080/orders/{order_id}/refund?n={amount}\n", "", `field "url" is missing`},
		{"unknown template name", "{order_id}", "{order}", "{order} is not an argument"},
		{"optional template name", "{order_id}", "{note}", "{note} is not a required argument"},
		{"template of another type", "order_id: {type: string,", "order_id: {type: [string, integer],", "{order_id} must have type string or integer"},
		{"template without type", "order_id: {type: string, minLength: 1,", "order_id: {minLength: 1,", "{order_id} must have type string or integer"},
		{"template in the host", "http://127.0.0.1:8080/orders/", "http://{order_id}:8080/orders/", "without {} before the path"},
		{"template as the scheme", "http://127.0.0.1:8080/orders/{order_id}", "x{order_id}", "without {} before the path"},
		{"open template", "{order_id}/", "{order_id/", "is not an argument in braces"},
		{"closed template", "/refund", "}/refund", "} without {"},
		{"scheme", "http://127", "ftp://127", `want scheme https or http, got "ftp"`},
		{"not a url", "http://127.0.0.1:8080", "http://127.0.0.1:x", "is not a URL"},
		{"user in url", "http://127", "http://a:b@127", "holds a user or password"},
		{"fragment", "{amount}", "{amount}#a", "holds a fragment"},
		{"host not listed", "8080/orders", "8081/orders", `host "127.0.0.1:8081" is not one of hosts`},
		{"default port not listed", ":8080/orders", "/orders", `host "127.0.0.1:80" is not one of hosts`},
		{"no hosts", `hosts: ["127.0.0.1:8080"]`, "hosts: []", "is not one of hosts"},
		{"http to another machine", `hosts: ["127.0.0.1:8080"]`, `hosts: ["127.0.0.1:8080", "example.com:80"]`, "may only go to loopback hosts"},
		{"host twice", `hosts: ["127.0.0.1:8080"]`, `hosts: ["127.0.0.1:8080", "127.0.0.1:8080"]`, "twice"},
		{"host without port", `hosts: ["127.0.0.1:8080"]`, `hosts: ["127.0.0.1:8080", "localhost"]`, `"localhost" is not host:port`},
		{"host with bad port", `hosts: ["127.0.0.1:8080"]`, `hosts: ["127.0.0.1:8080", "localhost:080"]`, "has no valid port"},
		{"host in capitals", `hosts: ["127.0.0.1:8080"]`, `hosts: ["127.0.0.1:8080", "Localhost:80"]`, "is not a host in lower case"},
		{"host as a long IP address", `hosts: ["127.0.0.1:8080"]`, `hosts: ["127.0.0.1:8080", "[0:0:0:0:0:0:0:1]:80"]`, "is not a host in lower case or a plain IP address"},
		{"header in small letters", "Accept:", "accept:", `header "accept": write it "Accept"`},
		{"reserved header", "Accept:", "Idempotency-Key:", `header "Idempotency-Key": reserved`},
		{"host header", "Accept:", "Host:", `header "Host": reserved`},
		{"length header", "Accept:", "Content-Length:", "reserved"},
		{"header that is none", "Accept:", `"A b":`, "not a header name"},
		{"header without value", "{value: application/json}", "{}", "want exactly one of value and secret"},
		{"header with both", "{value: application/json}", "{value: a, secret: b}", "want exactly one of value and secret"},
		{"prefix of a value", "{value: application/json}", "{value: a, prefix: b}", "prefix goes with secret only"},
		{"header with a line end", "{value: application/json}", `{value: "a\r\nb: c"}`, "holds a character that headers cannot"},
		{"secret that is no name", "secret: desk_token", `secret: "../x"`, "is not the name of a secret"},
		{"headers that are a list", "headers: {Authorization: {secret: desk_token, prefix: \"Bearer \"}, Accept: {value: application/json}}", "headers: [a]", "headers: want a mapping"},
		{"http that is text", "    func: clock", "    http: clock", "want a mapping, got a string"},
		{"action that is text", "  local.clock:\n", "  other.clock: a\n  local.clock:\n", "want a mapping, got a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, good, tt.old)
			c, err := catalogue.Parse("a.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
			require.ErrorIs(t, err, catalogue.ErrCatalogue)
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, c)
		})
	}
	for _, text := range []string{"", "a", "version: 1\nactions: {}\n", "version: 1\nactions: []\n", "\t", "version: 1\n"} {
		_, err := catalogue.Parse("a.yaml", []byte(text))
		require.ErrorIs(t, err, catalogue.ErrCatalogue, text)
	}
}

// TestZeroValuesRefuse checks what was never parsed.
func TestZeroValuesRefuse(t *testing.T) {
	var c catalogue.Catalogue
	_, ok := c.Action("a")
	require.False(t, ok)
	require.Empty(t, c.Names())
	require.ErrorIs(t, (&catalogue.Action{}).CheckArgs([]byte(`{}`)), catalogue.ErrArgs)
}
