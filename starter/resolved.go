package starter

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// resolutions returns what was recorded after the seal of an unresolved
// execution, in the order of its chain: the results of the workflows that
// record it, one for each unresolved step. A step that nobody resolved has
// none.
//
// What Temporal hands out there is not believed. But something that cannot
// stand after this seal, or that the trust root of the reader does not believe,
// is left out here: it would spoil the proof of what can be proven.
func (r *Reader) resolutions(ctx context.Context, records []evidence.Envelope) ([]evidence.Envelope, error) {
	l, err := evidence.ReadUnverified(records)
	if err != nil {
		return nil, nil // verifying says why
	}
	var all []contract.Resolved
	for _, step := range l.Open() {
		one, err := r.recorded(ctx, contract.ResolveID(l.Binding().Run, step))
		if err != nil {
			return nil, err
		}
		if one != nil {
			all = append(all, *one)
		}
	}
	slices.SortStableFunc(all, func(a, b contract.Resolved) int { return cmp.Compare(a.Seq, b.Seq) })
	var fit []evidence.Envelope
	for _, one := range all {
		rec, err := one.Resolution.Decode()
		if err == nil && r.trust != nil {
			rec, err = r.trust.Open(one.Resolution)
		}
		if err == nil && l.Add(rec) == nil {
			fit = append(fit, one.Resolution)
		}
	}
	return fit, nil
}

// recorded returns what the workflow with the given id recorded, or found
// recorded before; nil if there is no such workflow, or it did neither.
func (r *Reader) recorded(ctx context.Context, id string) (*contract.Resolved, error) {
	answer, err := r.client.DescribeWorkflowExecution(ctx, id, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(id, err)
	}
	info := answer.GetWorkflowExecutionInfo()
	if info.GetType().GetName() != contract.ResolveWorkflow || info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, nil
	}
	var out contract.Resolved
	err = get(ctx, r.client.GetWorkflow(ctx, id, info.GetExecution().GetRunId()), &out)
	var app *temporal.ApplicationError
	switch {
	case err == nil:
		return &out, nil
	case errors.As(err, &app) && app.HasDetails() && app.Details(&contract.Cause{}, &out) == nil:
		return &out, nil
	case isService(err):
		return nil, failed(id, err)
	}
	return nil, nil
}
