package devserver

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// genuineBinary is the real CLI, found or built once for all tests, before any
// of them changes PATH.
var genuineBinary = sync.OnceValues(func() (string, error) {
	return Find(context.Background(), os.Stderr)
})

// startServer starts a real server that ends with the test.
func startServer(t testing.TB, o Options) *Server {
	t.Helper()
	binary, err := genuineBinary()
	require.NoError(t, err)
	o.Binary = binary
	s, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

func clientOf(t testing.TB, s *Server) client.Client {
	t.Helper()
	c, err := s.Client(t.Context(), client.Options{Logger: quiet})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// taskQueue is the one that startWorker's worker polls.
const taskQueue = "devserver-test"

// startWorker runs the workflows of this file until the test ends.
func startWorker(t testing.TB, c client.Client) {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{
		MaxConcurrentWorkflowTaskPollers: 16,
		MaxConcurrentActivityTaskPollers: 16,
	})
	w.RegisterWorkflow(fiveSteps)
	w.RegisterWorkflow(sleepy)
	w.RegisterActivity(noop)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func noop(context.Context) error { return nil }

// fiveSteps runs five activities that do nothing, one after the other.
func fiveSteps(ctx workflow.Context) (int, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	for i := range 5 {
		if err := workflow.ExecuteActivity(ctx, noop).Get(ctx, nil); err != nil {
			return i, err
		}
	}
	return 5, nil
}

// sleepy waits on a timer.
func sleepy(ctx workflow.Context, d time.Duration) error { return workflow.Sleep(ctx, d) }

// runFiveSteps runs the workflow to its end, findable by an attribute.
func runFiveSteps(t testing.TB, c client.Client, id string) {
	t.Helper()
	verdict := temporal.NewSearchAttributeKeyKeyword("InterlockVerdict")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID:                    id,
		TaskQueue:             taskQueue,
		TypedSearchAttributes: temporal.NewSearchAttributes(verdict.ValueSet("completed")),
	}, fiveSteps)
	require.NoError(t, err)
	var steps int
	require.NoError(t, run.Get(t.Context(), &steps))
	require.Equal(t, 5, steps)
}

// script writes a shell script that passes for the genuine CLI, and runs body
// when it is asked for anything but its version. It returns its path.
func script(t testing.TB, dir, body string) string {
	t.Helper()
	return program(t, dir, "temporal", `case "$1" in --version) echo "temporal version 9.9.9 (Server 9.9.9, UI 9.9.9)"; exit;; esac
`+body)
}

// program writes a shell script to dir/name and returns its path.
func program(t testing.TB, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755))
	return path
}

// listens reports whether something accepts connections at address.
func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func portOf(t testing.TB, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

// lines collects progress.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*lines)(nil)

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) count(s string) int { return strings.Count(l.String(), s) }
