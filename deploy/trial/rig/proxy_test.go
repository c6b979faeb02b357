package rig

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo returns the address of a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := c.Write([]byte(text))
	require.NoError(t, err)
}

func hear(t *testing.T, c net.Conn, text string) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	heard := make([]byte, len(text))
	_, err := io.ReadFull(c, heard)
	require.NoError(t, err)
	require.Equal(t, text, string(heard))
}

// TestProxy cuts a connection: it stays open, nothing gets through, and what
// was sent meanwhile arrives once it is healed.
func TestProxy(t *testing.T) {
	p, err := OpenProxy(echo(t))
	require.NoError(t, err)
	c, err := net.Dial("tcp", p.Address)
	require.NoError(t, err)
	say(t, c, "before")
	hear(t, c, "before")

	p.Cut()
	late, err := net.Dial("tcp", p.Address)
	require.NoError(t, err, "a new connection is accepted")
	for _, c := range []net.Conn{c, late} {
		say(t, c, "while")
		require.NoError(t, c.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		_, err = c.Read(make([]byte, 1))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout(), "it is silent, not closed")
	}
	p.Heal()
	hear(t, c, "while")
	hear(t, late, "while")

	require.NoError(t, p.Close())
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
}
