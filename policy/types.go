package policy

import (
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/interlock-run/interlock/evidence"
)

// An objectType is a type with a fixed set of fields, so that a rule with a
// misspelt field does not compile.
type objectType struct {
	typ    *types.Type
	names  []string // the fields in order
	fields map[string]*types.FieldType
}

// A fieldOf declares one field of the Go type T.
type fieldOf[T any] struct {
	name string
	typ  *types.Type
	get  func(T) (any, error)
}

// newType declares an object type over the Go type T.
func newType[T any](name string, fields ...fieldOf[T]) *objectType {
	t := &objectType{typ: types.NewObjectType(name), fields: map[string]*types.FieldType{}}
	for _, f := range fields {
		t.names = append(t.names, f.name)
		t.fields[f.name] = &types.FieldType{
			Type: f.typ,
			GetFrom: func(target any) (any, error) {
				native, ok := target.(T)
				if !ok {
					return nil, errFacts
				}
				return f.get(native)
			},
			IsSet: func(target any) bool {
				native, ok := target.(T)
				if !ok {
					return false
				}
				value, err := f.get(native)
				return err == nil && isSet(value)
			},
		}
	}
	return t
}

// isSet is what has(object.field) means: the field is not empty.
func isSet(value any) bool {
	switch v := value.(type) {
	case string:
		return v != ""
	case []string:
		return len(v) > 0
	case evidence.Time:
		return v != 0
	}
	return value != nil && value != ref.Val(types.NullValue)
}

func text[T any](name string, get func(T) string) fieldOf[T] {
	return fieldOf[T]{name, types.StringType, func(t T) (any, error) { return get(t), nil }}
}

func instant[T any](name string, get func(T) evidence.Time) fieldOf[T] {
	return fieldOf[T]{name, types.TimestampType, func(t T) (any, error) { return get(t), nil }}
}

func texts[T any](name string, get func(T) []string) fieldOf[T] {
	return fieldOf[T]{name, types.NewListType(types.StringType), func(t T) (any, error) { return get(t), nil }}
}

var (
	textMap = types.NewMapType(types.StringType, types.StringType)
	dynMap  = types.NewMapType(types.StringType, types.DynType)
)

// The types of the variables. The step that is judged has no arguments of its
// own: rules see them as args.
var (
	stepType = newType("interlock.Step",
		text("id", func(s *evidence.Step) string { return s.ID }),
		text("action", func(s *evidence.Step) string { return s.Action }),
		texts("needs", func(s *evidence.Step) []string { return s.Needs }),
	)
	planType = newType("interlock.Plan",
		text("id", func(p *plan) string { return p.step.ID }),
		text("action", func(p *plan) string { return p.step.Action }),
		texts("needs", func(p *plan) []string { return p.step.Needs }),
		fieldOf[*plan]{"args", dynMap, (*plan).getArgs},
	)
	requestType = newType("interlock.Request",
		text("id", func(r *request) string { return r.native.ID }),
		text("audience", func(r *request) string { return r.native.Audience }),
		text("principal", func(r *request) string { return r.native.Principal }),
		text("purpose", func(r *request) string { return r.native.Purpose }),
		text("policy", func(r *request) string { return r.native.Policy }),
		instant("issued", func(r *request) evidence.Time { return r.native.Issued }),
		instant("expires", func(r *request) evidence.Time { return r.native.Expires }),
		fieldOf[*request]{"context", textMap, (*request).getContext},
		fieldOf[*request]{"steps", types.NewListType(planType.typ), (*request).getSteps},
	)
	pastType = newType("interlock.Past",
		text("step", func(p *past) string { return p.native.Step }),
		text("action", func(p *past) string { return p.native.Action }),
		text("status", func(p *past) string { return string(p.native.Status) }),
		instant("at", func(p *past) evidence.Time { return p.native.At }),
		fieldOf[*past]{"args", dynMap, (*past).getArgs},
		fieldOf[*past]{"result", types.DynType, (*past).getResult},
	)
	probeType = newType("interlock.Probe",
		text("name", func(p *evidence.Probe) string { return p.Name }),
		text("status", func(p *evidence.Probe) string { return string(p.Status) }),
		text("want", func(p *evidence.Probe) string { return p.Want }),
		text("got", func(p *evidence.Probe) string { return p.Got }),
	)
)
