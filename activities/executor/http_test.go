package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

const token = "s3cr3t-t0ken"

var secrets = executor.SecretMap(map[string]string{"token": token})

// A recorder is a server that remembers what reached it.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
}

func record(t *testing.T, handle http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.seen, r.bodies = append(r.seen, q), append(r.bodies, string(body))
		r.mu.Unlock()
		handle(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) requests() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func (r *recorder) host() string { return strings.TrimPrefix(r.URL, "http://") }

// says answers with status and a body of JSON.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func spec(method, url string, hosts ...string) *catalogue.HTTP {
	return &catalogue.HTTP{Method: method, URL: url, Hosts: hosts, Headers: []catalogue.Header{
		{Name: "Authorization", Secret: "token", Prefix: "Bearer "},
		{Name: "X-Tenant", Value: "acme"},
	}}
}

// effectOf is what a careful author declares for a method.
func effectOf(method string) catalogue.Effect {
	if method == "GET" || method == "HEAD" {
		return catalogue.Read
	}
	return catalogue.Write
}

func newHTTP(t *testing.T, spec *catalogue.HTTP) *executor.HTTP {
	t.Helper()
	h, err := executor.NewHTTP(spec, secrets, executor.HTTPOptions{Effect: effectOf(spec.Method)})
	require.NoError(t, err)
	return h
}

func call(args string) executor.Call {
	return executor.Call{Execution: "e1", Step: "s1", Action: "orders.refund", Args: json.RawMessage(args), Key: "e1/s1", Attempt: 1}
}

// requireError checks what err says of the effect, and that neither it nor
// any error in it tells the secret.
func requireError(t *testing.T, err error, cause string, noEffect, permanent bool) {
	t.Helper()
	var e *executor.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, cause, e.Cause, "%v", err)
	require.Equal(t, noEffect, e.NoEffect, "no effect: %v", err)
	require.Equal(t, permanent, e.Permanent, "permanent: %v", err)
	for ; err != nil; err = errors.Unwrap(err) {
		require.NotContains(t, err.Error(), token)
	}
}

func TestNewHTTPRefuses(t *testing.T) {
	const host = "shop.example:443"
	ok := executor.HTTPOptions{Effect: catalogue.Write}
	tests := []struct {
		name    string
		spec    *catalogue.HTTP
		secrets executor.Secrets
		options executor.HTTPOptions
	}{
		{"nothing", nil, secrets, ok},
		{"no effect", spec("POST", "https://shop.example/a", host), secrets, executor.HTTPOptions{}},
		{"unknown effect", spec("POST", "https://shop.example/a", host), secrets, executor.HTTPOptions{Effect: "none"}},
		{"unknown method", spec("CONNECT", "https://shop.example/a", host), secrets, ok},
		{"no secrets", spec("POST", "https://shop.example/a", host), nil, ok},
		{"secret not there", spec("POST", "https://shop.example/a", host), executor.SecretMap(nil), ok},
		{"secret empty", spec("POST", "https://shop.example/a", host), executor.SecretMap(map[string]string{"token": ""}), ok},
		{"secret of two lines", spec("POST", "https://shop.example/a", host), executor.SecretMap(map[string]string{"token": token + "\r\nX: y"}), ok},
		{"no hosts", spec("POST", "https://shop.example/a"), secrets, ok},
		{"another host", spec("POST", "https://shop.example/a", "other.example:443"), secrets, ok},
		{"another port", spec("POST", "https://shop.example:8443/a", host), secrets, ok},
		{"port of another scheme", spec("POST", "http://shop.example/a", host), secrets, ok},
		{"no scheme", spec("POST", "shop.example/a", host), secrets, ok},
		{"another scheme", spec("POST", "ftp://shop.example:443/a", host), secrets, ok},
		{"a user", spec("POST", "https://me:pw@shop.example/a", host), secrets, ok},
		{"argument as host", spec("POST", "https://{host}/a", "{host}:443"), secrets, ok},
		{"argument as port", spec("POST", "https://shop.example:{port}/a", host), secrets, ok},
		{"argument ends the host", spec("POST", "https://shop.example{x}/a", host), secrets, ok},
		{"argument as query name", spec("POST", "https://shop.example/a?{x}=1", host), secrets, ok},
		{"argument as bare query", spec("POST", "https://shop.example/a?{x}", host), secrets, ok},
		{"fragment", spec("POST", "https://shop.example/a#{x}", host), secrets, ok},
		{"fragment at once", spec("POST", "https://shop.example#x", host), secrets, ok},
		{"dot segment", spec("POST", "https://shop.example/a/../{x}", host), secrets, ok},
		{"hidden dot segment", spec("POST", "https://shop.example/a/%2e%2E/{x}", host), secrets, ok},
		{"brace not closed", spec("POST", "https://shop.example/{x", host), secrets, ok},
		{"brace not opened", spec("POST", "https://shop.example/x}", host), secrets, ok},
		{"brace not opened in the query", spec("POST", "https://shop.example/a?b=x}", host), secrets, ok},
		{"argument without a name", spec("POST", "https://shop.example/{}", host), secrets, ok},
		{"brace in braces", spec("POST", "https://shop.example/{a{b}}", host), secrets, ok},
		{"brace in a name", spec("POST", "https://shop.example/{a{b}", host), secrets, ok},
		{"not escaped", spec("POST", "https://shop.example/a b", host), secrets, ok},
		{"not escaped in the query", spec("POST", "https://shop.example/a?b=c d", host), secrets, ok},
		{"line end", spec("POST", "https://shop.example/a?b=\r\nX: y", host), secrets, ok},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := executor.NewHTTP(tt.spec, tt.secrets, tt.options)
			require.ErrorIs(t, err, executor.ErrHTTP)
			require.NotContains(t, err.Error(), token)
			require.Nil(t, h)
		})
	}
}

