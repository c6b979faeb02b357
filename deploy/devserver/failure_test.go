//go:build unix

package devserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFailedStart checks that every way of not getting ready says so, quotes
// the server, and leaves no process and no folder behind.
func TestFailedStart(t *testing.T) {
	// Prints what a server prints once it has bound its ports: "$6" is its port.
	const banner = `echo "Server:  localhost:$6"; `
	tests := []struct {
		name, body string
		want       []string
	}{
		{"dies", "echo the disk is full >&2; exit 3", []string{"exit status 3", "the disk is full"}},
		{"dies in silence", "exit 0", []string{"exit status 0", "printed nothing"}},
		{"hangs", "echo thinking; sleep 60", []string{"has not said that it serves", "it was given 1s", "thinking"}},
		{"serves nothing", banner + "sleep 60", []string{"couldn't connect", "it was given 1s"}},
		{"other port", "echo Server: localhost:1; sleep 60", []string{"has not said that it serves"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			mark := filepath.Join(t.TempDir(), "pid")
			binary := script(t, t.TempDir(), "echo $$ > "+mark+"\n"+tt.body)
			l := launcher{pick: pickPorts, timeout: time.Second}
			_, err := start(t.Context(), Options{Binary: binary, Headless: true}, l)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			assertGone(t, mark)
			left, err := os.ReadDir(os.TempDir())
			require.NoError(t, err)
			assert.Empty(t, left, "folders left behind")
		})
	}
}

// TestReadyMeansAll checks that a server that runs is not ready as long as one
// thing is missing of what it was asked for.
func TestReadyMeansAll(t *testing.T) {
	s := startServer(t, Options{Headless: true})
	require.NoError(t, s.ready(t.Context()))
	tests := []struct {
		field       *string
		value, want string
	}{
		{&s.Namespace, "missing", "namespace missing cannot be used"},
		{&s.UI, "http://" + loopback + ":1", "the UI does not answer"},
		{&s.UI, s.Metrics + "/missing", "the UI answers 404"},
		{&s.Address, loopback + ":1", "couldn't connect"},
		{&s.port, "1", "it has not said that it serves"},
		{&s.attributes[1], "Missing", "search attribute Missing is missing"},
	}
	for _, tt := range tests {
		before := *tt.field
		*tt.field = tt.value
		assert.ErrorContains(t, s.ready(t.Context()), tt.want)
		*tt.field = before
	}
	require.NoError(t, s.ready(t.Context()))
	require.NoError(t, s.Stop())
	assert.Error(t, s.ready(t.Context()), "a server that is gone")
}

// TestStartIsCancelled checks that a caller need not wait for the timeout.
func TestStartIsCancelled(t *testing.T) {
	enough := errors.New("the user has seen enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(enough) })
	_, err := Start(ctx, Options{Binary: script(t, t.TempDir(), "sleep 60"), Headless: true})
	assert.ErrorIs(t, err, enough)
}

func TestStartWithoutABinary(t *testing.T) {
	_, err := Start(t.Context(), Options{Binary: filepath.Join(t.TempDir(), "missing"), Headless: true})
	assert.ErrorIs(t, err, os.ErrNotExist)
}
