package executor_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// raw starts a server that speaks through handle, one call a connection, and
// returns its address and how many connections it got.
func raw(t *testing.T, handle func(net.Conn)) (string, *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	connections := new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return l.Addr().String(), connections
}

// swallow reads one whole request.
func swallow(r *bufio.Reader) bool {
	q, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, q.Body)
	return err == nil
}

// TestHTTPBadAnswers has servers that take the request and answer badly: a
// write may have happened, and the secret, which they know, must not come
// back through an error.
func TestHTTPBadAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	tests := []struct {
		name, answer, cause string
		permanent           bool
	}{
		{"hangs up", "", executor.CauseLost, false},
		{"hangs up in the status", "HTTP/1.1 20", executor.CauseLost, false},
		{"hangs up in the header", ok + "X-A: ", executor.CauseLost, false},
		{"hangs up in the body", ok + "Content-Length: 10\r\n\r\n{", executor.CauseLost, false},
		{"hangs up in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", executor.CauseLost, false},
		{"echoes the secret for a status", "HTTP/1.1 " + token + "\r\n\r\n", executor.CauseLost, false},
		{"echoes the secret for HTTP", token + "\r\n\r\n", executor.CauseLost, false},
		{"echoes the secret as a header", ok + token + "\r\n\r\n", executor.CauseLost, false},
		{"echoes the secret as a length", ok + "Content-Length: " + token + "\r\n\r\n", executor.CauseLost, false},
		{"echoes the secret as an encoding", ok + "Transfer-Encoding: " + token + "\r\n\r\n", executor.CauseLost, false},
		{"echoes the secret as a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n" + token + "\r\n", executor.CauseLost, false},
		{"echoes the secret as a name twice", ok + "\r\n" + `{"` + token + `":1,"` + token + `":2}`, executor.CauseNotJSON, true},
		{"echoes the secret as content type", "HTTP/1.1 200 OK\r\nContent-Type: " + token + "\r\n\r\n{}", executor.CauseNotJSON, true},
		{"echoes the secret as location", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://" + token + "%zz/\r\n\r\n", executor.CauseRedirect, true},
		{"speaks another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "http.101", false},
		{"endless header", ok + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 200) + "\r\n{}", executor.CauseLost, false},
		{"too large", ok + "\r\n\"" + strings.Repeat("a", executor.MaxAnswer) + "\"", executor.CauseTooLarge, true},
		{"too large by one", ok + "\r\n\"" + strings.Repeat("a", executor.MaxAnswer-1) + "\"", executor.CauseTooLarge, true},
		{"too large by its word", ok + "Content-Length: 99999999999\r\n\r\n\"" + strings.Repeat("a", executor.MaxAnswer), executor.CauseTooLarge, true},
		{"no JSON", ok + "\r\nhello", executor.CauseNotJSON, true},
		{"two values", ok + "\r\n{}{}", executor.CauseNotJSON, true},
		{"no UTF-8", ok + "\r\n\"\xff\"", executor.CauseNotJSON, true},
		{"nested too deep", ok + "\r\n" + strings.Repeat("[", 99) + strings.Repeat("]", 99), executor.CauseNotJSON, true},
		{"white space only", ok + "\r\n ", executor.CauseNotJSON, true},
		{"a page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{}", executor.CauseNotJSON, true},
		{"no content type", "HTTP/1.1 200 OK\r\n\r\n{}", executor.CauseNotJSON, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, _ := raw(t, func(c net.Conn) {
				if swallow(bufio.NewReader(c)) {
					io.WriteString(c, tt.answer)
				}
			})
			for _, method := range []string{"POST", "DELETE", "GET"} {
				h := newHTTP(t, spec(method, "http://"+address+"/a", address))
				_, err := h.Execute(context.Background(), call(`{}`))
				requireError(t, err, tt.cause, method == "GET", tt.permanent)
			}
		})
	}
}

