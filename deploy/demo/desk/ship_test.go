package desk

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const shipPath = "/orders/W5500102/ship"

var shipBody = fmt.Sprintf(`{"customer":%q,"carrier":"Heron Parcel"}`, mia)

// A bench is packing under a test's control: every packing says that it began
// and waits to be let go.
type bench struct{ began, finish chan struct{} }

func (s *shop) bench() bench {
	b := bench{began: make(chan struct{}), finish: make(chan struct{})}
	s.d.pack = func(ctx context.Context, _ string) error {
		select {
		case b.began <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-b.finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return b
}

// letGo finishes one packing.
func (b bench) letGo(t *testing.T) {
	t.Helper()
	select {
	case b.finish <- struct{}{}:
	case <-time.After(patience):
		require.FailNow(t, "nothing is being packed")
	}
}

// ship asks for shipping in the background.
func (s *shop) ship(ctx context.Context, key string) <-chan httpReply {
	return s.behind(s.request(ctx, http.MethodPost, shipPath, key, shipBody))
}

// behind makes a request in the background.
func (s *shop) behind(r *http.Request) <-chan httpReply {
	got := make(chan httpReply, 1)
	go func() {
		reply, _ := s.do(r) // a caller who left gets status 0
		got <- reply
	}()
	return got
}

func TestShipTakesTimeAndThenHappensAtOnce(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	got := s.ship(t.Context(), "s1")
	receive(t, b.began)
	require.Empty(t, s.ledger())
	require.Equal(t, pending, s.storedOrder("#W5500102").Status)
	rows := s.access()
	require.Equal(t, 0, rows[0].Status, "a request is in the log while it is served")
	require.Equal(t, shipPath, rows[0].Path)

	close(b.finish)
	answer := receive(t, got)
	require.Equal(t, 200, answer.status, answer.body)
	var r receipt
	answer.decode(t, &r)
	o := s.order("W5500102")
	require.Equal(t, processed, o.Status)
	require.Equal(t, []fulfillment{{
		TrackingID: []string{r.TrackingID}, ItemIDs: []string{"8101430042", "8101430051"}, Carrier: "Heron Parcel",
	}}, o.Fulfillments)
	require.Equal(t, "Heron Parcel "+r.TrackingID, s.ledger()[0].Detail)
	s.requireLast("/orders/W5500102", 200)
}

// TestClientGone: a caller who leaves before the end has had no effect, even if
// the packing was over when the desk noticed.
func TestClientGone(t *testing.T) {
	for name, atTheVeryEnd := range map[string]bool{"while packing": false, "at the very end": true} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			began := make(chan struct{})
			s.d.pack = func(ctx context.Context, _ string) error {
				close(began)
				<-ctx.Done()
				if atTheVeryEnd {
					return nil
				}
				return ctx.Err()
			}
			ctx, leave := context.WithCancel(t.Context())
			got := s.ship(ctx, "s1")
			receive(t, began)
			leave()
			require.Equal(t, 0, receive(t, got).status)
			s.requireLast(shipPath, StatusClientGone)
			require.Empty(t, s.ledger())
			require.Equal(t, pending, s.order("W5500102").Status)

			// Nothing was done or decided: the key is free.
			s.d.pack = func(context.Context, string) error { return nil }
			again := s.post(shipPath, "s1", shipBody)
			require.Equal(t, 200, again.status, again.body)
			require.False(t, again.replayed)
		})
	}
}

// TestTwinsPackOnce: the second request with a key waits for the first and gets
// its answer.
func TestTwinsPackOnce(t *testing.T) {
	s := newShop(t)
	var packings atomic.Int32
	b := s.bench()
	bench := s.d.pack
	s.d.pack = func(ctx context.Context, id string) error {
		if packings.Add(1) > 1 {
			return nil // one too many, to be counted
		}
		return bench(ctx, id)
	}
	first := s.ship(t.Context(), "s1")
	receive(t, b.began)
	second := s.ship(t.Context(), "s1")
	s.requireArrivals(2)
	select {
	case early := <-second:
		t.Fatalf("the second did not wait: %+v", early)
	case <-time.After(50 * time.Millisecond): // too short only ever means: not noticed
	}
	b.letGo(t)
	one, two := receive(t, first), receive(t, second)
	require.Equal(t, 200, one.status)
	require.Equal(t, one.body, two.body)
	require.True(t, two.replayed)
	require.Equal(t, int32(1), packings.Load())
	require.Len(t, s.ledger(), 1)
}

// TestTwinTakesOver: if the first leaves, the second packs itself.
func TestTwinTakesOver(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	ctx, leave := context.WithCancel(t.Context())
	first := s.ship(ctx, "s1")
	receive(t, b.began)
	second := s.ship(t.Context(), "s1")
	s.requireArrivals(2)
	leave()
	receive(t, first)
	receive(t, b.began)
	b.letGo(t)
	require.Equal(t, 200, receive(t, second).status)
	require.Len(t, s.ledger(), 1)
}

// TestWaitingTwinLeaves: who waits for a twin can leave, too.
func TestWaitingTwinLeaves(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	first := s.ship(t.Context(), "s1")
	receive(t, b.began)
	ctx, leave := context.WithCancel(t.Context())
	second := s.ship(ctx, "s1")
	s.requireArrivals(2)
	leave()
	receive(t, second)
	s.requireLast(shipPath, StatusClientGone)
	b.letGo(t)
	require.Equal(t, 200, receive(t, first).status)
}

// TestCancelledWhilePacked: the order's state is checked again at the end.
func TestCancelledWhilePacked(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	got := s.ship(t.Context(), "s1")
	receive(t, b.began)
	require.Equal(t, 200, s.post("/orders/W5500102/cancel", "c1", fmt.Sprintf(`{"customer":%q,"reason":"late"}`, mia)).status)
	b.letGo(t)
	require.Equal(t, http.StatusConflict, receive(t, got).status)
	require.Len(t, s.ledger(), 1)
	require.Equal(t, cancelled, s.order("W5500102").Status)
}

// TestTwoShipmentsOfOneOrder: different keys, one order, one effect.
func TestTwoShipmentsOfOneOrder(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	one, two := s.ship(t.Context(), "s1"), s.ship(t.Context(), "s2")
	receive(t, b.began)
	receive(t, b.began)
	close(b.finish)
	require.ElementsMatch(t, []int{200, 409}, []int{receive(t, one).status, receive(t, two).status})
	require.Len(t, s.ledger(), 1)
}
