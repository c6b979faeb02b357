package starter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

// ends makes a workflow end as the real one does for the receipt's verdict.
func ends(r *contract.Receipt) (*contract.Receipt, error) {
	if r.Verdict == evidence.Completed {
		return r, nil
	}
	return nil, sdk.NewNonRetryableApplicationError("not completed", contract.ErrorType(r.Verdict), nil, r)
}

// with returns a play that ends with a right receipt after an edit of it.
func with(v evidence.Verdict, edit func(*contract.Receipt)) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		r := receipt(ctx, request, v)
		edit(r)
		return ends(r)
	}
}

// resealed returns a play that ends with a receipt for an edited seal.
func resealed(signer string, edit func(*evidence.Seal)) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		seal := sealFor(ctx, request, evidence.Completed)
		edit(seal)
		return sealed(signer, seal), nil
	}
}

// TestWaitVerdicts shows what each honest ending gives.
func TestWaitVerdicts(t *testing.T) {
	tests := []struct {
		verdict evidence.Verdict
		want    error
	}{
		{evidence.Completed, nil},
		{evidence.Denied, starter.ErrDenied},
		{evidence.Halted, starter.ErrHalted},
		{evidence.Failed, starter.ErrFailed},
		{evidence.Unresolved, starter.ErrUnresolved},
		{evidence.Cancelled, starter.ErrCancelled},
	}
	for _, tt := range tests {
		t.Run(string(tt.verdict), func(t *testing.T) {
			r, err := waitFor(t, with(tt.verdict, func(*contract.Receipt) {}))
			require.NotNil(t, r)
			require.Equal(t, tt.verdict, r.Verdict)
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			var verdict *starter.VerdictError
			require.ErrorAs(t, err, &verdict)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, "cause.of."+string(tt.verdict))
			for _, other := range tests {
				require.Equal(t, other.want == tt.want, errors.Is(err, other.want), "errors.Is(…, %v)", other.want)
			}
		})
	}
}

// TestWaitBelievesNoForgery: rows are what an attacker who owns the Temporal
// service, or a worker without the recorder's key, could hand to a caller.
func TestWaitBelievesNoForgery(t *testing.T) {
	other := evidence.FileDigest([]byte("another request"))
	recorder := evidencetest.Recorder
	tests := []struct {
		name string
		play play
		want error
		text string
	}{
		{"receipt of another request", resealed(recorder, func(s *evidence.Seal) { s.Request = other }), starter.ErrForgedReceipt, "about request"},
		{"seal of another workflow", resealed(recorder, func(s *evidence.Seal) { s.Binding.Workflow = "else" }), starter.ErrForgedReceipt, "about request"},
		{"seal of another run", resealed(recorder, func(s *evidence.Seal) { s.Binding.Run = "else" }), starter.ErrForgedReceipt, "bound to run"},
		{"seal by the authority", resealed(evidencetest.Authority, func(*evidence.Seal) {}), starter.ErrForgedReceipt, "not recorder"},
		{"seal by a worker", resealed(evidencetest.Worker, func(*evidence.Seal) {}), starter.ErrForgedReceipt, "not recorder"},
		{"seal by a stranger", resealed(evidencetest.Stranger, func(*evidence.Seal) {}), starter.ErrForgedReceipt, "not in the trust root"},
		{"signature edited", with(evidence.Completed, func(r *contract.Receipt) { r.Seal.Signatures[0].Sig[0] ^= 1 }), starter.ErrForgedReceipt, "bad signature"},
		{"a halt for a seal", haltForSeal, starter.ErrForgedReceipt, "in place of the seal"},
		{"the request for a seal", requestForSeal, starter.ErrForgedReceipt, "in place of the seal"},
		{"verdict edited", with(evidence.Halted, func(r *contract.Receipt) { r.Verdict = evidence.Completed }), starter.ErrForgedReceipt, "its seal halted"},
		{"cause edited", with(evidence.Denied, func(r *contract.Receipt) { r.Cause = "policy.other" }), starter.ErrForgedReceipt, "its seal denied"},
		{"execution edited", with(evidence.Completed, func(r *contract.Receipt) { r.Execution = "else" }), starter.ErrForgedReceipt, "names another"},
		{"run edited", with(evidence.Completed, func(r *contract.Receipt) { r.Run = "else" }), starter.ErrForgedReceipt, "names another"},
		{"request edited", with(evidence.Completed, func(r *contract.Receipt) { r.Request = other }), starter.ErrForgedReceipt, "names another"},
		{"head edited", with(evidence.Completed, func(r *contract.Receipt) { r.Head[3] ^= 1 }), starter.ErrForgedReceipt, "ending in"},
		{"count edited", with(evidence.Completed, func(r *contract.Receipt) { r.Records++ }), starter.ErrForgedReceipt, "ending in"},
		{"completed with a halted seal", completedThough(evidence.Halted), starter.ErrForgedReceipt, "ended as completed, its seal says halted"},
		{"denied with a completed seal", deniedThough(evidence.Completed), starter.ErrForgedReceipt, "ended as denied, its seal says completed"},
		{"denied with a halted seal", deniedThough(evidence.Halted), starter.ErrForgedReceipt, "ended as denied, its seal says halted"},
		{"nothing", func(workflow.Context, evidence.Envelope) (*contract.Receipt, error) { return nil, nil }, starter.ErrNoReceipt, "without a seal"},
		{"seal removed", with(evidence.Completed, func(r *contract.Receipt) { r.Seal = evidence.Envelope{} }), starter.ErrNoReceipt, "without a seal"},
		{"denied without a receipt", failing(contract.ErrorType(evidence.Denied)), starter.ErrNoReceipt, ""},
		{"unsealed", failing(contract.ErrTypeUnsealed), starter.ErrNoReceipt, ""},
		{"unsealed with a receipt", unsealedThough, starter.ErrNoReceipt, ""},
		{"an unknown error", failing("else"), starter.ErrNoReceipt, ""},
		{"goes on with the first seal", goesOn(func(ctx workflow.Context, r *contract.Receipt) {
			*r = *sealed(recorder, firstRun(ctx, r))
		}), starter.ErrForgedReceipt, "bound to run"},
		{"goes on with nothing", goesOn(func(_ workflow.Context, r *contract.Receipt) { *r = contract.Receipt{} }), starter.ErrNoReceipt, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := waitFor(t, tt.play)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.text)
			require.Nil(t, r, "a receipt that is not believed was returned")
			var verdict *starter.VerdictError
			require.False(t, errors.As(err, &verdict))
		})
	}
}

