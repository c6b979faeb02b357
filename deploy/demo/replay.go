package main

import (
	"errors"
	"log/slog"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows"
	"github.com/interlock-run/interlock/workflows/contract"
)

// replay runs the history through the workflow code. The code must ask for
// the same things in the same order, and arrive at the chain of the proof.
func (a *account) replay(f folder) {
	head, err := replayFile(f.history(a.name), workflow.Execution{ID: a.name, RunID: a.receipt.Run})
	switch {
	case err != nil:
		a.blame("the history does not replay: %w", err)
	case head != a.receipt.Head:
		a.blame("the history replays to another chain: it ends in %s, the receipt's in %s", head.Short(), a.receipt.Head.Short())
	default:
		a.replayed = true
	}
}

// replayFile returns the head of the chain that a history replays to.
func replayFile(path string, x workflow.Execution) (evidence.Digest, error) {
	file, err := os.Open(path)
	if err != nil {
		return evidence.Digest{}, err
	}
	defer file.Close()
	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	if err != nil {
		return evidence.Digest{}, err
	}
	var head evidence.Digest
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, request evidence.Envelope, from *contract.Handover) (*contract.Receipt, error) {
		receipt, err := workflows.GovernedExecution(ctx, request, from)
		head = headOf(receipt, err)
		return receipt, err
	}, workflow.RegisterOptions{Name: contract.Workflow})
	err = r.ReplayWorkflowHistoryWithOptions(quiet(), history, worker.ReplayWorkflowHistoryOptions{OriginalExecution: x})
	return head, err
}

// headOf returns where the chain ends that the workflow ended with.
func headOf(receipt *contract.Receipt, err error) evidence.Digest {
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Details(&receipt) != nil {
		return evidence.Digest{}
	}
	if receipt == nil {
		return evidence.Digest{}
	}
	return receipt.Head
}

// quiet drops what the SDK has to say: errors are returned as well.
func quiet() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
