// Package devservertest gives the tests of a package one Temporal development
// server.
//
//	func TestMain(m *testing.M) { devservertest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		server := devservertest.Shared(t)
//		c, err := server.Client(t.Context(), client.Options{})
//		// …
//	}
//
// Tests share the server, so each uses task queues and workflow IDs of its own.
package devservertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/interlock-run/interlock/deploy/devserver"
)

// shared is the server of this process.
var shared holder

// Shared returns this process's server, which the first call starts; later ones
// return the same. It may have to build the server first, which takes minutes
// and is shown on standard error.
//
// Without a server the test fails; it is not skipped, because a run that
// skipped it would look like one that passed. It also fails if [Main] is not in
// charge, because then nothing would stop the server.
//
// Shared may be called by tests that run in parallel.
func Shared(t testing.TB) *devserver.Server {
	t.Helper()
	server, err := shared.get()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// Main runs the tests of a package, stops the server if there is one, and ends
// the process. Tests that do not use the server pay nothing for it.
func Main(m *testing.M) {
	shared.own()
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// A holder starts at most one server, for as long as it is owned.
type holder struct {
	mu     sync.Mutex // held while the server starts: others wait for it
	owned  bool       // somebody will call stop
	tried  bool
	server *devserver.Server
	err    error
}

func (h *holder) own() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owned = true
}

func (h *holder) get() (*devserver.Server, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.owned {
		return nil, errors.New("devservertest.Shared needs: func TestMain(m *testing.M) { devservertest.Main(m) }")
	}
	if !h.tried {
		h.tried = true
		h.server, h.err = launch()
	}
	if h.err != nil {
		return nil, fmt.Errorf("no development server, and this test needs one: %w", h.err)
	}
	if err := h.server.Err(); err != nil {
		return nil, fmt.Errorf("the development server of these tests is gone: %w", err)
	}
	return h.server, nil
}

// launch starts a server that outlives the test that asked for it.
func launch() (*devserver.Server, error) {
	ctx := context.Background()
	binary, err := devserver.Find(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	return devserver.Start(ctx, devserver.Options{Binary: binary, Headless: true})
}

func (h *holder) stop() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owned = false
	if h.server == nil {
		return nil
	}
	return h.server.Stop()
}
