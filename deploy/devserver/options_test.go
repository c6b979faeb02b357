package devserver

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPathsAreTheCallers checks that relative paths mean what they mean where
// Start is called: the server runs elsewhere.
func TestPathsAreTheCallers(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	o, temporary, err := Options{Binary: "bin/temporal", Dir: "run", DB: "state/temporal.db"}.complete()
	require.NoError(t, err)
	assert.False(t, temporary)
	for _, path := range []string{o.Binary, o.Dir, o.DB} {
		assert.True(t, filepath.IsAbs(path), path)
	}
	assert.DirExists(t, filepath.Join(here, "run"))
	assert.DirExists(t, filepath.Join(here, "state"))
}

func TestArguments(t *testing.T) {
	o := Options{
		Namespace:     "governed",
		DB:            "/state/temporal.db",
		DynamicConfig: map[string]string{"history.longPollExpirationInterval": `"9s"`, "added": "1"},
	}
	got := strings.Join(o.args(ports{frontend: 1, ui: 2, metrics: 3}), " ")
	assert.Equal(t, "server start-dev --ip 127.0.0.1 --port 1 --metrics-port 3 --ui-ip 127.0.0.1 --ui-port 2"+
		" --namespace governed --db-filename /state/temporal.db"+
		" --search-attribute InterlockVerdict=Keyword --search-attribute InterlockPrincipal=Keyword"+
		" --search-attribute InterlockPolicy=Keyword --search-attribute InterlockHaltCause=Keyword"+
		" --dynamic-config-value added=1"+
		` --dynamic-config-value history.longPollExpirationInterval="9s"`+
		" --dynamic-config-value history.timerProcessorMaxPollRPS=5000"+
		` --dynamic-config-value history.timerProcessorMaxTimeShift="1ms"`+
		" --dynamic-config-value history.transferProcessorMaxPollRPS=5000"+
		" --dynamic-config-value history.visibilityProcessorMaxPollRPS=5000"+
		" --dynamic-config-value system.enableActivityEagerExecution=true", got)

	bare := strings.Join(Options{Namespace: defaultNamespace, Headless: true}.args(ports{frontend: 1, metrics: 3}), " ")
	assert.Contains(t, bare, "--headless")
	assert.NotContains(t, bare, "--namespace", "default is always created, and twice is an error")
	assert.NotContains(t, bare, "--ui-port")
	assert.NotContains(t, bare, "--db-filename")
}

// TestEnvironment checks that neither the user's Temporal configuration nor his
// home folder reaches the server.
func TestEnvironment(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "production:7233")
	t.Setenv("XDG_CONFIG_HOME", "/home/of/config")
	t.Setenv("HOME", "/home/of/user")
	t.Setenv("KEPT", "yes")
	env := strings.Join(environment("/the/dir"), "\n")
	assert.NotContains(t, env, "production")
	assert.NotContains(t, env, "/home/of/config")
	assert.Contains(t, env, "KEPT=yes")
	// The last one of a name counts.
	assert.True(t, strings.HasSuffix(env, "\nHOME=/the/dir"))
}

func TestPickedPortsDiffer(t *testing.T) {
	p, err := pickPorts(Options{})
	require.NoError(t, err)
	assert.True(t, p.frontend != p.ui && p.ui != p.metrics && p.metrics != p.frontend, "%+v", p)
	_, err = pickPorts(Options{Port: p.frontend, UIPort: p.frontend})
	assert.ErrorContains(t, err, "choose another port", "the same port twice")
}

func TestQuoteTail(t *testing.T) {
	assert.Equal(t, "it printed nothing", quoteTail([]byte(" \n")))
	assert.Equal(t, "the end of its output:\n\tone\n\ttwo", quoteTail([]byte("one\ntwo\n")))
	long := quoteTail([]byte(strings.Repeat("a line of sixteen\n", 1000) + "last\n"))
	assert.Less(t, len(long), 2*tailSize)
	assert.True(t, strings.HasPrefix(long, "the end of its output:\n\ta line of sixteen\n"), "cut at a line")
	assert.True(t, strings.HasSuffix(long, "\n\tlast"))
}
