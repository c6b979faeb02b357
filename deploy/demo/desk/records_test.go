package desk

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAppendOnly: not even the desk's own connection changes what happened.
func TestAppendOnly(t *testing.T) {
	s := newShop(t)
	require.Equal(t, 200, s.post(refundPath, "k1", refundBody).status)
	ledger, access := s.ledger(), s.access()
	for _, query := range []string{
		`UPDATE ledger SET amount_minor = 1`,
		`DELETE FROM ledger`,
		`INSERT OR REPLACE INTO ledger SELECT id, at, idempotency_key, kind, order_id, user_id, 1, detail FROM ledger`,
		`INSERT OR REPLACE INTO ledger SELECT 99, at, idempotency_key, kind, order_id, user_id, 1, detail FROM ledger`,
		`INSERT INTO ledger SELECT * FROM ledger WHERE true ON CONFLICT DO UPDATE SET amount_minor = 1`,
		`UPDATE access_log SET path = '/healthz'`,
		`DELETE FROM access_log`,
		`INSERT OR REPLACE INTO access_log SELECT id, at, method, '/healthz', '', '' FROM access_log`,
		`UPDATE access_status SET status = 404`,
		`DELETE FROM access_status`,
		`INSERT OR REPLACE INTO access_status SELECT access_id, 404 FROM access_status`,
	} {
		t.Run(query, func(t *testing.T) {
			_, err := s.d.db.Exec(query)
			require.ErrorContains(t, err, "append-only")
			require.Equal(t, ledger, s.ledger())
			require.Equal(t, access, s.access())
		})
	}
}

// TestEveryRequestIsLogged: whatever becomes of a request, it has its row.
func TestEveryRequestIsLogged(t *testing.T) {
	tests := []struct {
		method, path, key, body string

		logged string
		status int
	}{
		{"GET", "/healthz", "", "", "/healthz", 200},
		{"GET", "/orders/%23W5500101", "", "", "/orders/W5500101", 200},
		{"POST", "/orders/%23W5500101/refund", "k1", refundBody, refundPath, 200},
		{"POST", refundPath, "", refundBody, refundPath, 400},
		{"DELETE", "/orders/W5500101", "", "", "/orders/W5500101", 405},
		{"GET", "/nowhere?token=secret", "", "", "/nowhere", 404},
		{"GET", "/admin/access", "", "", "/admin/access", 200},
		{"POST", "/admin/fail", "", "{", "/admin/fail", 400},
	}
	s := newShop(t)
	for i, tt := range tests {
		require.Equal(t, tt.status, s.call(tt.method, tt.path, tt.key, tt.body).status, tt.path)
		rows := s.access()
		require.Len(t, rows, i+1)
		got := rows[i]
		require.Equal(t, int64(i+1), got.ID)
		require.Equal(t, []any{tt.method, tt.logged, tt.key, tt.status}, []any{got.Method, got.Path, got.IdempotencyKey, got.Status})
		require.False(t, got.At.IsZero())
		require.Contains(t, got.Caller, "127.0.0.1:")
		require.Contains(t, got.Caller, "Go-http-client")
	}
}

// TestGoneWhileSending: a body that never arrives is an aborted request.
func TestGoneWhileSending(t *testing.T) {
	s := newShop(t)
	u, err := url.Parse(s.url)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	_, err = conn.Write([]byte("POST " + refundPath + " HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer " + testToken +
		"\r\nIdempotency-Key: k1\r\nContent-Length: 1000\r\n\r\n" + refundBody))
	require.NoError(t, err)
	s.requireArrivals(1)
	require.NoError(t, conn.Close())
	s.requireLast(refundPath, StatusClientGone)
	require.Empty(t, s.ledger())
}

// TestNotLoggedNotServed: a desk that cannot write its log does nothing.
func TestNotLoggedNotServed(t *testing.T) {
	s := newShop(t)
	_, err := s.d.db.Exec(`CREATE TRIGGER full BEFORE INSERT ON access_log BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	require.NoError(t, err)
	got := s.post(refundPath, "k1", refundBody)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.NotContains(t, got.body, "disk full")
	require.Empty(t, s.ledger())
}

// TestNoEffectWithoutLedger: an effect that cannot be written down is no effect.
func TestNoEffectWithoutLedger(t *testing.T) {
	for _, table := range []string{"ledger", "answers"} {
		t.Run(table, func(t *testing.T) {
			s := newShop(t)
			_, err := s.d.db.Exec(`CREATE TRIGGER full BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
			require.NoError(t, err)
			got := s.post(refundPath, "k1", refundBody)
			require.Equal(t, http.StatusInternalServerError, got.status)
			require.NotContains(t, got.body, "disk full")
			require.Empty(t, s.ledger())
			require.Zero(t, s.order("W5500101").RefundedMinor)

			_, err = s.d.db.Exec(`DROP TRIGGER full`)
			require.NoError(t, err)
			require.Equal(t, 200, s.post(refundPath, "k1", refundBody).status)
		})
	}
}

// TestReadingRecordsOverHTTP: another process sees what the methods return.
func TestReadingRecordsOverHTTP(t *testing.T) {
	s := newShop(t)
	require.Equal(t, "[]\n", s.call("GET", "/admin/ledger", "", "").body)
	for _, key := range []string{"k1", "k2", "k3"} {
		require.Equal(t, 200, s.post(refundPath, key, refundBody).status)
	}
	var entries []Entry
	s.call("GET", "/admin/ledger?since=1", "", "").decode(t, &entries)
	require.Equal(t, s.ledger()[1:], entries)

	before, err := s.d.Access(context.Background())
	require.NoError(t, err)
	var rows []Access
	got := s.call("GET", "/admin/access?since=2", "", "")
	got.decode(t, &rows)
	require.Equal(t, before[2:], rows[:len(rows)-1])
	require.Equal(t, 0, rows[len(rows)-1].Status, "the request that asks is still being served")
	for _, name := range []string{"id", "at", "method", "path", "status", "idempotency_key", "caller"} {
		require.True(t, strings.Contains(got.body, `"`+name+`"`), name)
	}
	require.True(t, json.Valid([]byte(got.body)))
}
