package executor_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/activities/executor"
)

// TestHTTPSendsWritesOnce has a server that answers the first request, keeps
// the connection open, and hangs up after it read the second. That is when
// net/http sends a request again by itself, if it carries an Idempotency-Key:
// the server saw it, so a write might happen twice.
func TestHTTPSendsWritesOnce(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			requests := new(atomic.Int32)
			address, connections := raw(t, func(c net.Conn) {
				r := bufio.NewReader(c)
				for swallow(r) {
					if requests.Add(1) == 2 {
						return
					}
					io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			})
			h := newHTTP(t, spec(method, "http://"+address, address))
			_, err := h.Execute(context.Background(), call(`{}`))
			require.NoError(t, err)
			_, err = h.Execute(context.Background(), call(`{}`))
			requireError(t, err, executor.CauseLost, false, false)
			require.EqualValues(t, 2, requests.Load())
			require.EqualValues(t, 2, connections.Load())
		})
	}
}

// TestHTTPReadsReuseConnections shows that the test above would notice: what
// is harmless is kept open, and sent again.
func TestHTTPReadsReuseConnections(t *testing.T) {
	requests := new(atomic.Int32)
	address, connections := raw(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for swallow(r) {
			if requests.Add(1) == 2 {
				return
			}
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	h := newHTTP(t, spec("GET", "http://"+address, address))
	for range 2 {
		_, err := h.Execute(context.Background(), call(`{}`))
		require.NoError(t, err)
	}
	require.EqualValues(t, 3, requests.Load())
	require.EqualValues(t, 2, connections.Load())
}
