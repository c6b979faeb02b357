package worker_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// TestWorkerRefusesHoles: each row takes one thing away without which
// something could get through. The worker must not start. (T23)
func TestWorkerRefusesHoles(t *testing.T) {
	f := workertest.New(t)
	tests := []struct {
		name   string
		change func(*worker.Config)
		want   string
	}{
		{"no Temporal client", func(c *worker.Config) { c.Client = nil }, "Temporal client"},
		{"no trust root", func(c *worker.Config) { c.Trust = nil }, "trust root"},
		{"no logger", func(c *worker.Config) { c.Log = nil }, "logger"},
		{"no role", func(c *worker.Config) { c.Control, c.Steps = nil, nil }, "a role"},
		{"no catalogue", func(c *worker.Config) { c.Catalogue = "" }, "catalogue"},
		{"a catalogue that is not there", func(c *worker.Config) { c.Catalogue += ".gone" }, "no such file"},
		{"no store", func(c *worker.Config) { c.Store = "" }, "evidence store"},
		{"a store that is a folder", func(c *worker.Config) { c.Store = f.Dir }, "store"},
		{"no policy", func(c *worker.Config) { c.Control.Policy = "" }, "policy"},
		{"a policy that is not there", func(c *worker.Config) { c.Control.Policy += ".gone" }, "no such file"},
		{"no authority key", func(c *worker.Config) { c.Control.Authority = nil }, "authority key"},
		{"no recorder key", func(c *worker.Config) { c.Control.Recorder = nil }, "recorder key"},
		{"an authority key that is a stranger's", func(c *worker.Config) { c.Control.Authority = evidencetest.Signer(evidencetest.Stranger) }, "not trusted"},
		{"a recorder's key as authority", func(c *worker.Config) { c.Control.Authority = evidencetest.Signer(evidencetest.Recorder) }, "not authority"},
		{"no terms", func(c *worker.Config) { c.Control.Terms = evidence.Terms{} }, "lease"},
		{"a lease without end", func(c *worker.Config) { c.Control.Terms.LeaseMS = 1 << 40 }, "lease"},
		{"an interval longer than the lease", func(c *worker.Config) { c.Control.Terms.IntervalMS = 1 << 40 }, "interval"},
		{"no worker key", func(c *worker.Config) { c.Steps.Key = nil }, "worker key"},
		{"another worker's name", func(c *worker.Config) { c.Steps.Name = evidencetest.OtherWorker }, "belongs to"},
		{"an authority's key as worker", func(c *worker.Config) { c.Steps.Key = evidencetest.Signer(evidencetest.Authority) }, "not worker"},
		{"a function that is not registered", func(c *worker.Config) { c.Steps.Funcs = nil }, "function"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := f.Config
			control, steps := *c.Control, *c.Steps
			c.Control, c.Steps = &control, &steps
			c.Store = t.TempDir() + "/evidence.db"
			tt.change(&c)
			w, err := worker.New(t.Context(), c)
			require.Nil(t, w)
			require.ErrorIs(t, err, worker.ErrConfig)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestWorkerRefusesBadFiles: rules and catalogues that do not load.
func TestWorkerRefusesBadFiles(t *testing.T) {
	f := workertest.New(t)
	tests := []struct{ name, file, content, want string }{
		{"a field that does not exist", "policy.yaml", "name: desk\nversion: 1\nrules:\n  - {id: a, phase: admit, effect: allow, when: 'request.prinzipal == \"alice\"'}\n", "policy.yaml:4:"},
		{"a rule that does not compile", "policy.yaml", "name: desk\nversion: 1\nrules:\n  - {id: a, phase: admit, effect: allow, when: '1 +'}\n", "policy.yaml:4:"},
		{"no rules at all", "policy.yaml", "", "policy.yaml"},
		{"an empty list of rules", "policy.yaml", "name: desk\nversion: 1\nrules: []\n", "rules"},
		{"no actions", "actions.yaml", "version: 1\nactions: {}\n", "at least one action"},
		{"an action without an executor", "actions.yaml", "version: 1\nactions:\n  desk.read: {description: x, effect: read, timeout: 1s, args: {type: object, additionalProperties: false}}\n", "actions.yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := f.Config
			control := *c.Control
			c.Control = &control
			c.Store = t.TempDir() + "/evidence.db"
			path := t.TempDir() + "/" + tt.file
			require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))
			if tt.file == "policy.yaml" {
				c.Control.Policy = path
			} else {
				c.Catalogue = path
			}
			_, err := worker.New(t.Context(), c)
			require.ErrorIs(t, err, worker.ErrConfig)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
