package devserver

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
)

func TestStartRunStop(t *testing.T) {
	dir := t.TempDir()
	earlier := "what an earlier server said: address already in use\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "temporal.log"), []byte(earlier), 0o600))

	s := startServer(t, Options{Dir: dir, Namespace: "governed"})
	require.Equal(t, "governed", s.Namespace)
	c := clientOf(t, s)
	startWorker(t, c)
	runFiveSteps(t, c, "one")
	require.Eventually(t, func() bool { return found(t, s, "InterlockVerdict = 'completed'") == 1 },
		10*time.Second, 50*time.Millisecond, "the workflow cannot be found by its attribute")
	for _, name := range searchAttributes {
		assert.Zero(t, found(t, s, name+" = 'x'"), name)
	}
	for _, url := range []string{s.UI, s.Metrics} {
		answer, err := http.Get(url)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, http.StatusOK, answer.StatusCode, url)
	}

	require.NoError(t, s.Err())
	require.NoError(t, s.Stop())
	<-s.Done()
	assert.False(t, listens(s.Address), "the server still listens")
	assert.NoError(t, s.Err(), "a server that was stopped has not failed")
	assert.NoError(t, s.Stop(), "stopping twice")
	log, err := os.ReadFile(s.Log)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(log), earlier), "the log was not appended to")
}

// found counts the workflows that match query, in s's namespace.
func found(t testing.TB, s *Server, query string) int {
	t.Helper()
	list, err := clientOf(t, s).ListWorkflow(t.Context(),
		&workflowservice.ListWorkflowExecutionsRequest{Namespace: s.Namespace, Query: query})
	require.NoError(t, err)
	return len(list.GetExecutions())
}

func TestTemporaryFolderIsRemoved(t *testing.T) {
	s := startServer(t, Options{Headless: true})
	assert.Empty(t, s.UI)
	require.FileExists(t, s.Log)
	require.NoError(t, s.Stop())
	assert.NoDirExists(t, filepath.Dir(s.Log))
}

func TestRestartKeepsWorkflows(t *testing.T) {
	o := Options{DB: filepath.Join(t.TempDir(), "state", "temporal.db"), Namespace: "governed", Headless: true}
	first := startServer(t, o)
	c := clientOf(t, first)
	startWorker(t, c)
	runFiveSteps(t, c, "kept")
	require.NoError(t, first.Stop())

	second := startServer(t, o)
	var steps int
	require.NoError(t, clientOf(t, second).GetWorkflow(t.Context(), "kept", "").Get(t.Context(), &steps))
	assert.Equal(t, 5, steps)
	assert.Equal(t, 1, found(t, second, "InterlockVerdict = 'completed'"))
}

func TestServersAtTheSameTime(t *testing.T) {
	servers := make([]*Server, 3)
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i] = startServer(t, Options{}) })
	}
	starting.Wait()
	for i, s := range servers {
		require.NotNil(t, s)
		assert.NoError(t, s.Err())
		for _, other := range servers[:i] {
			assert.NotEqual(t, other.Address, s.Address)
			assert.NotEqual(t, other.UI, s.UI)
		}
	}
}

func TestServerEndsUnasked(t *testing.T) {
	s := startServer(t, Options{Headless: true})
	killGroup(s.proc.cmd.Process)
	<-s.Done()
	assert.ErrorContains(t, s.Err(), "ended by itself (signal: killed)")
	assert.NoError(t, s.Stop())
}

func TestFixedPorts(t *testing.T) {
	p, err := pickPorts(Options{})
	require.NoError(t, err)
	s := startServer(t, Options{Port: p.frontend, UIPort: p.ui, MetricsPort: p.metrics})
	want := newServer(Options{}, p)
	assert.Equal(t, []string{want.Address, want.UI, want.Metrics}, []string{s.Address, s.UI, s.Metrics})

	_, err = Start(t.Context(), Options{Binary: s.proc.cmd.Path, Port: p.frontend})
	assert.ErrorContains(t, err, "choose another port")
	assert.NoError(t, s.Err(), "the server that was there first")

	headless := startServer(t, Options{Headless: true, UIPort: p.ui})
	assert.Empty(t, headless.UI, "a port that is not used may be taken")
}

// TestLostPorts makes the race happen that pickPorts cannot exclude: a port is
// taken between the moment it is picked and the moment the server binds it.
func TestLostPorts(t *testing.T) {
	there := startServer(t, Options{})
	taken := map[string]func(p *ports){
		"frontend": func(p *ports) { p.frontend = portOf(t, there.Address) },
		"ui":       func(p *ports) { p.ui = portOf(t, strings.TrimPrefix(there.UI, "http://")) },
	}
	for name, lose := range taken {
		t.Run(name, func(t *testing.T) {
			picks := 0
			l := launcher{timeout: startTimeout, pick: func(o Options) (ports, error) {
				p, err := pickPorts(o)
				if picks++; picks == 1 {
					lose(&p)
				}
				return p, err
			}}
			s, err := start(t.Context(), Options{Binary: there.proc.cmd.Path}, l)
			require.NoError(t, err)
			assert.Equal(t, 2, picks)
			assert.NotEqual(t, there.Address, s.Address)
			assert.NoError(t, s.Stop())
		})
	}
	t.Run("always", func(t *testing.T) {
		l := launcher{timeout: startTimeout, pick: func(o Options) (ports, error) {
			p, err := pickPorts(o)
			taken["frontend"](&p)
			return p, err
		}}
		_, err := start(t.Context(), Options{Binary: there.proc.cmd.Path, Headless: true}, l)
		assert.ErrorIs(t, err, errPortTaken)
	})
	assert.NoError(t, there.Err(), "the server that was there first")
}
