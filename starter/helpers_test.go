package starter_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/deploy/devserver/devservertest"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

func TestMain(m *testing.M) { devservertest.Main(m) }

// queue is the task queue of the stand-in for the control plane.
const queue = "starter-test"

// A play is what the stand-in workflow does instead of governing.
type play func(workflow.Context, evidence.Envelope) (*contract.Receipt, error)

var (
	plays   sync.Map // by workflow id
	temp    sync.Once
	shared  client.Client
	workers worker.Worker
)

// standIn has the wire name of the real workflow.
func standIn(ctx workflow.Context, request evidence.Envelope) (*contract.Receipt, error) {
	p, ok := plays.Load(workflow.GetInfo(ctx).WorkflowExecution.ID)
	if !ok {
		return receipt(ctx, request, evidence.Completed), nil
	}
	return p.(play)(ctx, request)
}

// temporal returns a client of a real server on which the stand-in runs.
func temporal(t *testing.T) client.Client {
	t.Helper()
	server := devservertest.Shared(t)
	temp.Do(func() {
		c, err := server.Client(t.Context(), client.Options{Identity: "starter-test", Logger: quiet{}})
		require.NoError(t, err)
		w := worker.New(c, queue, worker.Options{})
		w.RegisterWorkflowWithOptions(standIn, workflow.RegisterOptions{Name: contract.Workflow})
		require.NoError(t, w.Start())
		shared, workers = c, w
	})
	require.NotNil(t, workers, "the stand-in did not start")
	return shared
}

func newStarter(t *testing.T, edits ...func(*starter.Config)) *starter.Starter {
	t.Helper()
	c := starter.Config{
		Client: temporal(t), Trust: evidencetest.Trust(), Queue: queue,
		Principal: evidencetest.Signer(evidencetest.Alice),
		Now:       func() time.Time { return evidencetest.Start.Time() },
	}
	for _, edit := range edits {
		edit(&c)
	}
	s, err := starter.New(c)
	require.NoError(t, err)
	return s
}

// request returns a request with an id of its own.
func request(t *testing.T) *evidence.Request {
	t.Helper()
	return &evidence.Request{
		ID: idOf(t), Purpose: "see what " + t.Name() + " gives", Policy: "refunds",
		Steps: []evidence.Step{{ID: "look", Action: "orders.read", Args: json.RawMessage(`{"order": "o-1"}`)}},
	}
}

// sealFor returns the seal that the recorder would make for this run.
func sealFor(ctx workflow.Context, request evidence.Envelope, v evidence.Verdict) *evidence.Seal {
	info := workflow.GetInfo(ctx).WorkflowExecution
	return &evidence.Seal{
		Position: evidence.Position{Seq: 4, Prev: evidence.FileDigest([]byte("the records before"))},
		At:       evidencetest.Start.Add(time.Second), Request: request.Digest(),
		Binding: evidence.Binding{Namespace: "default", Workflow: info.ID, Run: info.RunID, Epoch: 1, Queue: "steps"},
		Verdict: v, Cause: "cause.of." + string(v), Steps: []evidence.StepEnd{},
	}
}

// sealed returns the receipt for a seal, signed with the key of that name.
func sealed(name string, seal *evidence.Seal) *contract.Receipt {
	about := evidence.Subject{Execution: seal.Binding.Workflow, Digest: seal.Request}
	e, err := evidencetest.Signer(name).Sign(about, seal)
	if err != nil {
		panic(err)
	}
	chain := evidence.ChainAt(seal.Position)
	return &contract.Receipt{
		Execution: seal.Binding.Workflow, Run: seal.Binding.Run, Request: seal.Request,
		Verdict: seal.Verdict, Cause: seal.Cause,
		Head: chain.Append(e.Digest()), Records: chain.Next().Seq, Seal: e,
	}
}

// receipt returns a receipt that is right in every member.
func receipt(ctx workflow.Context, request evidence.Envelope, v evidence.Verdict) *contract.Receipt {
	return sealed(evidencetest.Recorder, sealFor(ctx, request, v))
}

// quiet is a logger that logs nothing.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
