package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// askFor bounds a query, which otherwise waits for a worker for as long as
// its context lasts.
const askFor = 10 * time.Second

// A Reader reads what Temporal and the control plane say about executions. It
// needs no key and no trust root, because it believes nothing. It is safe for
// concurrent use.
type Reader struct {
	client client.Client
	data   converter.DataConverter
	trust  *evidence.Trust // of a starter's reader; nil otherwise
}

// NewReader returns a reader that uses c, which the caller closes, or
// [ErrConfig] if there is none.
func NewReader(c client.Client) (*Reader, error) {
	if c == nil {
		return nil, fmt.Errorf("%w: a Temporal client is missing", ErrConfig)
	}
	return newReader(c, nil), nil
}

func newReader(c client.Client, data converter.DataConverter) *Reader {
	if data == nil {
		data = converter.GetDefaultDataConverter()
	}
	return &Reader{client: c, data: data}
}

// Found is what Temporal says of an execution. None of it is verified.
type Found struct {
	ID      string
	Run     string
	Open    bool // it has not ended
	Started time.Time
	Request evidence.Envelope // what was presented as the request
}

// Find returns the execution with the given id, of several runs the newest,
// or [ErrNotFound].
func (r *Reader) Find(ctx context.Context, id string) (*Found, error) {
	answer, err := r.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return nil, failed(id, err)
	}
	info := answer.GetWorkflowExecutionInfo()
	if name := info.GetType().GetName(); name != contract.Workflow {
		return nil, fmt.Errorf("%w: %s is a workflow of another kind (%.60q)", ErrNotFound, id, name)
	}
	run := info.GetExecution().GetRunId()
	request, err := r.presented(ctx, id, run)
	if err != nil {
		return nil, err
	}
	return &Found{
		ID: id, Run: run, Request: request,
		Open:    info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Started: info.GetStartTime().AsTime(),
	}, nil
}

// Progress says where an execution stands. It asks a control plane worker:
// without one it returns [ErrUnanswered].
func (r *Reader) Progress(ctx context.Context, id string) (contract.Progress, error) {
	var p contract.Progress
	err := r.ask(ctx, id, contract.QueryProgress, &p)
	return p, err
}

// Records returns the records that an execution has so far, in the order of
// their chain; the last of them is the seal once there is one. It asks a
// control plane worker: without one it returns [ErrUnanswered].
func (r *Reader) Records(ctx context.Context, id string) ([]evidence.Envelope, error) {
	answer, err := r.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return nil, failed(id, err)
	}
	run := answer.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	var all []evidence.Envelope
	for {
		var records []evidence.Envelope
		if err := r.askRun(ctx, id, run, contract.QueryProof, &records); err != nil {
			return nil, err
		}
		all = append(records, all...)
		if len(all) > 0 && kindOf(all[0]) != evidence.KindTakeover {
			return all, nil
		}
		// The run took over from another, or is about to.
		if run, err = r.before(ctx, id, run); err != nil || run == "" {
			return all, err
		}
	}
}

// Proof returns the proof of an execution, or [ErrNotSealed] if it has none
// yet. The proof is not verified: see [evidence.Verify].
//
// The records come from the workflow, by replay of its history, so a control
// plane worker must be running: without one Proof returns [ErrUnanswered]. The
// resolutions of an unresolved execution come after its seal; that one is
// missing here does not mean that there is none.
func (r *Reader) Proof(ctx context.Context, id string) (*evidence.Proof, error) {
	records, err := r.Records(ctx, id)
	if err != nil {
		return nil, err
	}
	if n := len(records); n == 0 || kindOf(records[n-1]) != evidence.KindSeal {
		return nil, fmt.Errorf("%w: execution %s has %d records", ErrNotSealed, id, n)
	}
	after, err := r.resolutions(ctx, records)
	if err != nil {
		return nil, err
	}
	return &evidence.Proof{Records: append(records, after...)}, nil
}

func kindOf(e evidence.Envelope) evidence.Kind {
	rec, err := e.Decode()
	if err != nil {
		return ""
	}
	return rec.Kind()
}

func (r *Reader) ask(ctx context.Context, id, query string, answer any) error {
	return r.askRun(ctx, id, "", query, answer)
}

func (r *Reader) askRun(ctx context.Context, id, run, query string, answer any) error {
	asked, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	value, err := r.client.QueryWorkflow(asked, id, run, query)
	if err == nil {
		err = value.Get(answer)
	}
	var none *serviceerror.NotFound
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &none):
		return failed(id, err)
	}
	return fmt.Errorf("%w: %s of execution %s: %w", ErrUnanswered, query, id, err)
}

// failed explains an error of the Temporal service about an execution.
func failed(id string, err error) error {
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return fmt.Errorf("couldn't read execution %s: %w", id, err)
}

// isService reports whether err is the Temporal service's, or the way there.
func isService(err error) bool {
	var service serviceerror.ServiceError
	return !ended(err) && (errors.As(err, &service) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}
