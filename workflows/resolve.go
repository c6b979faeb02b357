package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// ResolveStep records a signed resolution: what an operator found out about a
// step whose end nobody knew. It is a workflow of its own, because that of the
// execution has ended, and may be gone.
//
// Anybody who may write to the namespace can start it with anything; what
// makes a record is the operator's signature, which the activity checks. If
// the resolution is refused it ends with an error of the type
// [contract.ErrTypeRefused], and can be started again with another one. Given
// the same resolution again it returns the same answer.
func ResolveStep(ctx workflow.Context, resolution evidence.Envelope) (*contract.Resolved, error) {
	var out contract.Resolved
	err := workflow.ExecuteLocalActivity(checking(ctx, "record the resolution"), contract.Resolve, resolution).Get(ctx, &out)
	if err != nil {
		return nil, err
	}
	return &out, nil
}
