package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/interlock-run/interlock/deploy/demo/desk"
)

// A shop is the order desk, served on a port of its own.
type shop struct {
	config  desk.Config
	address string // host:port
	desk    *desk.Desk
	stop    context.CancelFunc
	served  chan error
}

// openShop opens a new desk on any free port.
func openShop(ctx context.Context, path, token string) (*shop, error) {
	s := &shop{config: desk.Config{Path: path, Token: token}, address: "127.0.0.1:0"}
	return s, s.open(ctx, packSlowly)
}

func (s *shop) open(ctx context.Context, packTime time.Duration) error {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("couldn't listen for the order desk: %w", err)
	}
	s.address = l.Addr().String()
	s.config.PackTime = packTime
	if s.desk, err = desk.Open(ctx, s.config); err != nil {
		return errors.Join(err, l.Close())
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.served = stop, make(chan error, 1)
	go func(d *desk.Desk) { s.served <- d.Serve(serving, l) }(s.desk)
	return nil
}

// reopen closes the desk and opens it again, at the same address and with the
// same books.
func (s *shop) reopen(ctx context.Context, packTime time.Duration) error {
	if err := s.close(); err != nil {
		return err
	}
	return s.open(ctx, packTime)
}

func (s *shop) close() error {
	s.stop()
	return errors.Join(<-s.served, s.desk.Close())
}

// fail makes requests to a path fail: so many times, -1 for ever, 0 for no
// longer.
func (s *shop) fail(ctx context.Context, path string, status, times int) error {
	body, err := json.Marshal(map[string]any{"path_prefix": path, "status": status, "times": times})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/admin/fail", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.config.Token)
	// A transport of its own: no proxy, and no connection stays open.
	local := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := local.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if said, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the desk answers %s to a fault: %s", answer.Status, said)
	}
	return nil
}