// TestHTTPSendsWhatItPrepared compares what reaches a server with what
// Prepare said, to the byte.
func TestHTTPSendsWhatItPrepared(t *testing.T) {
	tests := []struct {
		name, method, path, args string
		target, body             string
	}{
		{"body in the order of the arguments", "POST", "/refunds", `{"z":1,"a":{"y":[1, 2]},"m":null}`, "/refunds", `{"z":1,"a":{"y":[1, 2]},"m":null}`},
		{"exact numbers", "PUT", "/r", ` { "n" : 1.10e+2 , "big":123456789012345678901234567890 } `, "/r", `{"n":1.10e+2,"big":123456789012345678901234567890}`},
		{"spelling of strings and names", "PATCH", "/r", `{"\u0061":"\u003c<"}`, "/r", `{"\u0061":"\u003c<"}`},
		{"used arguments leave the body", "POST", "/o/{id}/r?q={q}", `{"id":"A 1","n":5,"q":"a&b=c/d #?%2e"}`, "/o/A%201/r?q=a%26b%3Dc%2Fd+%23%3F%252e", `{"n":5}`},
		{"a name in another spelling is used too", "POST", "/o/{id}", `{"\u0069d":"x"}`, "/o/x", `{}`},
		{"no arguments", "POST", "/r", `{}`, "/r", `{}`},
		{"whole numbers in the url", "DELETE", "/o/{id}", `{"id":-12345678901234567890}`, "/o/-12345678901234567890", ""},
		{"one argument twice", "GET", "/o/{id}?again={id}", `{"id":"é"}`, "/o/%C3%A9?again=%C3%A9", ""},
		{"empty value in the query", "GET", "/o?q={q}", `{"q":""}`, "/o?q=", ""},
		{"line ends in the query", "GET", "/o?q={q}", `{"q":"a\r\nX-Evil: 1\r\n\r\n"}`, "/o?q=a%0D%0AX-Evil%3A+1%0D%0A%0D%0A", ""},
		{"head", "HEAD", "/o/{id}.json", `{"id":"..x"}`, "/o/..x.json", ""},
		{"no path", "GET", "", `{}`, "/", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := record(t, says(200, `{}`))
			h := newHTTP(t, spec(tt.method, server.URL+tt.path, server.host()))
			p, err := h.Prepare(call(tt.args))
			require.NoError(t, err)
			_, err = h.Execute(context.Background(), call(tt.args))
			require.NoError(t, err)

			require.Len(t, server.requests(), 1)
			got := server.requests()[0]
			require.Equal(t, tt.target, got.RequestURI)
			require.Equal(t, tt.body, server.bodies[0])
			require.Equal(t, p.Method(), got.Method)
			require.Equal(t, p.URL(), server.URL+got.RequestURI)
			require.Equal(t, string(p.Body()), server.bodies[0])
			require.Equal(t, "e1/s1", got.Header.Get("Idempotency-Key"))
			require.Equal(t, "interlock", got.Header.Get("User-Agent"))
			require.Equal(t, "Bearer "+token, got.Header.Get("Authorization"))
			require.Equal(t, "acme", got.Header.Get("X-Tenant"))
			require.Empty(t, got.Header.Get("X-Evil"))
			require.Empty(t, got.Header.Get("Accept-Encoding"))
			require.Equal(t, tt.body != "", got.Header.Get("Content-Type") == "application/json")
		})
	}
}

