package devserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// errPortTaken means that a port which was free a moment ago no longer is.
// [Start] then tries again with other ports.
var errPortTaken = errors.New("a port was taken by another process")

// ports are the TCP ports of one server.
type ports struct{ frontend, ui, metrics int }

// pickPorts returns the ports that o asks for, with free ones in place of
// zeros. A given port that is in use is an error, and not [errPortTaken]: other
// ports would not help.
//
// The server binds them only later, so they can be lost in between. Holding
// them until then is not possible: two processes cannot listen on one port.
func pickPorts(o Options) (ports, error) {
	p := ports{frontend: o.Port, ui: o.UIPort, metrics: o.MetricsPort}
	for _, port := range []*int{&p.frontend, &p.ui, &p.metrics} {
		// Every listener stays open until all are, so that no port comes twice.
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(*port)))
		if err != nil {
			return ports{}, fmt.Errorf(
				"couldn't listen on port %d: %w; is another server running? stop it or choose another port", *port, err)
		}
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}