func waitFor(t *testing.T, p play) (*contract.Receipt, error) {
	t.Helper()
	s, r := newStarter(t), request(t)
	plays.Store(r.ID, p)
	x, err := s.Start(t.Context(), r)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return x.Wait(ctx)
}

func failing(errorType string) play {
	return func(workflow.Context, evidence.Envelope) (*contract.Receipt, error) {
		return nil, sdk.NewNonRetryableApplicationError("no", errorType, nil)
	}
}

func completedThough(v evidence.Verdict) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		return receipt(ctx, request, v), nil
	}
}

func deniedThough(v evidence.Verdict) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		return nil, sdk.NewNonRetryableApplicationError("no", contract.ErrorType(evidence.Denied), nil, receipt(ctx, request, v))
	}
}

// unsealedThough says that there is no seal, and hands one in.
func unsealedThough(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
	r := receipt(ctx, request, evidence.Completed)
	return nil, sdk.NewNonRetryableApplicationError("no", contract.ErrTypeUnsealed, nil, r)
}

// haltForSeal puts a record that is properly signed, but of another kind, in
// the seal's place.
func haltForSeal(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
	r := receipt(ctx, request, evidence.Completed)
	about := evidence.Subject{Execution: r.Execution, Digest: r.Request}
	halt, err := evidencetest.Signer(evidencetest.Authority).Sign(about, &evidence.Halt{At: evidencetest.Start, Check: "probe.policy"})
	if err != nil {
		panic(err)
	}
	r.Seal = halt
	return r, nil
}

func requestForSeal(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
	r := receipt(ctx, request, evidence.Completed)
	r.Seal = request
	return r, nil
}

// goesOn ends its first run by starting another one, which completes.
// goesOn continues as two more runs, of which the last gives the receipt.
func goesOn(edit func(workflow.Context, *contract.Receipt)) play {
	return func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		info := workflow.GetInfo(ctx)
		if before := info.ContinuedExecutionRunID; before == "" || before == info.FirstRunID {
			return nil, workflow.NewContinueAsNewError(ctx, contract.Workflow, request)
		}
		r := receipt(ctx, request, evidence.Completed)
		edit(ctx, r)
		return r, nil
	}
}

// firstRun is the seal of r, bound to the run that the execution began as.
func firstRun(ctx workflow.Context, r *contract.Receipt) *evidence.Seal {
	rec, err := r.Seal.Decode()
	if err != nil {
		panic(err)
	}
	s := *rec.Predicate.(*evidence.Seal)
	s.Binding.Run = workflow.GetInfo(ctx).FirstRunID
	return &s
}

// TestWaitFollowsContinuations checks that the verdict of a continued
// execution is that of its last run.
func TestWaitFollowsContinuations(t *testing.T) {
	r, err := waitFor(t, goesOn(func(workflow.Context, *contract.Receipt) {}))
	require.NoError(t, err)
	require.Equal(t, evidence.Completed, r.Verdict)
}
