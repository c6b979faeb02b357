package policy

import (
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
)

// sizes tells the cost estimate how large facts can be. [checkFacts] holds
// facts to it.
type sizes struct{}

var _ checker.CostEstimator = sizes{}

// factNames are the variables that have parts of a size.
var factNames = []string{varRequest, varStep, varArgs, varLineage, varProbes}

// EstimateCallCost leaves the cost of functions to CEL.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// EstimateSize returns the bounds of a part of the facts, or nil for a value
// that the rule works out itself.
func (sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	path := node.Path()
	if len(path) == 0 || !slices.Contains(factNames, path[0]) {
		return nil
	}
	limit := uint64(MaxText)
	switch {
	case slices.Contains(path, "result"):
		limit = MaxResult
	case slices.Contains(path, "args"):
		limit = MaxArgs
	case node.Type().Kind() == types.ListKind:
		limit = max(MaxSteps, MaxProbes)
	case node.Type().Kind() == types.MapKind:
		limit = MaxContext
	case node.Type().Kind() != types.StringKind:
		return nil
	}
	return &checker.SizeEstimate{Max: limit}
}

// estimate returns the least and the most that a rule can cost.
func estimate(env *cel.Env, ast *cel.Ast) (checker.CostEstimate, error) {
	return env.EstimateCost(ast, sizes{})
}
