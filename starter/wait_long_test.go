package starter_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

var ids atomic.Int64

// idOf returns an id that a request may have, another one each time.
func idOf(t *testing.T) string {
	return fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), " ", "-"), ids.Add(1))
}

// untilCancelled is cancelled in the proper way.
func untilCancelled(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
	ctx.Done().Receive(ctx, nil)
	return nil, sdk.NewCanceledError(receipt(ctx, request, evidence.Cancelled))
}

// cancelledThough is cancelled, and its seal says something else.
func cancelledThough(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
	ctx.Done().Receive(ctx, nil)
	return nil, sdk.NewCanceledError(receipt(ctx, request, evidence.Completed))
}

func cancelledBare(ctx workflow.Context, _ evidence.Envelope) (*contract.Receipt, error) {
	ctx.Done().Receive(ctx, nil)
	return nil, ctx.Err()
}

func started(t *testing.T, p play) *starter.Execution {
	t.Helper()
	r := request(t)
	plays.Store(r.ID, p)
	x, err := newStarter(t).Start(t.Context(), r)
	require.NoError(t, err)
	return x
}

func TestWaitAfterCancel(t *testing.T) {
	x := started(t, untilCancelled)
	require.NoError(t, x.Cancel(t.Context()))
	r, err := x.Wait(t.Context())
	require.ErrorIs(t, err, starter.ErrCancelled)
	require.Equal(t, evidence.Cancelled, r.Verdict)
}

func TestWaitAfterCancelWithAnotherSeal(t *testing.T) {
	x := started(t, cancelledThough)
	require.NoError(t, x.Cancel(t.Context()))
	r, err := x.Wait(t.Context())
	require.ErrorIs(t, err, starter.ErrForgedReceipt)
	require.Nil(t, r)
}

func TestWaitAfterCancelWithoutReceipt(t *testing.T) {
	x := started(t, cancelledBare)
	require.NoError(t, x.Cancel(t.Context()))
	r, err := x.Wait(t.Context())
	require.ErrorIs(t, err, starter.ErrNoReceipt)
	require.NotErrorIs(t, err, starter.ErrCancelled)
	require.Nil(t, r)
}

func TestWaitAfterTerminate(t *testing.T) {
	x := started(t, untilCancelled)
	require.NoError(t, temporal(t).TerminateWorkflow(t.Context(), x.ID(), x.Run(), "test"))
	r, err := x.Wait(t.Context())
	require.ErrorIs(t, err, starter.ErrNoReceipt)
	require.Nil(t, r)
}

// TestWaitOutlastsItsPatience: waiting is asking several times.
func TestWaitOutlastsItsPatience(t *testing.T) {
	t.Parallel()
	x := started(t, func(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
		if err := workflow.Sleep(ctx, 7*time.Second); err != nil {
			return nil, err
		}
		return receipt(ctx, request, evidence.Completed), nil
	})
	r, err := x.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, evidence.Completed, r.Verdict)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	x := started(t, untilCancelled)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	before := time.Now()
	r, err := x.Wait(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, starter.ErrNoReceipt, "it may still be running")
	require.Nil(t, r)
	require.Less(t, time.Since(before), 3*time.Second)
	require.NoError(t, x.Cancel(t.Context()))
}
