package desk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	testToken = "a-token-of-the-tests"
	patience  = time.Minute      // for conditions that come true at once on an idle machine
	tick      = time.Millisecond // between looks at a condition

	mia, noah = "mia_keller_4821", "noah_okafor_1177"
)

// A shop is an open desk behind real HTTP. When the test ends, its books are
// checked.
type shop struct {
	t   *testing.T
	d   *Desk
	url string
}

func newShop(t *testing.T) *shop {
	return openShop(t, filepath.Join(t.TempDir(), "desk.db"))
}

// openShop opens the desk in path, with packing that takes no time.
func openShop(t *testing.T, path string) *shop {
	t.Helper()
	d, err := Open(t.Context(), Config{Path: path, Token: testToken})
	require.NoError(t, err)
	d.pack = func(context.Context, string) error { return nil }
	server := httptest.NewServer(d.Handler())
	s := &shop{t: t, d: d, url: server.URL}
	t.Cleanup(func() {
		server.Close()
		s.checkBooks()
		require.NoError(t, d.Close())
	})
	return s
}

// A reply is what came back over HTTP.
type httpReply struct {
	status   int
	body     string
	replayed bool
}

func (r httpReply) decode(t *testing.T, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.body), into), r.body)
}

func (s *shop) request(ctx context.Context, method, path, key, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Authorization", "Bearer "+testToken)
	if key != "" {
		r.Header.Set(keyHeader, key)
	}
	return r
}

func (s *shop) do(r *http.Request) (httpReply, error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return httpReply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return httpReply{res.StatusCode, string(body), res.Header.Get("Idempotent-Replayed") == "true"}, err
}

func (s *shop) call(method, path, key, body string) httpReply {
	s.t.Helper()
	got, err := s.do(s.request(context.Background(), method, path, key, body))
	require.NoError(s.t, err)
	return got
}

func (s *shop) post(path, key, body string) httpReply {
	s.t.Helper()
	return s.call(http.MethodPost, path, key, body)
}

func (s *shop) order(id string) (o order) {
	s.t.Helper()
	got := s.call(http.MethodGet, "/orders/"+id, "", "")
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	got.decode(s.t, &o)
	return o
}

func (s *shop) ledger() []Entry {
	s.t.Helper()
	entries, err := s.d.Ledger(context.Background())
	require.NoError(s.t, err)
	return entries
}

func (s *shop) access() []Access {
	s.t.Helper()
	rows, err := s.d.Access(context.Background())
	require.NoError(s.t, err)
	return rows
}

// requireLast waits until the last request's row says status: callers who went
// away do not hear when the desk has noticed.
func (s *shop) requireLast(path string, status int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		rows := s.access()
		last := rows[len(rows)-1]
		return last.Path == path && last.Status == status
	}, patience, tick)
}

// receive waits for a value, but not for ever.
func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.FailNow(t, "waited in vain")
	}
	return v
}

// requireArrivals waits until n requests have arrived.
func (s *shop) requireArrivals(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(s.access()) == n }, patience, tick)
}

// checkBooks checks what must hold after every scenario: orders, payments and
// ledger agree to the cent, and nothing is in the ledger that nobody asked for.
func (s *shop) checkBooks() {
	s.t.Helper()
	var seeded catalogue
	require.NoError(s.t, json.Unmarshal(seedJSON, &seeded))
	paidBack, asked := map[string]int64{}, map[string]bool{}
	for _, a := range s.access() {
		if a.Status == http.StatusOK || a.Status == 0 {
			asked[a.IdempotencyKey] = true
		}
	}
	for _, e := range s.ledger() {
		require.True(s.t, asked[e.IdempotencyKey], "ledger entry %+v has no request", e)
		paidBack[e.OrderID] += e.AmountMinor
	}
	for id, was := range seeded.Orders {
		got := s.storedOrder(id)
		require.Equal(s.t, was.RefundedMinor+paidBack[id], got.RefundedMinor, id)
		require.LessOrEqual(s.t, got.RefundedMinor, got.TotalMinor, id)
		checkPayments(s.t, got)
	}
}

func (s *shop) storedOrder(id string) (o order) {
	var doc string
	require.NoError(s.t, s.d.db.QueryRow(`SELECT doc FROM orders WHERE id = ?`, id).Scan(&doc))
	require.NoError(s.t, json.Unmarshal([]byte(doc), &o))
	return o
}
