package policy

import (
	"encoding/json"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"github.com/interlock-run/interlock/evidence"
)

// An input is what the rules of one decision see. Values that cost something
// to make are made once, when a rule first asks. It belongs to one goroutine.
type input struct {
	facts   *evidence.Facts
	request request
	args    ref.Val // set before the first rule that needs it
	lineage ref.Val
	probes  ref.Val
}

var _ interpreter.Activation = (*input)(nil)

// The names of the variables.
const (
	varRequest = "request"
	varStep    = "step"
	varArgs    = "args"
	varLineage = "lineage"
	varProbes  = "probes"
	varNow     = "now"
)

func newInput(f *evidence.Facts) *input {
	return &input{facts: f, request: request{native: f.Request}}
}

// Parent returns nil: there is nothing else to see.
func (in *input) Parent() interpreter.Activation { return nil }

// ResolveName returns the variable called name. Which variables a rule may
// name was settled when it was compiled.
func (in *input) ResolveName(name string) (any, bool) {
	switch name {
	case varRequest:
		return &in.request, true
	case varStep:
		return in.facts.Step, in.facts.Step != nil
	case varArgs:
		return in.args, in.args != nil
	case varLineage:
		return in.getLineage(), true
	case varProbes:
		return in.getProbes(), true
	case varNow:
		return in.facts.Now, true
	}
	return nil, false
}

// decodeArgs makes the arguments ready for rules.
func (in *input) decodeArgs() (err error) {
	if in.args == nil && in.facts.Step != nil {
		in.args, err = fromObject(in.facts.Step.Args)
	}
	return err
}

func (in *input) getLineage() ref.Val {
	if in.lineage == nil {
		in.lineage = listOf(in.facts.Lineage, func(p *evidence.Past) ref.Val { return &object{pastType, &past{native: p}} })
	}
	return in.lineage
}

func (in *input) getProbes() ref.Val {
	if in.probes == nil {
		in.probes = listOf(in.facts.Probes, func(p *evidence.Probe) ref.Val { return &object{probeType, p} })
	}
	return in.probes
}

func listOf[T any](items []T, value func(*T) ref.Val) ref.Val {
	values := make([]ref.Val, len(items))
	for i := range items {
		values[i] = value(&items[i])
	}
	return types.NewRefValList(adapt, values)
}

// A request is an [evidence.Request] with what rules made of it so far.
type request struct {
	native  *evidence.Request
	context ref.Val
	steps   ref.Val
}

func (r *request) getContext() (any, error) {
	if r.context == nil {
		r.context = ordered{types.NewStringStringMap(adapt, r.native.Context)}
	}
	return r.context, nil
}

func (r *request) getSteps() (any, error) {
	if r.steps == nil {
		r.steps = listOf(r.native.Steps, func(s *evidence.Step) ref.Val { return &object{planType, &plan{step: s}} })
	}
	return r.steps, nil
}

// A plan is a step of the request with its arguments, once a rule asked.
type plan struct {
	step *evidence.Step
	args lazy
}

func (p *plan) getArgs() (any, error) { return p.args.get(p.step.Args, fromObject) }

// A past is an [evidence.Past] with its JSON, once a rule asked.
type past struct {
	native       *evidence.Past
	args, result lazy
}

func (p *past) getArgs() (any, error) { return p.args.get(p.native.Args, fromObject) }

// getResult returns null unless there is a result.
func (p *past) getResult() (any, error) {
	if len(p.native.Result) == 0 {
		return types.NullValue, nil
	}
	return p.result.get(p.native.Result, fromJSON)
}

// A lazy value is JSON that is decoded when it is first asked for.
type lazy struct {
	value ref.Val
	err   error
}

func (l *lazy) get(data json.RawMessage, decode func([]byte) (ref.Val, error)) (any, error) {
	if l.value == nil && l.err == nil {
		l.value, l.err = decode(data)
	}
	return l.value, l.err
}
