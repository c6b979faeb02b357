package desk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

const (
	headerTime = 5 * time.Second  // to send the headers
	readTime   = 15 * time.Second // to send headers and body
	idleTime   = 60 * time.Second // between requests of one connection
	spareTime  = 30 * time.Second // for all that is not packing
	maxHeader  = 16 << 10         // bytes
)

// errStopping is why requests end that outlast the desk.
var errStopping = errors.New("the desk is closing")

// Serve serves the desk's endpoints on l until ctx ends, and closes l.
//
// It then takes no more requests, gives those at work time to finish, an order
// being packed included, and cuts off the rest: they are answered with 503 and
// commit nothing. It returns nil after such a stop, and why it could not serve
// otherwise. The desk stays open.
func (d *Desk) Serve(ctx context.Context, l net.Listener) error {
	base, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	s := d.server(base)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	err := d.stop(s, cut)
	<-served
	return err
}

func (d *Desk) server(base context.Context) *http.Server {
	// The write timeout counts from the end of the headers, and an answer later
	// than that is lost: it has to outlast a request that waits for a twin's
	// packing and then packs itself.
	longest := 2*d.packTime + spareTime
	return &http.Server{
		Handler:           d.Handler(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      longest,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          zap.NewStdLog(d.log),
	}
}

// stop lets requests finish, then cuts them off, then waits for them again.
func (d *Desk) stop(s *http.Server, cut context.CancelCauseFunc) error {
	finish, cancel := context.WithTimeout(context.Background(), d.grace)
	defer cancel()
	if err := s.Shutdown(finish); err == nil {
		return nil
	}
	cut(errStopping)
	last, cancelLast := context.WithTimeout(context.Background(), headerTime)
	defer cancelLast()
	if err := s.Shutdown(last); err != nil {
		return fmt.Errorf("requests are still at work after %v: %w", d.grace+headerTime, errors.Join(err, s.Close()))
	}
	return nil
}