func TestHTTPGoodAnswers(t *testing.T) {
	tests := []struct{ name, contentType, body, want string }{
		{"object", "application/json", ` { "b" : 1.10 , "a" : [ "x y", null ] } `, `{"b":1.10,"a":["x y",null]}`},
		{"characters of HTML", "application/json; charset=utf-8", `"<&>\u003c"`, `"<&>\u003c"`},
		{"a problem of its own", "application/vnd.shop+json", `12345678901234567890`, `12345678901234567890`},
		{"no body", "text/plain", "", "null"},
		{"as large as allowed", "application/json", `"` + strings.Repeat("a", executor.MaxAnswer-2) + `"`, `"` + strings.Repeat("a", executor.MaxAnswer-2) + `"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := record(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				io.WriteString(w, tt.body)
			})
			for _, method := range []string{"POST", "GET"} {
				got, err := newHTTP(t, spec(method, server.URL, server.host())).Execute(context.Background(), call(`{}`))
				require.NoError(t, err)
				require.Equal(t, tt.want, string(got))
			}
		})
	}
	server := record(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	got, err := newHTTP(t, spec("DELETE", server.URL, server.host())).Execute(context.Background(), call(`{}`))
	require.NoError(t, err)
	require.Equal(t, "null", string(got))
}

// TestHTTPNotConnected has failures before the request: surely no effect.
func TestHTTPNotConnected(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	secure := httptest.NewUnstartedServer(says(200, `{}`))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	hangsUp, _ := raw(t, func(net.Conn) {})
	noTLS, _ := raw(t, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })

	tests := []struct{ name, url, host string }{
		{"refused", "http://" + closed.Addr().String(), closed.Addr().String()},
		{"no such name", "http://shop.invalid:80", "shop.invalid:80"},
		{"certificate of a stranger", secure.URL, strings.TrimPrefix(secure.URL, "https://")},
		{"hangs up instead of TLS", "https://" + hangsUp, hangsUp},
		{"no TLS", "https://" + noTLS, noTLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newHTTP(t, spec("POST", tt.url, tt.host)).Execute(context.Background(), call(`{}`))
			requireError(t, err, executor.CauseConnect, true, false)
		})
	}
}

func TestHTTPOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"major":%d}`, r.ProtoMajor))(w, r)
	}))
	server.EnableHTTP2 = true // which sends again on its own terms
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	h, err := executor.NewHTTP(spec("POST", server.URL, strings.TrimPrefix(server.URL, "https://")), secrets,
		executor.HTTPOptions{Effect: catalogue.Irreversible, RootCAs: roots})
	require.NoError(t, err)
	got, err := h.Execute(context.Background(), call(`{}`))
	require.NoError(t, err)
	require.Equal(t, `{"major":1}`, string(got))
}

// TestHTTPInterrupted ends the context at each stage of a call.
func TestHTTPInterrupted(t *testing.T) {
	tests := []struct {
		name     string
		scheme   string
		answer   string // before the context ends
		noEffect bool   // of a write
	}{
		{"before TLS is done", "https", "", true},
		{"before the answer", "http", "", false},
		{"in the header", "http", "HTTP/1.1 200 OK\r\n", false},
		{"in the body", "http", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", false},
	}
	for _, tt := range tests {
		for _, method := range []string{"POST", "GET"} {
			t.Run(method+" "+tt.name, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.Background())
				address, _ := raw(t, func(c net.Conn) {
					r := bufio.NewReader(c)
					r.Peek(1) // the client is at work
					if tt.scheme == "http" {
						swallow(r)
						io.WriteString(c, tt.answer)
					}
					cancel(errors.New("the lease ended"))
					io.Copy(io.Discard, r) // until the client is gone
				})
				h := newHTTP(t, spec(method, tt.scheme+"://"+address, address))
				_, err := h.Execute(ctx, call(`{}`))
				requireError(t, err, executor.CauseInterrupted, tt.noEffect || method == "GET", false)
				require.ErrorIs(t, err, context.Canceled)
			})
		}
	}
	t.Run("before the start", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		server := record(t, says(200, `{}`))
		_, err := newHTTP(t, spec("POST", server.URL, server.host())).Execute(ctx, call(`{}`))
		requireError(t, err, executor.CauseInterrupted, true, false)
		require.Empty(t, server.requests())
	})
}
