package policy

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

var errConvert = errors.New("an object cannot be converted")

// An object is a value of an [objectType]. Rules that are typed read its
// fields without it; it serves the rest: dyn(), equality and lists.
type object struct {
	kind   *objectType
	native any
}

var (
	_ ref.Val            = (*object)(nil)
	_ traits.Indexer     = (*object)(nil)
	_ traits.FieldTester = (*object)(nil)
)

// Type returns the object's type.
func (o *object) Type() ref.Type { return o.kind.typ }

// Value returns the Go value that fields are read from.
func (o *object) Value() any { return o.native }

// ConvertToNative refuses.
func (o *object) ConvertToNative(reflect.Type) (any, error) { return nil, errConvert }

// ConvertToType answers type(object) and refuses the rest.
func (o *object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return o.kind.typ
	}
	return types.WrapErr(errConvert)
}

// Equal reports whether other has the same type and equal fields.
func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	if !ok || p.kind != o.kind {
		return types.False
	}
	for _, name := range o.kind.names {
		if eq := types.Equal(o.field(name), p.field(name)); eq != types.True {
			return eq
		}
	}
	return types.True
}

// Get returns the field called index.
func (o *object) Get(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	return o.field(string(name))
}

func (o *object) field(name string) ref.Val {
	f, ok := o.kind.fields[name]
	if !ok {
		return types.WrapErr(fmt.Errorf("no such field %.60q", name))
	}
	value, err := f.GetFrom(o.native)
	if err != nil {
		return types.WrapErr(err)
	}
	return adapt.NativeToValue(value)
}

// IsSet reports whether the field is not empty.
func (o *object) IsSet(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	f, ok := o.kind.fields[string(name)]
	if !ok {
		return types.WrapErr(fmt.Errorf("no such field %.60q", name))
	}
	return types.Bool(f.IsSet(o.native))
}
