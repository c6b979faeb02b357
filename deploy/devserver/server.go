package devserver

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
)

// stopGrace is how long a server may take to end before it is killed.
const stopGrace = 10 * time.Second

// A Server is a running development server. Its methods are safe for
// concurrent use.
type Server struct {
	// Address is the host:port that clients and workers connect to.
	Address string
	// UI is the URL of the web UI, or empty if there is none.
	UI string
	// Metrics is the URL of the server's Prometheus metrics.
	Metrics string
	// Namespace is the one that was asked for; "default" exists as well.
	Namespace string
	// Log is the path of the file with the server's output.
	Log string

	proc       *process
	log        logTail
	port       string      // of Address
	attributes []string    // that executions can be found by
	tempDir    string      // removed by Stop; empty if the folder is the caller's
	stopped    atomic.Bool // set by Stop, so that Err knows who ended the process
}

// Client returns a client of the server. HostPort and Namespace are filled in
// where o has none; the caller closes the client.
func (s *Server) Client(ctx context.Context, o client.Options) (client.Client, error) {
	if o.HostPort == "" {
		o.HostPort = s.Address
	}
	if o.Namespace == "" {
		o.Namespace = s.Namespace
	}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("couldn't connect to the development server at %s: %w", o.HostPort, err)
	}
	return c, nil
}

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.proc.done }

// Err says how the server ended, with the end of its log, if it ended without
// being stopped. It is nil while the server runs.
func (s *Server) Err() error {
	if s.stopped.Load() || !s.proc.endsWithin(0) {
		return nil
	}
	return s.ended()
}

// Stop ends the server and returns when it is gone: at once when it was gone
// before, and killed after ten seconds at the latest. It may be called more
// than once.
func (s *Server) Stop() error {
	s.stopped.Store(true)
	if err := s.proc.stop(stopGrace); err != nil {
		return fmt.Errorf("couldn't stop the temporal development server: %w", err)
	}
	if s.tempDir == "" {
		return nil
	}
	if err := os.RemoveAll(s.tempDir); err != nil {
		return fmt.Errorf("couldn't remove the server's folder: %w", err)
	}
	return nil
}
