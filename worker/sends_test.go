package worker_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/worker/workertest"
)

// TestT15WhatArrivesWasDecided: the control plane, which holds no secret of
// the step worker, states the digest of the request that the server gets.
func TestT15WhatArrivesWasDecided(t *testing.T) {
	var mu sync.Mutex
	arrived := map[evidence.Digest]bool{}
	var url string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if len(body) == 0 {
			body = nil
		}
		mu.Lock()
		defer mu.Unlock()
		arrived[evidence.HTTPDigest(r.Method, url+r.RequestURI, body)] = true
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{}`)
	}))
	defer server.Close()
	url = server.URL
	f := workertest.New(t, func(f *workertest.Fixture) {
		hosts := `["` + strings.TrimPrefix(url, "http://") + `"]`
		f.Write("policy.yaml", `name: desk
version: 1
rules:
  - {id: alice-asks, phase: admit, effect: allow, when: 'request.principal == "alice"'}
  - {id: the-desk, phase: step, actions: ["desk.*"], effect: allow, when: "true"}
`)
		f.Write("actions.yaml", `version: 1
actions:
  desk.pay: {effect: irreversible, timeout: 10s, args: {type: object, additionalProperties: false, required: [id, amount], properties: {id: {type: string}, amount: {type: number}, note: {type: string}}}, http: {method: POST, url: "`+url+`/orders/{id}?v=1", hosts: `+hosts+`}}
  desk.look: {effect: read, timeout: 10s, args: {type: object, additionalProperties: false, required: [id], properties: {id: {type: string}}}, http: {method: GET, url: "`+url+`/orders/{id}", hosts: `+hosts+`}}
`)
	})
	run := f.Begin(
		workertest.Step("a", "desk.look", `{"id":"é 1"}`),
		workertest.Step("b", "desk.pay", `{"id":"o&1","amount":1.50e1,"note":"<\u00e9>"}`, "a"),
	)
	require.Equal(t, evidence.Completed, f.Verified(run).Verdict)
	decided := map[evidence.Digest]bool{}
	for _, step := range []string{"a", "b"} {
		_, d, _ := decisionOf(t, f, run, step)
		decided[d.Sends] = true
		require.NotEqual(t, d.Args, d.Sends)
	}
	require.Equal(t, decided, arrived)

	report := f.Verified(f.Begin(workertest.Step("a", "desk.look", `{"id":".."}`)))
	require.Equal(t, []any{evidence.Denied, "action.args"}, []any{report.Verdict, report.Cause}, "what cannot be sent is not admitted")
	require.Len(t, arrived, 2)
}
