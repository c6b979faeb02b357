package desk

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		c    Config
		want error // nil if any will do
	}{
		{"no token", Config{Path: filepath.Join(dir, "a.db")}, ErrNoToken},
		{"a token with a space", Config{Path: filepath.Join(dir, "a.db"), Token: "a b"}, ErrNoToken},
		{"a token with a line end", Config{Path: filepath.Join(dir, "a.db"), Token: "a\n"}, ErrNoToken},
		{"no file", Config{Token: testToken}, ErrNoFile},
		{"memory", Config{Path: ":memory:", Token: testToken}, ErrNoFile},
		{"no such directory", Config{Path: filepath.Join(dir, "none", "a.db"), Token: testToken}, nil},
		{"negative time", Config{Path: filepath.Join(dir, "a.db"), Token: testToken, PackTime: -1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Open(t.Context(), tt.c)
			require.Nil(t, d)
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			require.NoFileExists(t, filepath.Join(dir, "a.db"))
		})
	}
}

func TestPackTime(t *testing.T) {
	c, err := Config{Path: "x", Token: "x"}.complete()
	require.NoError(t, err)
	require.Equal(t, DefaultPackTime, c.PackTime)

	d := &Desk{packTime: time.Nanosecond}
	require.NoError(t, d.packSlowly(t.Context(), ""))
	d.packTime = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.packSlowly(ctx, ""), context.Canceled)
}

// TestServerOutlastsPacking: an answer that comes after the write timeout is
// lost, so that must be longer than the longest request.
func TestServerOutlastsPacking(t *testing.T) {
	for _, packTime := range []time.Duration{1, DefaultPackTime, time.Hour} {
		server := (&Desk{packTime: packTime, log: zap.NewNop()}).server(t.Context())
		require.Greater(t, server.WriteTimeout, 2*packTime)
		require.Positive(t, server.ReadTimeout)
		require.Positive(t, server.ReadHeaderTimeout)
		require.Positive(t, server.IdleTimeout)
	}
}

// serve serves s's desk with [Desk.Serve] instead of the test server.
func (s *shop) serve() (stop context.CancelFunc, stopped <-chan error) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	s.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.d.Serve(ctx, l) }()
	return cancel, done
}

// TestStopLetsPackingFinish: what was begun when the desk is told to stop is
// finished and answered.
func TestStopLetsPackingFinish(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	s.d.grace = time.Hour
	stop, stopped := s.serve()
	got := s.ship(context.Background(), "s1")
	receive(t, b.began)
	stop()
	require.Eventually(t, func() bool { return s.refusesConnections() }, patience, tick)
	b.letGo(t)
	require.Equal(t, 200, receive(t, got).status)
	require.NoError(t, receive(t, stopped))
	require.Len(t, s.ledger(), 1)
}

// TestStopCutsOff: a request that does not finish in time is answered, and has
// no effect.
func TestStopCutsOff(t *testing.T) {
	s := newShop(t)
	b := s.bench()
	s.d.grace = time.Nanosecond
	stop, stopped := s.serve()
	got := s.ship(context.Background(), "s1")
	receive(t, b.began)
	stop()
	require.Equal(t, 503, receive(t, got).status)
	require.NoError(t, receive(t, stopped))
	require.Empty(t, s.ledger())
	s.requireLast(shipPath, 503)
}

func TestServeSaysWhyItCannot(t *testing.T) {
	s := newShop(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.ErrorIs(t, s.d.Serve(t.Context(), l), net.ErrClosed)
}

func (s *shop) refusesConnections() bool {
	conn, err := net.Dial("tcp", s.url[len("http://"):])
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}
