package executor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The bounds of the transport. How long an answer may take is not one of
// them: the action's timeout and the lease are, through the context.
const (
	maxConnect = 10 * time.Second // for a connection, and again for TLS
	maxIdle    = 30 * time.Second
	maxHeader  = 64 << 10 // bytes of an answer's header
)

// newTransport returns a transport that reaches hosts and nothing else.
//
// If reuse is false every request has a new connection. On one that was used
// before, net/http sends a request again that carries an Idempotency-Key if
// the server hangs up; the header says that the server may recognise the
// second one, not that it will. HTTP/2 is off for the same reason.
func newTransport(hosts []string, reuse bool, roots *x509.CertPool) *http.Transport {
	d := &dialer{hosts: slices.Clone(hosts)}
	d.net.Timeout = maxConnect
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		// A proxy named in the environment would be a host that the catalogue
		// does not name, and see what is sent to those it does.
		Proxy:                  nil,
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    maxConnect,
		IdleConnTimeout:        maxIdle,
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      !reuse,
		DisableCompression:     true,
		Protocols:              &protocols,
	}
}

// A dialer connects to hosts, each host:port, and to nothing else. It is the
// last to look, after whatever came up with the address.
type dialer struct {
	net   net.Dialer
	hosts []string
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !slices.Contains(d.hosts, strings.ToLower(address)) {
		return nil, fmt.Errorf("%w: %.100q", errHost, address)
	}
	return d.net.DialContext(ctx, network, address)
}
