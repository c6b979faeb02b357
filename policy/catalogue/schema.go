package catalogue

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/interlock-run/interlock/policy/internal/strict"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

// errRemote is what a schema gets that refers to another file.
var errRemote = errors.New("a schema may only refer to itself")

// noLoader keeps schemas from reading files or the network.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errRemote }

// compileSchema returns the schema of an action's arguments, or nil if it
// noted a problem.
func compileSchema(doc *strict.Doc, action string, n *strict.Node) *jsonschema.Schema {
	if !checkTop(doc, n) || !checkKeywords(doc, n) {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(n.JSON()))
	if err != nil {
		doc.Errorf(n.Pos, "args: %v", err)
		return nil
	}
	if err := checkNumbers(value); err != nil {
		doc.Errorf(n.Pos, "args: %v", err)
		return nil
	}
	url := "interlock:///" + action
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.AssertFormat()
	if err := c.AddResource(url, value); err != nil {
		doc.Errorf(n.Pos, "args: %v", err)
		return nil
	}
	schema, err := c.Compile(url)
	if err != nil {
		doc.Errorf(n.Pos, "args: %s", strings.ReplaceAll(err.Error(), "\n", " "))
		return nil
	}
	checkRequired(doc, n, schema)
	return schema
}

// checkTop insists on a closed object: an argument that is not declared must
// never get through.
func checkTop(doc *strict.Doc, n *strict.Node) bool {
	closed := 0
	for _, f := range n.Fields {
		switch {
		case f.Name == "type" && f.Value.Kind == strict.String && f.Value.Text == "object",
			f.Name == "additionalProperties" && f.Value.Kind == strict.Bool && f.Value.Text == "false":
			closed++
		case f.Name == "patternProperties":
			doc.Errorf(f.Pos, "args: declare each argument by its name")
			return false
		}
	}
	if n.Kind != strict.Object || closed != 2 {
		doc.Errorf(n.Pos, "args: want a schema with type: object and additionalProperties: false")
		return false
	}
	return true
}

// checkRequired notes required arguments that can never be given.
func checkRequired(doc *strict.Doc, n *strict.Node, s *jsonschema.Schema) {
	for _, name := range s.Required {
		if s.Properties[name] == nil {
			doc.Errorf(n.Pos, "args: required argument %q is not declared", name)
		}
	}
}

// Keywords by what their value is. Any other keyword is a mistake: JSON
// Schema ignores what it does not know, and a misspelt "maximum" checks
// nothing.
var (
	plainKeywords = []string{"type", "enum", "const", "required", "title", "description", "default", "examples", "deprecated",
		"format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
		"multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "minContains",
		"maxContains", "dependentRequired", "$comment"}
	schemaKeywords = []string{"items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames",
		"unevaluatedItems", "unevaluatedProperties"}
	schemasKeywords = []string{"properties", "patternProperties", "$defs", "dependentSchemas", "allOf", "anyOf", "oneOf", "prefixItems"}
)

// checkKeywords walks a schema and reports whether it knows every keyword.
func checkKeywords(doc *strict.Doc, n *strict.Node) bool {
	ok := true
	for _, f := range n.Fields {
		switch {
		case slices.Contains(plainKeywords, f.Name):
		case slices.Contains(schemaKeywords, f.Name):
			ok = checkKeywords(doc, f.Value) && ok
		case slices.Contains(schemasKeywords, f.Name):
			for _, sub := range f.Value.Fields {
				ok = checkKeywords(doc, sub.Value) && ok
			}
			for _, sub := range f.Value.Items {
				ok = checkKeywords(doc, sub) && ok
			}
		case f.Name == "$schema" && f.Value.Text == draft:
		case f.Name == "$ref" && strings.HasPrefix(f.Value.Text, "#"):
		case f.Name == "$ref":
			doc.Errorf(f.Value.Pos, "args: %v, not to %q", errRemote, f.Value.Text)
			ok = false
		default:
			doc.Errorf(f.Pos, "args: unknown schema keyword %q", f.Name)
			ok = false
		}
	}
	return ok
}
