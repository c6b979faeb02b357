package policy

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// An inspection is what the text of a rule shows beyond its types.
type inspection struct {
	args     bool   // it reads the arguments of the step
	grows    string // a function it calls whose result can be much larger than what it is given
	problems []nodeProblem
}

type nodeProblem struct {
	id   int64
	text string
}

// growing functions make large values out of small ones. CEL's tracking
// counts a value when it is there, which would be too late.
var growing = map[string]bool{"replace": true, "join": true, "format": true, "lists.range": true, "flatten": true}

// inspect looks for what would make a ruling depend on more than the facts:
// the time zone files of a machine, and the order of Go's maps.
func inspect(checked *cel.Ast) inspection {
	var in inspection
	rep := checked.NativeRep()
	var mapLiterals bool
	var mapLoops []int64
	ast.PostOrderVisit(rep.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			in.args = in.args || e.AsIdent() == varArgs
		case ast.MapKind:
			mapLiterals = mapLiterals || e.AsMap().Size() > 1
		case ast.ComprehensionKind:
			if rep.GetType(e.AsComprehension().IterRange().ID()).Kind() != types.ListKind {
				mapLoops = append(mapLoops, e.ID())
			}
		case ast.StructKind:
			in.problems = append(in.problems, nodeProblem{e.ID(), "a rule cannot make objects"})
		case ast.CallKind:
			in.call(rep, e)
		}
	}))
	for _, id := range mapLoops {
		if mapLiterals {
			in.problems = append(in.problems, nodeProblem{id, "a rule with a map literal can only loop over lists: maps have no order"})
		}
	}
	return in
}

func (in *inspection) call(rep *ast.AST, e ast.Expr) {
	call := e.AsCall()
	if growing[call.FunctionName()] {
		in.grows = call.FunctionName()
	}
	for _, id := range rep.GetOverloadIDs(e.ID()) {
		if strings.HasPrefix(id, "timestamp_to_") && strings.HasSuffix(id, "_tz") && !fixedZone(call.Args()) {
			in.problems = append(in.problems, nodeProblem{e.ID(), "a time zone must be \"UTC\" or an offset such as \"+02:00\": named zones differ between machines"})
		}
	}
}

// fixedZone reports whether the time zone is written as UTC or an offset.
func fixedZone(args []ast.Expr) bool {
	if len(args) != 1 || args[0].Kind() != ast.LiteralKind {
		return false
	}
	zone, _ := args[0].AsLiteral().(types.String)
	return zone == "UTC" || strings.Trim(string(zone), "+-0123456789:") == ""
}
