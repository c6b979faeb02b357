package policy

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/internal/strict"
)

// A rule is one compiled rule. It is read only.
type rule struct {
	info      RuleInfo
	program   cel.Program
	needsArgs bool
}

// compile turns the source of r, which stands at n, into a program. It notes
// every problem at its place inside the expression.
func compile(doc *strict.Doc, n *strict.Node, r *rule) {
	envs, err := environments()
	env := envs[r.info.Phase]
	if err != nil || env == nil {
		doc.Errorf(n.Pos, "rule %s: cannot be compiled: %v", r.info.ID, err)
		return
	}
	where := source{doc, n, r.info.ID}
	ast, issues := env.Compile(n.Text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			where.problem(e.Location, "%s", firstLine(e.Message))
		}
		return
	}
	if out := ast.OutputType(); !out.IsExactType(cel.BoolType) {
		where.problem(common.NoLocation, "must be true or false, but is %s", cel.FormatCELType(out))
		return
	}
	report := inspect(ast)
	for _, p := range report.problems {
		where.problem(ast.NativeRep().SourceInfo().GetStartLocation(p.id), "%s", p.text)
	}
	r.needsArgs = report.args
	if len(report.problems) == 0 {
		if err := makeProgram(env, ast, r, report); err != nil {
			where.problem(common.NoLocation, "%v", err)
		}
	}
}

// makeProgram makes the program of r. Only a rule whose cost has no bound below the
// limit is tracked while it runs: tracking makes a rule several times dearer.
func makeProgram(env *cel.Env, ast *cel.Ast, r *rule, report inspection) error {
	cost, err := estimate(env, ast)
	if err != nil {
		return fmt.Errorf("cost cannot be estimated: %v", err)
	}
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	switch {
	case cost.Min > CostLimit:
		return fmt.Errorf("costs at least %d, the limit is %d", cost.Min, CostLimit)
	case cost.Max <= CostLimit:
		r.info.Cost = max(cost.Max, 1)
	case report.grows != "":
		return fmt.Errorf("may cost more than %d, and %s could use up memory before that is noticed", CostLimit, report.grows)
	default:
		opts = append(opts, cel.CostLimit(CostLimit))
	}
	r.program, err = env.Program(ast, opts...)
	return err
}

// A source is where the expression of a rule stands in its file.
type source struct {
	doc  *strict.Doc
	node *strict.Node
	rule string
}

// problem notes what is wrong at loc, a place in the expression, with the
// line of the file and a caret.
func (s source) problem(loc common.Location, format string, args ...any) {
	problem(s.doc, s.place(loc), s.rule, format, args...)
}

// place maps a place in the expression to one in the file.
func (s source) place(loc common.Location) strict.Pos {
	places := s.doc.Places(s.node)
	offset := 0
	for i, line := range strings.Split(s.node.Text, "\n") {
		length := len([]rune(line))
		if i+1 == loc.Line() {
			offset += min(max(loc.Column(), 0), length)
			return places[min(offset, len(places)-1)]
		}
		offset += length + 1
	}
	return places[0]
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// known reports whether phase is one that rules can have.
func known(phase evidence.Phase) bool {
	switch phase {
	case evidence.PhaseAdmit, evidence.PhaseStep, evidence.PhaseIntegrity:
		return true
	}
	return false
}
