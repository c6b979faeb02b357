package executor

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTemplateCheck gives the last look at an address what the looks before
// it should have stopped.
func TestTemplateCheck(t *testing.T) {
	tmpl, err := parseTemplate("https://shop.example/a/{id}")
	require.NoError(t, err)
	for _, address := range []string{
		"https://shop.example/a/x?y=1",
		"https://shop.example:443/a/%2Fx",
	} {
		require.NoError(t, tmpl.check(address), address)
	}
	for _, address := range []string{
		"",
		"https://evil.example/a/x",
		"http://shop.example/a/x",
		"http://shop.example:443/a/x",
		"https://shop.example:8443/a/x",
		"https://me@shop.example/a/x",
		"https://shop.example/a",
		"https://shop.example/a/x/y",
		"https://shop.example/a/..",
		"https://shop.example/a/%2e%2E",
		"https://shop.example/./x",
		"https://shop.example/a/x#y",
		"https://shop.example/a/x y",
		"https://shop.example/a/\"x\"",
		"https://shop.example/a/x?y=é",
		"https://shop.example/a/x?y= z",
		"https://shop.example/a/x?y=\n",
	} {
		require.Error(t, tmpl.check(address), address)
	}
}

// TestDialerRefuses asks the dialer for hosts that only a mistake elsewhere
// could come up with.
func TestDialerRefuses(t *testing.T) {
	d := dialer{hosts: []string{"shop.invalid:443"}}
	for _, address := range []string{"evil.invalid:443", "shop.invalid:80", "shop.invalid", "", "sub.shop.invalid:443", "shop.invalid.:443"} {
		_, err := d.dial(context.Background(), "tcp", address)
		require.ErrorIs(t, err, errHost, address)
	}
	_, err := d.dial(context.Background(), "tcp", "SHOP.invalid:443")
	require.Error(t, err)
	require.False(t, errors.Is(err, errHost))
}

// TestHTTPHostRefused has a transport that was told of fewer hosts.
func TestHTTPHostRefused(t *testing.T) {
	tmpl, err := parseTemplate("http://shop.invalid/a")
	require.NoError(t, err)
	h := &HTTP{Requests: &Requests{method: "POST", template: tmpl}, transport: newTransport([]string{"other.invalid:80"}, false, nil)}
	_, err = h.Execute(context.Background(), Call{Args: []byte(`{}`), Key: "k"})
	e := Explain(err)
	require.Equal(t, CauseHost, e.Cause)
	require.True(t, e.NoEffect)
	require.True(t, e.Permanent)
}
