package main

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"text/template"
)

// trustName is the name of the trust root that init makes.
const trustName = "trust.json"

//go:embed templates
var templates embed.FS

// A file is what init makes of a template.
type file struct {
	name string
	data []byte
}

// templated fills in the templates.
func templated(address string) ([]file, error) {
	values := struct {
		Address string
		Twenty  []int // and one more than is allowed
	}{address, make([]int, 21)}
	for i := range values.Twenty {
		values.Twenty[i] = i
	}
	parsed, err := template.ParseFS(templates, "templates/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("couldn't read the templates: %w", err)
	}
	var files []file
	for _, t := range parsed.Templates() {
		var b bytes.Buffer
		if err := t.Execute(&b, values); err != nil {
			return nil, fmt.Errorf("couldn't fill in %s: %w", t.Name(), err)
		}
		if strings.HasSuffix(t.Name(), ".yaml") {
			files = append(files, file{t.Name(), b.Bytes()})
		}
	}
	sortFiles(files)
	return files, nil
}
