package policy

import (
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/interlock-run/interlock/evidence"
)

// A provider adds the object types to those that CEL has by itself. It is
// read only.
type provider struct {
	*types.Registry
	objects map[string]*objectType
}

var _ types.Provider = (*provider)(nil)

func newProvider() (*provider, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	p := &provider{registry, map[string]*objectType{}}
	for _, t := range []*objectType{stepType, planType, requestType, pastType, probeType} {
		p.objects[t.typ.TypeName()] = t
	}
	return p, nil
}

// FindStructType returns the type called name.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if t, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(t.typ), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames returns the fields of the type called name.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if t, ok := p.objects[name]; ok {
		return t.names, true
	}
	return p.Registry.FindStructFieldNames(name)
}

// FindStructFieldType returns one field of the type called name.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if t, ok := p.objects[name]; ok {
		f, ok := t.fields[field]
		return f, ok
	}
	return p.Registry.FindStructFieldType(name, field)
}

// NewValue refuses to make objects: rules read facts, they don't make them up.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.objects[name]; ok {
		return types.NewErr("a rule cannot make a %s", name)
	}
	return p.Registry.NewValue(name, fields)
}

// An adapter turns the Go values of facts into CEL values.
type adapter struct{ types.Adapter }

// adapt is used wherever a value is made. It has no state.
var adapt = adapter{types.DefaultTypeAdapter}

// NativeToValue returns value in CEL.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case evidence.Time:
		return types.Timestamp{Time: v.Time()}
	case *evidence.Step:
		return &object{stepType, v}
	case *plan:
		return &object{planType, v}
	case *request:
		return &object{requestType, v}
	case *past:
		return &object{pastType, v}
	case *evidence.Probe:
		return &object{probeType, v}
	}
	return a.Adapter.NativeToValue(value)
}
