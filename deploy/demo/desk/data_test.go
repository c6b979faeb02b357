package desk

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkPayments checks that o's payments are its total and its refunds.
func checkPayments(t *testing.T, o order) {
	t.Helper()
	sum := map[string]int64{}
	for _, p := range o.PaymentHistory {
		sum[p.TransactionType] += cents(p.Amount)
	}
	require.Equal(t, o.TotalMinor, sum["payment"], o.OrderID)
	require.Equal(t, o.RefundedMinor, sum["refund"], o.OrderID)
}

func cents(amount float64) int64 { return int64(math.Round(amount * 100)) }

// TestOrdersAddUp checks the embedded orders the way their readers rely on them.
func TestOrdersAddUp(t *testing.T) {
	var c catalogue
	require.NoError(t, json.Unmarshal(seedJSON, &c))
	require.Len(t, c.Orders, 20)
	require.Len(t, c.Users, 8)
	require.Len(t, c.Products, 6)
	for id, o := range c.Orders {
		require.Equal(t, id, o.OrderID)
		require.Contains(t, c.Users[o.UserID].Orders, id)
		require.Contains(t, []string{pending, processed, delivered, cancelled}, o.Status)
		total := int64(0)
		for _, i := range o.Items {
			require.Contains(t, c.Products, i.ProductID)
			total += cents(i.Price)
		}
		require.Equal(t, o.TotalMinor, total, id)
		checkPayments(t, o)
		for _, p := range o.PaymentHistory {
			require.Contains(t, c.Users[o.UserID].PaymentMethods, p.PaymentMethodID, id)
		}
		sent := o.Status == processed || o.Status == delivered
		require.Equal(t, sent, len(o.Fulfillments) == 1, id)
	}
}

// TestWhatTheDemoNeeds pins what is named in the demo's policies and scripts.
func TestWhatTheDemoNeeds(t *testing.T) {
	s := newShop(t)
	for id, want := range map[string]struct{ owner, status string }{
		"W5500101": {mia, delivered},
		"W5500102": {mia, pending},
		"W5500201": {noah, delivered},
	} {
		o := s.order(id)
		require.Equal(t, want.owner, o.UserID, id)
		require.Equal(t, want.status, o.Status, id)
	}
	require.GreaterOrEqual(t, s.order("W5500101").TotalMinor, int64(100_00))
}

func TestReading(t *testing.T) {
	s := newShop(t)
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/orders/W5500101", 200, `"order_id":"#W5500101"`},
		{"/orders/%23W5500101", 200, `"order_id":"#W5500101"`},
		{"/users/" + mia, 200, `"email":"mia.keller@example.com"`},
		{"/users?email=mia.keller@example.com", 200, `"user_id":"mia_keller_4821"`},
		{"/users?email=Mia.Keller%40Example.com", 200, `"user_id":"mia_keller_4821"`},
		{"/products/7101430010", 200, `"name":"Rain Jacket"`},
		{"/healthz", 200, `"status":"ok"`},
		{"/orders/W0000000", 404, `"error"`},
		{"/orders/%23%23W5500101", 404, `"error"`},
		{"/orders/W5500101'--", 404, `"error"`},
		{"/users/nobody", 404, `"error"`},
		{"/users?email=nobody@example.com", 404, `"error"`},
		{"/users", 400, `"error"`},
		{"/products/none", 404, `"error"`},
		{"/nowhere", 404, `"error"`},
		{"/orders/W5500101/refund", 405, `"error"`}, // GET of a POST
		{"/admin/ledger?since=-1", 400, `"error"`},
		{"/admin/access?since=yesterday", 400, `"error"`},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got := s.call(http.MethodGet, tt.path, "", "")
			require.Equal(t, tt.status, got.status, got.body)
			require.Contains(t, got.body, tt.want)
			require.True(t, json.Valid([]byte(got.body)), got.body)
		})
	}
}

// TestKnowsNothingOfInterlock keeps the outside world outside: a desk that
// shared code with what governs it could not contradict it.
func TestKnowsNothingOfInterlock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			require.False(t, strings.Contains(i.Path.Value, "interlock"), "%s imports %s", file, i.Path.Value)
		}
	}
}
