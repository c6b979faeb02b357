package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/activities"
	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// A far is a server that an action sends to. It keeps the digest of every
// request that reached it.
type far struct {
	*httptest.Server
	mu   sync.Mutex
	sent []evidence.Digest
}

func newFar(t *testing.T) *far {
	t.Helper()
	f := &far{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sent = append(f.sent, evidence.HTTPDigest(r.Method, f.URL+r.RequestURI, body))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{}`)
	}))
	t.Cleanup(f.Close)
	return f
}

// catalogueOf declares the action pay, which posts to path.
func (f *far) catalogueOf(path string) string {
	return `version: 1
actions:
  pay:
    effect: irreversible
    timeout: 30s
    args: {type: object, additionalProperties: false, required: [id, n], properties: {id: {type: string}, n: {type: integer}}}
    http: {method: POST, url: "` + f.URL + path + `", hosts: ["` + strings.TrimPrefix(f.URL, "http://") + `"]}
`
}

func parsed(t *testing.T, text string) *catalogue.Catalogue {
	t.Helper()
	cat, err := catalogue.Parse("actions.yaml", []byte(text))
	require.NoError(t, err)
	return cat
}

func overHTTP(t *testing.T, cat *catalogue.Catalogue) *executor.HTTP {
	t.Helper()
	a, _ := cat.Action("pay")
	h, err := executor.NewHTTP(a.HTTP, nil, executor.HTTPOptions{Effect: a.Effect})
	require.NoError(t, err)
	return h
}

// fickle prepares something else each time that it is asked, and has the
// second in mind when it is told to send the first.
type fickle struct {
	first, then *executor.HTTP
	asked       int
}

func (f *fickle) Prepare(c executor.Call) (*executor.Prepared, error) {
	if f.asked++; f.asked == 1 {
		return f.first.Prepare(c)
	}
	return f.then.Prepare(c)
}

func (f *fickle) Send(ctx context.Context, c executor.Call, p *executor.Prepared) (json.RawMessage, error) {
	return f.then.Send(ctx, c, p)
}

func (f *fickle) Execute(ctx context.Context, c executor.Call) (json.RawMessage, error) {
	return f.then.Execute(ctx, c)
}

// TestT15GuardComparesTheBytes: what leaves the worker is what was decided, to
// the byte, or nothing.
func TestT15GuardComparesTheBytes(t *testing.T) {
	const args = `{"id":"o-1","n":1}`
	tests := []struct {
		name string
		make func(*testing.T, *far, *catalogue.Catalogue) executor.Executor
		want string // the check that refuses; none if it is sent
	}{
		{name: "what was decided", make: func(t *testing.T, _ *far, cat *catalogue.Catalogue) executor.Executor { return overHTTP(t, cat) }},
		{name: "an executor that changes its mind", make: func(t *testing.T, f *far, cat *catalogue.Catalogue) executor.Executor {
			return &fickle{first: overHTTP(t, cat), then: overHTTP(t, parsed(t, f.catalogueOf("/elsewhere/{id}")))}
		}},
		{name: "another address", want: "guard.bytes", make: func(t *testing.T, f *far, _ *catalogue.Catalogue) executor.Executor {
			return overHTTP(t, parsed(t, f.catalogueOf("/orders/{id}/twice")))
		}},
		{name: "another body", want: "guard.bytes", make: func(t *testing.T, f *far, _ *catalogue.Catalogue) executor.Executor {
			return overHTTP(t, parsed(t, f.catalogueOf("/orders/o-1")))
		}},
		{name: "another method", want: "guard.bytes", make: func(t *testing.T, f *far, _ *catalogue.Catalogue) executor.Executor {
			return overHTTP(t, parsed(t, strings.Replace(f.catalogueOf("/orders/{id}"), "POST", "PUT", 1)))
		}},
		{name: "no request at all", want: "guard.bytes", make: func(t *testing.T, f *far, _ *catalogue.Catalogue) executor.Executor {
			return overHTTP(t, parsed(t, strings.Replace(f.catalogueOf("/orders/{id}"), "POST", "GET", 1)))
		}},
		{name: "an executor that does not say what it sends", want: "guard.bytes", make: func(t *testing.T, _ *far, cat *catalogue.Catalogue) executor.Executor {
			return executor.Func(overHTTP(t, cat).Execute)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFar(t)
			cat := parsed(t, f.catalogueOf("/orders/{id}"))
			st, err := store.Open(t.Context(), t.TempDir()+"/evidence.db")
			require.NoError(t, err)
			t.Cleanup(func() { _ = st.Close() })
			d := &desk{store: st}
			sends := evidence.HTTPDigest("POST", f.URL+"/orders/o-1", []byte(`{"n":1}`))
			in := d.decide(t, guardCase{action: "pay", args: args, change: func(d *evidence.Decision) { d.Sends = sends }}, cat)
			out, err := runHTTP(t, st, cat, tt.make(t, f, cat), in)
			if tt.want != "" {
				requireRefusal(t, guardCase{errIs: contract.ErrTypeRefused, cause: tt.want}, err)
				require.Empty(t, f.sent)
				slots, err := st.Slots(t.Context(), testRun)
				require.NoError(t, err)
				require.Empty(t, slots, "refused before the effect slot is taken")
				return
			}
			require.NoError(t, err)
			require.Equal(t, evidence.StatusDone, out.Status)
			require.Equal(t, []evidence.Digest{sends}, f.sent, "what arrived is what was decided")
		})
	}
}

func runHTTP(t *testing.T, st *store.Store, cat *catalogue.Catalogue, e executor.Executor, in contract.RunInput) (*contract.RunOutput, error) {
	t.Helper()
	steps, err := activities.NewSteps(activities.StepsConfig{
		Process: self, Probes: []activities.Probe{healthy()}, Reach: reachable,
		Trust: trust(t), Worker: evidencetest.Signer(evidencetest.Worker), Name: evidencetest.Worker,
		Catalogue: cat, Store: st, Log: zap.NewNop(), Executors: map[string]executor.Executor{"pay": e},
	})
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterActivity(steps.RunStep)
	value, err := env.ExecuteActivity(steps.RunStep, in)
	if err != nil {
		return nil, err
	}
	var out contract.RunOutput
	require.NoError(t, value.Get(&out))
	return &out, nil
}
