package policy

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"

	"github.com/interlock-run/interlock/evidence"
)

// The bounds of one expression as it is written.
const (
	maxExpression = 8192 // characters
	maxNodes      = 2000
	maxLoops      = 3 // comprehensions inside one another
	maxRegexp     = 2000
	maxRange      = 10_000 // items of lists.range
)

// environments returns the CEL environment of each phase. They are the same
// for every bundle, and dear to make.
var environments = sync.OnceValues(func() (map[evidence.Phase]*cel.Env, error) {
	base, err := newBase()
	if err != nil {
		return nil, fmt.Errorf("couldn't make the CEL environment: %w", err)
	}
	envs := map[evidence.Phase]*cel.Env{}
	for _, phase := range []evidence.Phase{evidence.PhaseAdmit, evidence.PhaseStep, evidence.PhaseIntegrity} {
		if envs[phase], err = base.Extend(variables(phase)...); err != nil {
			return nil, fmt.Errorf("couldn't declare the variables of phase %s: %w", phase, err)
		}
	}
	return envs, nil
})

// newBase returns what every rule may use. Nothing in it reads a clock, a
// file or a random number; times of day are in UTC.
func newBase() (*cel.Env, error) {
	provider, err := newProvider()
	if err != nil {
		return nil, err
	}
	return cel.NewCustomEnv(
		cel.StdLib(),
		cel.CustomTypeProvider(provider),
		cel.CustomTypeAdapter(adapt),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
		),
		ext.Strings(), ext.Sets(), ext.Math(), ext.Encoders(),
		ext.Lists(ext.ListsMaxRangeSize(maxRange)),
	)
}

// variables declares what the rules of a phase see, and so what they do not.
func variables(phase evidence.Phase) []cel.EnvOption {
	opts := []cel.EnvOption{
		cel.Variable(varRequest, requestType.typ),
		cel.Variable(varNow, types.TimestampType),
	}
	lineage := cel.Variable(varLineage, types.NewListType(pastType.typ))
	switch phase {
	case evidence.PhaseStep:
		opts = append(opts, cel.Variable(varStep, stepType.typ), cel.Variable(varArgs, dynMap), lineage)
	case evidence.PhaseIntegrity:
		opts = append(opts, cel.Variable(varProbes, types.NewListType(probeType.typ)), lineage)
	}
	return opts
}
