package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/worker/workertest"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestRequestsThatAreRefused presents requests that must not become
// executions. Each is denied, with evidence that verifies and no effect.
func TestRequestsThatAreRefused(t *testing.T) {
	f := workertest.New(t)
	pay := workertest.Step("a", "desk.pay", `{"amount":1}`)
	alice := func(change func(*evidence.Request)) func() (string, evidence.Envelope) {
		return func() (string, evidence.Envelope) {
			r := f.Request(pay)
			change(r)
			return r.ID, f.Sign(evidencetest.Alice, r)
		}
	}
	tests := []struct {
		name    string
		request func() (string, evidence.Envelope)
		cause   string
	}{
		{name: "nothing", cause: "request.malformed", request: func() (string, evidence.Envelope) {
			return workertest.Random(), evidence.Envelope{}
		}},
		{name: "not a statement", cause: "request.malformed", request: func() (string, evidence.Envelope) {
			return workertest.Random(), evidencetest.SignBytes(evidencetest.Alice, evidence.PayloadType, []byte(`{"hello":"world"}`))
		}},
		{name: "unsigned", cause: "request.malformed", request: func() (string, evidence.Envelope) {
			r := f.Request(pay)
			e := f.Sign(evidencetest.Alice, r)
			e.Signatures = nil
			return r.ID, e
		}},
		{name: "signature of other bytes", cause: "request.signature", request: func() (string, evidence.Envelope) {
			r := f.Request(pay)
			e := f.Sign(evidencetest.Alice, r)
			r.Purpose = "another"
			e.Signatures = f.Sign(evidencetest.Alice, r).Signatures
			return r.ID, e
		}},
		{name: "signed by a stranger", cause: "request.untrusted", request: func() (string, evidence.Envelope) {
			r := f.Request(pay)
			return r.ID, f.Sign(evidencetest.Stranger, r)
		}},
		{name: "signed by a worker", cause: "request.untrusted", request: func() (string, evidence.Envelope) {
			r := f.Request(pay)
			r.Principal = evidencetest.Worker
			return r.ID, f.Sign(evidencetest.Worker, r)
		}},
		{name: "in another's name", cause: "request.untrusted", request: alice(func(r *evidence.Request) { r.Principal = evidencetest.Bob })},
		{name: "for another workflow", cause: "request.workflow", request: func() (string, evidence.Envelope) {
			return workertest.Random(), f.Sign(evidencetest.Alice, f.Request(pay))
		}},
		{name: "for another domain", cause: "request.audience", request: alice(func(r *evidence.Request) { r.Audience = "elsewhere" })},
		{name: "expired", cause: "request.expired", request: alice(func(r *evidence.Request) {
			r.Issued, r.Expires = r.Issued.Add(-2*time.Minute), r.Issued.Add(-time.Minute)
		})},
		{name: "from the future", cause: "request.future", request: alice(func(r *evidence.Request) { r.Issued = r.Issued.Add(30 * time.Minute) })},
		{name: "another policy", cause: "policy.unknown", request: alice(func(r *evidence.Request) { r.Policy = "lenient" })},
		{name: "unknown action", cause: "action.unknown", request: alice(func(r *evidence.Request) { r.Steps[0].Action = "desk.fly" })},
		{name: "missing argument", cause: "action.args", request: alice(func(r *evidence.Request) { r.Steps[0].Args = []byte(`{}`) })},
		{name: "unknown argument", cause: "action.args", request: alice(func(r *evidence.Request) { r.Steps[0].Args = []byte(`{"amount":1,"x":2}`) })},
		{name: "wrong type", cause: "action.args", request: alice(func(r *evidence.Request) { r.Steps[0].Args = []byte(`{"amount":"1"}`) })},
		{name: "not admitted by any rule", cause: "policy.default", request: func() (string, evidence.Envelope) {
			r := f.Request(pay)
			r.Principal = evidencetest.Bob
			return r.ID, f.Sign(evidencetest.Bob, r)
		}},
		{name: "denied by a rule", cause: "policy.deny", request: alice(func(r *evidence.Request) { r.Purpose = "sabotage" })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report := f.Verified(f.Submit(tt.request()))
			require.Equal(t, evidence.Denied, report.Verdict)
			require.Equal(t, tt.cause, report.Cause)
			requireNothingAllowed(t, f, report.Execution)
			require.Empty(t, f.World.Effects())
		})
	}
}

// requireNothingAllowed checks that no grant and no decision to allow exists.
func requireNothingAllowed(t *testing.T, f *workertest.Fixture, id string) {
	t.Helper()
	for _, e := range f.Proof(f.Client.GetWorkflow(t.Context(), id, "")).Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		require.NotEqual(t, evidence.KindGrant, rec.Kind())
		if d, ok := rec.Predicate.(*evidence.Decision); ok {
			require.False(t, d.Effect.Allows())
		}
	}
}

// TestRequestUsedBefore presents a request that has been carried out, after
// its workflow was deleted from Temporal, and again under another id.
func TestRequestUsedBefore(t *testing.T) {
	f := workertest.New(t)
	r := f.Request(workertest.Step("a", "desk.pay", `{"amount":1}`))
	signed := f.Sign(evidencetest.Alice, r)
	require.Equal(t, evidence.Completed, f.Verified(f.Submit(r.ID, signed)).Verdict)
	require.Len(t, f.World.Effects(), 1)

	again := f.Verified(f.Submit(r.ID, signed)) // the server's default lets a closed id be used again
	require.Equal(t, evidence.Denied, again.Verdict)
	require.Equal(t, "request.replayed", again.Cause)
	require.Len(t, f.World.Effects(), 1, "a request is carried out once")

	r.ID += "-again"
	other := f.Verified(f.Submit(r.ID, f.Sign(evidencetest.Alice, r)))
	require.Equal(t, "request.replayed", other.Cause, "the nonce is used, whatever the id")
	require.Len(t, f.World.Effects(), 1)
}

// TestInputThatIsNoEnvelope starts the workflow with something else entirely.
// It must end, without any record, and not hang.
func TestInputThatIsNoEnvelope(t *testing.T) {
	f := workertest.New(t)
	for name, input := range map[string]any{"number": 7, "text": "please", "list": []int{1}} {
		t.Run(name, func(t *testing.T) {
			receipt, err := f.Wait(f.Submit(workertest.Random(), input))
			require.Error(t, err)
			require.Equal(t, &contract.Receipt{}, receipt)
		})
	}
	require.Empty(t, f.World.Effects())
}
