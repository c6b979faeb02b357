package desk

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const refundPath = "/orders/W5500101/refund"

var refundBody = fmt.Sprintf(`{"customer":%q,"amount":100,"reason":"torn"}`, mia)

func TestKeyIsRequired(t *testing.T) {
	s := newShop(t)
	for _, path := range []string{"refund", "cancel", "ship", "notify"} {
		body := map[string]string{
			"refund": refundBody,
			"cancel": fmt.Sprintf(`{"customer":%q,"reason":"late"}`, mia),
			"ship":   fmt.Sprintf(`{"customer":%q,"carrier":"Heron Parcel"}`, mia),
			"notify": fmt.Sprintf(`{"customer":%q,"message":"hello"}`, mia),
		}[path]
		for name, keys := range map[string][]string{
			"none": nil, "empty": {""}, "two": {"a", "b"}, "long": {strings.Repeat("k", maxKey+1)}, "not ASCII": {"clé"},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				r := s.request(context.Background(), http.MethodPost, "/orders/W5500102/"+path, "", body)
				r.Header[keyHeader] = keys
				got, err := s.do(r)
				require.NoError(t, err)
				require.Equal(t, http.StatusBadRequest, got.status, got.body)
				require.Empty(t, s.ledger())
			})
		}
	}
}

func TestSameKeySameAnswer(t *testing.T) {
	s := newShop(t)
	first := s.post(refundPath, "k1", refundBody)
	require.Equal(t, 200, first.status)
	require.False(t, first.replayed)
	// The two ways to write the path are one path.
	for _, path := range []string{refundPath, "/orders/%23W5500101/refund"} {
		again := s.post(path, "k1", refundBody)
		require.True(t, again.replayed)
		require.Equal(t, first.body, again.body)
	}
	require.Len(t, s.ledger(), 1)

	// A refusal is an answer too: it does not turn into an effect by asking again.
	tooMuch := fmt.Sprintf(`{"customer":%q,"amount":1000000,"reason":"torn"}`, mia)
	require.Equal(t, 409, s.post(refundPath, "k2", tooMuch).status)
	again := s.post(refundPath, "k2", tooMuch)
	require.Equal(t, 409, again.status)
	require.True(t, again.replayed)
}

func TestSameKeyOtherRequest(t *testing.T) {
	s := newShop(t)
	require.Equal(t, 200, s.post(refundPath, "k1", refundBody).status)
	for name, other := range map[string][2]string{
		"amount":   {refundPath, strings.Replace(refundBody, "100", "101", 1)},
		"spelling": {refundPath, refundBody + " "},
		"order":    {"/orders/W5500104/refund", refundBody},
		"endpoint": {"/orders/W5500101/notify", fmt.Sprintf(`{"customer":%q,"message":"hello"}`, mia)},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.post(other[0], "k1", other[1])
			require.Equal(t, http.StatusUnprocessableEntity, got.status, got.body)
			require.Len(t, s.ledger(), 1)
		})
	}
}

// TestCrowd sends one request 32 times at once, to two desks with one file, so
// that nothing but the database stands between them.
func TestCrowd(t *testing.T) {
	for _, tt := range []struct{ kind, path, body string }{
		{"refund", refundPath, refundBody},
		{"ship", "/orders/W5500102/ship", fmt.Sprintf(`{"customer":%q,"carrier":"Heron Parcel"}`, mia)},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "desk.db")
			shops := []*shop{openShop(t, path), openShop(t, path)}
			replies, errs := crowd(shops, tt.path, tt.body)
			fresh := 0
			for i := range replies {
				require.NoError(t, errs[i])
				require.Equal(t, 200, replies[i].status, replies[i].body)
				require.Equal(t, replies[0].body, replies[i].body)
				if !replies[i].replayed {
					fresh++
				}
			}
			require.Equal(t, 1, fresh)
			require.Len(t, shops[0].ledger(), 1)
		})
	}
}

func crowd(shops []*shop, path, body string) (replies []httpReply, errs []error) {
	const n = 32
	replies, errs = make([]httpReply, n), make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		s := shops[i%len(shops)]
		r := s.request(context.Background(), http.MethodPost, path, "crowd", body)
		wg.Go(func() {
			<-start
			replies[i], errs[i] = s.do(r)
		})
	}
	close(start)
	wg.Wait()
	return replies, errs
}

// TestRestart closes a desk and opens its file again: orders, ledger, log and
// answers are still there, and the orders are not filled in anew.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a dir with ?#%41 in it.db")
	var first httpReply
	t.Run("before", func(t *testing.T) {
		s := openShop(t, path)
		first = s.post(refundPath, "k1", refundBody)
		require.Equal(t, 200, first.status)
		require.FileExists(t, path)
	})
	t.Run("after", func(t *testing.T) {
		s := openShop(t, path)
		require.Equal(t, int64(100), s.order("W5500101").RefundedMinor)
		require.Len(t, s.access(), 2)
		again := s.post(refundPath, "k1", refundBody)
		require.True(t, again.replayed)
		require.Equal(t, first.body, again.body)
		require.Len(t, s.ledger(), 1)
	})
}
