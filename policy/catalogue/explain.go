package catalogue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// leaves returns what is wrong, one text for each innermost problem.
func leaves(e *jsonschema.ValidationError) []string {
	if len(e.Causes) == 0 {
		return []string{leaf(e)}
	}
	var texts []string
	for _, cause := range e.Causes {
		texts = append(texts, leaves(cause)...)
	}
	return texts
}

// leaf describes one problem. Values are not repeated: arguments may be
// private, and errors reach logs.
func leaf(e *jsonschema.ValidationError) string {
	where := "arguments"
	if len(e.InstanceLocation) > 0 {
		where = fmt.Sprintf("argument %.100q", strings.Join(e.InstanceLocation, "."))
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return fmt.Sprintf("%s: %s missing", where, quoted(k.Missing))
	case *kind.AdditionalProperties:
		return fmt.Sprintf("%s: %s unknown", where, quoted(k.Properties))
	case *kind.Type:
		return fmt.Sprintf("%s: got %s, want %s", where, k.Got, strings.Join(k.Want, " or "))
	case *kind.Minimum:
		return fmt.Sprintf("%s: less than %s", where, k.Want.RatString())
	case *kind.Maximum:
		return fmt.Sprintf("%s: more than %s", where, k.Want.RatString())
	case *kind.Pattern:
		return fmt.Sprintf("%s: does not match %q", where, k.Want)
	case *kind.Enum:
		return fmt.Sprintf("%s: not one of %.200v", where, k.Want)
	}
	return fmt.Sprintf("%s: breaks %q", where, strings.Join(e.ErrorKind.KeywordPath(), "."))
}

func quoted(names []string) string {
	names = slices.Sorted(slices.Values(names))
	for i, name := range names {
		names[i] = fmt.Sprintf("%.60q", name)
	}
	return strings.Join(names, ", ")
}
