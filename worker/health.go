package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

const (
	// healthAge is how long an answer is good for: asking more often does not
	// reach the store.
	healthAge = time.Second
	// healthPatience is how long a check may take.
	healthPatience = 3 * time.Second
)

// ErrNotReady means that a worker cannot do its work now.
var ErrNotReady = errors.New("not ready")

// A check is one thing without which a worker is not ready.
type check struct {
	name  string
	ask   func(context.Context) error
	state checkState
	busy  bool // it was asked and has not answered; not asked twice
}

// A checkState is what is told of a check: no reasons, because those name paths
// and addresses.
type checkState struct {
	Name  string    `json:"name"`
	OK    bool      `json:"ok"`
	Since time.Time `json:"since"` // when it became so; in UTC, whole seconds
}

// health knows whether a process is ready. It is safe for concurrent use.
type health struct {
	mu     sync.Mutex // guards what is below, for moments
	checks []*check
	asked  time.Time
	asking chan struct{} // closed when the answers are there; nil if nobody asks
}

func newHealth(checks ...*check) *health {
	h := &health{}
	h.add(checks...)
	return h
}

// add adds checks. They are red until they were asked. It must not be called
// once somebody asks.
func (h *health) add(checks ...*check) {
	for _, c := range checks {
		c.state = checkState{Name: c.name, Since: now()}
		h.checks = append(h.checks, c)
	}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// probed makes a check of each quick probe of a role. Which there are does not
// change while a process runs.
func probed(role string, measure func(context.Context) []evidence.Probe) []*check {
	var checks []*check
	for _, p := range measure(context.Background()) {
		checks = append(checks, &check{name: role + "." + p.Name, ask: func(ctx context.Context) error {
			for _, now := range measure(ctx) {
				if now.Name == p.Name && now.Status == evidence.ProbeOK {
					return nil
				}
			}
			return ErrNotReady
		}})
	}
	return checks
}

// look returns the state of every check, always the same ones in the same
// order. Whoever comes while the checks are asked waits for that answer.
func (h *health) look(ctx context.Context) ([]checkState, error) {
	h.mu.Lock()
	if h.asking == nil && time.Since(h.asked) > healthAge {
		h.asking = make(chan struct{})
		go h.ask(h.asking)
	}
	asking := h.asking
	h.mu.Unlock()
	if asking != nil {
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNotReady, ctx.Err())
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var states []checkState
	var red []string
	for _, c := range h.checks {
		states = append(states, c.state)
		if !c.state.OK {
			red = append(red, c.name)
		}
	}
	if len(red) > 0 {
		return states, fmt.Errorf("%w: %s", ErrNotReady, strings.Join(red, ", "))
	}
	return states, nil
}

// ask asks every check at once.
func (h *health) ask(done chan struct{}) {
	var asked sync.WaitGroup
	for _, c := range h.checks {
		asked.Go(func() { h.set(c, h.askOne(c)) })
	}
	asked.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.asking = time.Now(), nil
	close(done)
}

// askOne gives a check its time. One that hangs beyond that is red, and is not
// asked again before it has come back: it must not gather others behind it.
func (h *health) askOne(c *check) bool {
	h.mu.Lock()
	if c.busy {
		h.mu.Unlock()
		return false
	}
	c.busy = true
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), healthPatience)
	answer := make(chan error, 1)
	go func() {
		defer cancel()
		answer <- c.ask(ctx)
		h.mu.Lock()
		defer h.mu.Unlock()
		c.busy = false
	}()
	select {
	case err := <-answer:
		return err == nil
	case <-ctx.Done():
		return false
	}
}

func (h *health) set(c *check, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.state.OK != ok {
		c.state.OK, c.state.Since = ok, now()
	}
}

// ServeHTTP answers GET and HEAD of /healthz and /readyz.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.URL.Path != "/healthz" && r.URL.Path != "/readyz":
		http.Error(w, "not found", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case r.ContentLength != 0:
		http.Error(w, "a body is not wanted", http.StatusRequestEntityTooLarge)
	case r.URL.Path == "/healthz":
		reply(w, http.StatusOK, map[string]bool{"alive": true})
	default:
		h.ready(w, r)
	}
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool         `json:"ready"`
	Checks []checkState `json:"checks"`
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	states, err := h.look(r.Context())
	if err != nil {
		reply(w, http.StatusServiceUnavailable, readiness{false, states})
		return
	}
	reply(w, http.StatusOK, readiness{true, states})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may be gone
}

// serve answers on l until the returned function is called. What one caller can
// make it hold is bounded.
func (h *health) serve(l net.Listener) (stop func()) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 3 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 4 << 10,
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(l) }()
	return func() { _ = s.Close(); <-ended }
}