func TestHTTPRefusesCalls(t *testing.T) {
	tests := []struct{ name, method, path, args, key string }{
		{"no key", "POST", "/a", `{}`, ""},
		{"line end in the key", "POST", "/a", `{}`, "k\r\nX-Evil: 1"},
		{"not JSON", "POST", "/a", `{`, "k"},
		{"no object", "POST", "/a", `["id"]`, "k"},
		{"nothing", "POST", "/a", ``, "k"},
		{"two values", "POST", "/a", `{}{}`, "k"},
		{"a name twice", "POST", "/a", `{"a":1,"\u0061":2}`, "k"},
		{"argument missing", "POST", "/a/{id}", `{}`, "k"},
		{"argument missing in the query", "POST", "/a?id={id}", `{}`, "k"},
		{"null", "POST", "/a/{id}", `{"id":null}`, "k"},
		{"object", "POST", "/a/{id}", `{"id":{}}`, "k"},
		{"list", "POST", "/a?id={id}", `{"id":["x"]}`, "k"},
		{"boolean", "POST", "/a?id={id}", `{"id":true}`, "k"},
		{"number of many spellings", "POST", "/a/{id}", `{"id":1e3}`, "k"},
		{"GET without a place for an argument", "GET", "/a/{id}", `{"id":"x","n":1}`, "k"},
		{"DELETE without a place for an argument", "DELETE", "/a/{id}", `{"id":"x","n":1}`, "k"},
		{"up", "POST", "/a/{id}/b", `{"id":".."}`, "k"},
		{"here", "POST", "/a/{id}/b", `{"id":"."}`, "k"},
		{"up in two arguments", "POST", "/a/{id}{n}/b", `{"id":".","n":"."}`, "k"},
		{"up with help from the template", "POST", "/a/.{id}/b", `{"id":"."}`, "k"},
		{"far up", "POST", "/a/{id}/b", `{"id":"../.."}`, "k"},
		{"up, escaped", "POST", "/a/{id}/b", `{"id":"%2e%2e"}`, "k"},
		{"up, with a parameter", "POST", "/a/{id}/b", `{"id":"..;x"}`, "k"},
		{"slash", "POST", "/a/{id}/b", `{"id":"a/b"}`, "k"},
		{"slash, escaped", "POST", "/a/{id}/b", `{"id":"a%2fb"}`, "k"},
		{"backslash", "POST", "/a/{id}/b", `{"id":"a\\b"}`, "k"},
		{"fragment", "POST", "/a/{id}/b", `{"id":"#"}`, "k"},
		{"query", "POST", "/a/{id}/b", `{"id":"?"}`, "k"},
		{"empty", "POST", "/a/{id}/b", `{"id":""}`, "k"},
		{"line end", "POST", "/a/{id}/b", `{"id":"a\r\nX-Evil: 1"}`, "k"},
		{"zero byte", "POST", "/a/{id}/b", `{"id":"\u0000"}`, "k"},
		{"too long", "POST", "/a?id={id}", `{"id":"` + strings.Repeat("x", 9000) + `"}`, "k"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := record(t, says(200, `{}`))
			h := newHTTP(t, spec(tt.method, server.URL+tt.path, server.host()))
			c := call(tt.args)
			c.Key = tt.key
			_, err := h.Prepare(c)
			requireError(t, err, executor.CauseArgument, true, true)
			_, err = h.Execute(context.Background(), c)
			requireError(t, err, executor.CauseArgument, true, true)
			require.Empty(t, server.requests())
		})
	}
}

// TestPreparedDigest pins what the digest is of, so that a guard may compare
// digests of different origins.
func TestPreparedDigest(t *testing.T) {
	tests := []struct {
		method, url, args, sent string
		body                    []byte
	}{
		{"POST", "https://shop.example/o/{id}?a=<&b=1", `{"id":"1","n":[5, 6]}`, "https://shop.example/o/1?a=<&b=1", []byte(`{"n":[5, 6]}`)},
		{"DELETE", "https://shop.example/o/{id}", `{"id":"1"}`, "https://shop.example/o/1", nil},
	}
	for _, tt := range tests {
		p, err := newHTTP(t, spec(tt.method, tt.url, "shop.example:443")).Prepare(call(tt.args))
		require.NoError(t, err)
		require.Equal(t, evidence.HTTPDigest(tt.method, tt.sent, tt.body), p.Digest())
	}
}
