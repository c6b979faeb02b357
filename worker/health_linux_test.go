package worker_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// listening has the workers answer health checks, at an address that was free.
func listening(t *testing.T, address *string) workertest.Option {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	*address = l.Addr().String()
	return workertest.WithConfig(func(c *worker.Config) { c.Health = *address })
}

type answer struct {
	Ready  bool
	Checks []struct {
		Name  string
		OK    bool
		Since time.Time
	}
}

func (a *answer) red() (names []string) {
	for _, c := range a.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

func readyz(t *testing.T, address string) (int, answer, string) {
	t.Helper()
	res, err := http.Get("http://" + address + "/readyz")
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var a answer
	require.NoError(t, json.Unmarshal(body, &a), "%s", body)
	return res.StatusCode, a, string(body)
}

func awaitReady(t *testing.T, address string, status int) (a answer, body string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var got int
		got, a, body = readyz(t, address)
		return got == status
	}, enough, 50*time.Millisecond)
	return a, body
}

// TestT22Readiness: ready is red while the store takes no write, and while a
// probe of a role fails, and green again by itself. It names the check, and
// nothing that is nobody's business.
func TestT22Readiness(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, a := range ailments {
		t.Run(a.name, func(t *testing.T) {
			var address string
			options := []workertest.Option{listening(t, &address)}
			if a.use != nil {
				options = append(options, a.use)
			}
			f := workertest.New(t, options...)
			green, _ := awaitReady(t, address, http.StatusOK)
			require.True(t, green.Ready)
			require.Empty(t, green.red())

			heal := a.strike(t, f)
			red, body := awaitReady(t, address, http.StatusServiceUnavailable)
			require.Contains(t, red.red(), "store")
			require.False(t, red.Ready)
			require.Len(t, red.Checks, len(green.Checks), "it always has the same shape")
			require.WithinDuration(t, time.Now(), red.Checks[1].Since, enough)
			require.NotContains(t, body, f.Dir)
			require.NotContains(t, body, "sqlite")
			alive, err := http.Get("http://" + address + "/healthz")
			require.NoError(t, err)
			require.NoError(t, alive.Body.Close())
			require.Equal(t, http.StatusOK, alive.StatusCode, "that the store is away is no reason to be killed")
			heal()
			awaitReady(t, address, http.StatusOK)

			f.Write("policy.yaml", workertest.Policy+"# changed\n")
			red, _ = awaitReady(t, address, http.StatusServiceUnavailable)
			require.Equal(t, []string{"control.policy"}, red.red())
			f.Write("policy.yaml", workertest.Policy)
			awaitReady(t, address, http.StatusOK)
		})
	}
}

// TestT31HealthIsNoWayIn: each row is a request that gets no more than it must.
func TestT31HealthIsNoWayIn(t *testing.T) {
	var address string
	workertest.New(t, listening(t, &address))
	awaitReady(t, address, http.StatusOK)
	tests := []struct {
		name, request string
		status        int
	}{
		{"GET", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"HEAD", "HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"alive", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		{"another path", "GET /debug/pprof/ HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"a path below", "GET /readyz/store HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"POST", "POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
		{"DELETE", "DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"a body", "GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413},
		{"a body without end", "GET /readyz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
		{"headers without end", "GET /readyz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"nonsense", "hello\r\n\r\n", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer conn.Close()
			_, _ = fmt.Fprint(conn, tt.request) // it may hang up before the end
			res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: strings.Fields(tt.request)[0]})
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, tt.status, res.StatusCode)
		})
	}
	t.Run("silence", func(t *testing.T) {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(enough)))
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, "who says nothing is not waited for")
	})
}

// TestReadyOfAGuard: a team's own worker can ask its guard.
func TestReadyOfAGuard(t *testing.T) {
	f := workertest.New(t)
	g, err := worker.NewGuard(t.Context(), worker.GuardConfig{
		Trust: f.Trust, Key: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker,
		Catalogue: f.Config.Catalogue, Store: f.Config.Store, Log: f.Config.Log, Funcs: f.World.Funcs(),
	})
	require.NoError(t, err)
	require.NoError(t, g.Ready(t.Context()))
	require.NoError(t, g.Close())
	require.Eventually(t, func() bool { return g.Ready(t.Context()) != nil }, enough, 50*time.Millisecond)
	require.ErrorIs(t, g.Ready(t.Context()), worker.ErrNotReady)
}

// TestHealthAddressTaken: a worker that cannot be asked does not start.
func TestHealthAddressTaken(t *testing.T) {
	var address string
	f := workertest.New(t, listening(t, &address))
	_, err := worker.New(t.Context(), f.Config)
	require.ErrorIs(t, err, worker.ErrConfig)
	require.ErrorContains(t, err, "health")
}
