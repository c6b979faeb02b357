package desk

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const weightPath = "/orders/W5500102/weight"

// weigh asks for the weight in the background.
func (s *shop) weigh(ctx context.Context) <-chan httpReply {
	return s.behind(s.request(ctx, http.MethodGet, weightPath, "w1", ""))
}

// TestWeighingTakesTimeAndChangesNothing: neither the order nor the books, and
// its key is not used up.
func TestWeighingTakesTimeAndChangesNothing(t *testing.T) {
	s := newShop(t)
	before := s.storedOrder("#W5500102")
	b := s.bench()
	for range 2 {
		got := s.weigh(t.Context())
		receive(t, b.began)
		b.letGo(t)
		answer := receive(t, got)
		require.Equal(t, 200, answer.status, answer.body)
		require.False(t, answer.replayed)
		require.JSONEq(t, `{"order_id":"#W5500102","grams":700}`, answer.body)
	}
	require.Equal(t, before, s.storedOrder("#W5500102"))
	require.Empty(t, s.ledger())
}

func TestWeighingIsLeft(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	ctx, leave := context.WithCancel(t.Context())
	got := s.weigh(ctx)
	receive(t, b.began)
	leave()
	require.Equal(t, 0, receive(t, got).status)
	s.requireLast(weightPath, StatusClientGone)
}

func TestWeighingRefuses(t *testing.T) {
	s := newShop(t)
	s.d.pack = func(context.Context, string) error {
		t.Error("there is nothing to weigh")
		return nil
	}
	require.Equal(t, http.StatusNotFound, s.call(http.MethodGet, "/orders/W0000000/weight", "", "").status)
	require.Equal(t, http.StatusMethodNotAllowed, s.post(weightPath, "w1", "{}").status)
}
