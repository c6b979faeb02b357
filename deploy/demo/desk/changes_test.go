package desk

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRefusals: rows are ways to go wrong. None of them has an effect.
func TestRefusals(t *testing.T) {
	refund, cancel, ship := "/orders/W5500101/refund", "/orders/W5500102/cancel", "/orders/W5500102/ship"
	ok := fmt.Sprintf(`{"customer":%q,"amount":100,"reason":"torn"}`, mia)
	tests := []struct {
		name, path, body string
		status           int
	}{
		{"refund, not the owner", refund, `{"customer":"noah_okafor_1177","amount":100,"reason":"torn"}`, 403},
		{"refund, no such customer", refund, `{"customer":"nobody","amount":100,"reason":"torn"}`, 403},
		{"refund of a pending order", "/orders/W5500102/refund", ok, 409},
		{"refund of a processed order", "/orders/W5500103/refund", ok, 409},
		{"refund, no such order", "/orders/W0000000/refund", ok, 404},
		{"refund of a cent too much", refund, `{"customer":"mia_keller_4821","amount":17791,"reason":"torn"}`, 409},
		{"refund that overflows", refund, `{"customer":"mia_keller_4821","amount":9223372036854775807,"reason":"torn"}`, 409},
		{"refund that overflows what was refunded before", "/orders/W5500303/refund", `{"customer":"ines_duarte_3306","amount":9223372036854775807,"reason":"torn"}`, 409},
		{"refund of what was refunded before", "/orders/W5500303/refund", `{"customer":"ines_duarte_3306","amount":11261,"reason":"torn"}`, 409},
		{"refund of nothing", refund, `{"customer":"mia_keller_4821","amount":0,"reason":"torn"}`, 400},
		{"refund of less than nothing", refund, `{"customer":"mia_keller_4821","amount":-100,"reason":"torn"}`, 400},
		{"refund of a fraction", refund, `{"customer":"mia_keller_4821","amount":1.5,"reason":"torn"}`, 400},
		{"refund of text", refund, `{"customer":"mia_keller_4821","amount":"100","reason":"torn"}`, 400},
		{"refund without an amount", refund, `{"customer":"mia_keller_4821","reason":"torn"}`, 400},
		{"refund without a reason", refund, `{"customer":"mia_keller_4821","amount":100}`, 400},
		{"refund without a customer", refund, `{"amount":100,"reason":"torn"}`, 400},
		{"unknown field", refund, strings.Replace(ok, "}", `,"currency":"EUR"}`, 1), 400},
		{"field twice", refund, strings.Replace(ok, "}", `,"amount":1}`, 1), 400},
		{"field in another case", refund, strings.Replace(ok, "amount", "Amount", 1), 400},
		{"trailing bytes", refund, ok + "{}", 400},
		{"cut short", refund, ok[:len(ok)-1], 400},
		{"not an object", refund, `[]`, 400},
		{"no body", refund, ``, 400},
		{"not UTF-8", refund, strings.Replace(ok, "torn", "t\xffrn", 1), 400},
		{"body too long", refund, strings.Replace(ok, "torn", strings.Repeat("x", maxBody), 1), 413},
		{"cancel, not the owner", cancel, `{"customer":"noah_okafor_1177","reason":"no longer needed"}`, 403},
		{"cancel of a delivered order", "/orders/W5500101/cancel", `{"customer":"mia_keller_4821","reason":"no longer needed"}`, 409},
		{"cancel without a reason", cancel, `{"customer":"mia_keller_4821"}`, 400},
		{"ship, not the owner", ship, `{"customer":"noah_okafor_1177","carrier":"Heron Parcel"}`, 403},
		{"ship of a delivered order", "/orders/W5500101/ship", `{"customer":"mia_keller_4821","carrier":"Heron Parcel"}`, 409},
		{"ship without a carrier", ship, `{"customer":"mia_keller_4821","carrier":""}`, 400},
		{"notify, not the owner", "/orders/W5500101/notify", `{"customer":"noah_okafor_1177","message":"hello"}`, 403},
		{"notify without a message", "/orders/W5500101/notify", `{"customer":"mia_keller_4821"}`, 400},
	}
	s := newShop(t)
	s.d.pack = func(context.Context, string) error {
		t.Error("something is packed that must be refused at once")
		return nil
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := s.post(tt.path, tt.name, tt.body)
			require.Equal(t, tt.status, got.status, got.body)
			require.Contains(t, got.body, `"error"`)
			require.Empty(t, s.ledger())
			rows := s.access()
			require.Equal(t, tt.status, rows[len(rows)-1].Status)
		})
	}
}

func TestToken(t *testing.T) {
	s := newShop(t)
	for _, header := range []string{
		"", "Bearer ", "Bearer wrong", "Bearer " + testToken + "x", "Bearer " + testToken[:5], testToken, "Basic " + testToken,
	} {
		for _, path := range []string{"/orders/W5500101", "/admin/ledger", "/nowhere", "/healthz/"} {
			r := s.request(context.Background(), http.MethodGet, path, "", "")
			r.Header.Set("Authorization", header)
			got, err := s.do(r)
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, got.status, "%q %s", header, path)
			require.NotContains(t, got.body, "W5500101")
		}
	}
	r := s.request(context.Background(), http.MethodGet, "/healthz", "", "")
	r.Header.Del("Authorization")
	got, err := s.do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status)
}

func TestRefundsAddUp(t *testing.T) {
	s := newShop(t)
	refund := func(key string, amount int) httpReply {
		return s.post("/orders/W5500101/refund", key, fmt.Sprintf(`{"customer":%q,"amount":%d,"reason":"torn"}`, mia, amount))
	}
	require.Equal(t, 200, refund("r1", 100_00).status)
	require.Equal(t, 409, refund("r2", 77_91).status)
	got := refund("r3", 77_90)
	var r receipt
	got.decode(t, &r)
	require.Equal(t, receipt{2, "refund", "#W5500101", delivered, 77_90, 177_90, ""}, r)
	require.Equal(t, 409, refund("r4", 1).status)

	entries := s.ledger()
	require.Len(t, entries, 2)
	entries[0].At = entries[1].At
	require.Equal(t, Entry{1, entries[1].At, "r1", "refund", "#W5500101", mia, 100_00, "torn"}, entries[0])
}

func TestCancel(t *testing.T) {
	s := newShop(t)
	body := fmt.Sprintf(`{"customer":%q,"reason":"no longer needed"}`, mia)
	require.Equal(t, 200, s.post("/orders/%23W5500102/cancel", "c1", body).status)
	require.Equal(t, 409, s.post("/orders/%23W5500102/cancel", "c2", body).status)
	o := s.order("W5500102")
	require.Equal(t, cancelled, o.Status)
	require.Equal(t, "no longer needed", o.CancelReason)
	require.Equal(t, o.TotalMinor, o.RefundedMinor)
	require.Equal(t, int64(67_70), s.ledger()[0].AmountMinor)
}

func TestNotify(t *testing.T) {
	s := newShop(t)
	before := s.order("W5500103")
	require.Equal(t, 200, s.post("/orders/W5500103/notify", "n1", fmt.Sprintf(`{"customer":%q,"message":"on its way"}`, mia)).status)
	require.Equal(t, before, s.order("W5500103"))
	require.Equal(t, "on its way", s.ledger()[0].Detail)
}
