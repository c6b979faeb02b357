package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// poll is how often a server that is not ready is looked at.
const poll = 25 * time.Millisecond

// lostPort matches what the server prints when it could not bind a port. It
// does not always end then: it logs its fatal errors like any other.
var lostPort = regexp.MustCompile(`address already in use|can't set .*port`)

// bound matches what the server prints, with its frontend port, once it has
// bound its ports.
var bound = regexp.MustCompile(`(?m)Server:\s+\S+:(\d+)\s*$`)

// waitReady returns when the server can be used, within timeout.
func (s *Server) waitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it was given %v", timeout))
	defer cancel()
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		// In this order: the last thing a server prints may be the port it lost.
		over := s.proc.endsWithin(0)
		if s.lostPort() {
			return fmt.Errorf("%w; %v", errPortTaken, s.log)
		}
		if over {
			return s.ended()
		}
		select {
		case <-s.proc.done:
		case <-time.After(poll):
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (%w); %v", err, context.Cause(ctx), s.log)
		}
	}
}

// ready reports what is still missing, or nil.
//
// The banner comes first. Without it, the server that answers at our address
// may be another one, which was there before and lets ours fail.
func (s *Server) ready(ctx context.Context) error {
	if m := bound.FindSubmatch(s.log.read()); m == nil || string(m[1]) != s.port {
		return errors.New("it has not said that it serves")
	}
	if err := s.serves(ctx); err != nil {
		return err
	}
	if err := s.uiServes(ctx); err != nil {
		return err
	}
	if s.lostPort() || s.proc.endsWithin(0) {
		return errors.New("it failed while it started")
	}
	return nil
}

func (s *Server) lostPort() bool { return lostPort.Match(s.log.read()) }

// ended says how a server ended that should not have.
func (s *Server) ended() error {
	how := "exit status 0"
	if s.proc.err != nil {
		how = s.proc.err.Error()
	}
	return fmt.Errorf("it ended by itself (%s); %v", how, s.log)
}

// serves checks that clients can use the namespace and search by attributes.
func (s *Server) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.Client(ctx, client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("it is not healthy: %w", err)
	}
	if _, err := c.WorkflowService().DescribeNamespace(ctx,
		&workflowservice.DescribeNamespaceRequest{Namespace: s.Namespace}); err != nil {
		return fmt.Errorf("namespace %s cannot be used: %w", s.Namespace, err)
	}
	known, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: s.Namespace})
	if err != nil {
		return fmt.Errorf("search attributes cannot be listed: %w", err)
	}
	for _, name := range s.attributes {
		if _, ok := known.GetCustomAttributes()[name]; !ok {
			return fmt.Errorf("search attribute %s is missing", name)
		}
	}
	return nil
}

// uiServes checks that the web UI answers, if there is one.
func (s *Server) uiServes(ctx context.Context) error {
	if s.UI == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.UI, nil)
	if err != nil {
		return err
	}
	// A transport of its own: no proxy stands between us and loopback, and no
	// connection stays open.
	local := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := local.Do(req)
	if err != nil {
		return fmt.Errorf("the UI does not answer: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the UI answers %s", answer.Status)
	}
	return nil
}
