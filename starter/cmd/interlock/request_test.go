package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
)

// TestParseRequestKeepsWhatStandsThere: the bytes that are signed are those
// that somebody wrote and read.
func TestParseRequestKeepsWhatStandsThere(t *testing.T) {
	tests := []struct{ yaml, json string }{
		{`{z: 1, a: 2}`, `{"z":1,"a":2}`},
		{`{n: 1.0}`, `{"n":1.0}`},
		{`{n: 12345678901234567890}`, `{"n":12345678901234567890}`},
		{`{n: -0.50}`, `{"n":-0.50}`},
		{`{t: "042", u: '', v: plain text}`, `{"t":"042","u":"","v":"plain text"}`},
		{`{t: "<&>\t\u2028"}`, `{"t":"<&>\t\u2028"}`},
		{`{l: [true, false, null, [], {}]}`, `{"l":[true,false,null,[],{}]}`},
		{"\n      m:\n        k: |\n          two\n          lines\n", `{"m":{"k":"two\nlines\n"}}`},
		{"\n      one: 1\n", `{"one":1}`},
		{`{}`, `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.json, func(t *testing.T) {
			r, err := parseRequest("r.yaml", []byte("purpose: p\npolicy: q\nsteps:\n  - id: a\n    action: x\n    args: "+tt.yaml+"\n"))
			require.NoError(t, err)
			require.Equal(t, tt.json, string(r.Steps[0].Args))
			require.NoError(t, evidence.CheckJSON(r.Steps[0].Args))
		})
	}
}

func TestParseRequestRefuses(t *testing.T) {
	tests := []struct{ name, args string }{
		{"hexadecimal", `{n: 0x10}`},
		{"octal", `{n: 0o17}`},
		{"leading zero", `{n: 017}`},
		{"underscores", `{n: 1_000}`},
		{"too long for the library", `{n: 12345678901234567890123}`},
		{"an exponent", `{n: 1e3}`},
		{"infinity", `{n: .inf}`},
		{"not a number", `{n: .nan}`},
		{"plus", `{n: +1}`},
		{"no whole part", `{n: .5}`},
		{"an anchor", `{n: &a 1}`},
		{"a tag", `{n: !!str 1}`},
		{"a merge", `{<<: {a: 1}}`},
		{"a key that is a number", `{1: a}`},
		{"a key that is a boolean", `{true: a}`},
		{"a key twice", `{a: 1, a: 2}`},
		{"a list", `[1]`},
		{"a string", `text`},
		{"too deep", "{a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseRequest("r.yaml", []byte("purpose: p\npolicy: q\nsteps:\n  - {id: a, action: x, args: "+tt.args+"}\n"))
			require.ErrorIs(t, err, errUsage)
			require.ErrorContains(t, err, "r.yaml:[4:", "the place is missing")
			require.Nil(t, r)
		})
	}
}

// TestParseRequestOutlivesTheLibrary, which panics on a tag where a list
// belongs.
func TestParseRequestOutlivesTheLibrary(t *testing.T) {
	r, err := parseRequest("r.yaml", []byte("purpose: p\npolicy: q\nsteps:\n  - {id: a, action: x, needs: !b c}\n"))
	require.ErrorIs(t, err, errUsage)
	require.ErrorContains(t, err, "r.yaml: couldn't be read as YAML")
	require.Nil(t, r)
}

// FuzzParseRequest: whatever it takes can be signed or is refused by name; it
// never panics, and the arguments are JSON.
func FuzzParseRequest(f *testing.F) {
	for _, name := range []string{"templates/request.yaml", "templates/request-denied.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("steps: [{args: {a: [1, {b: *c}]}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRequest("r.yaml", data)
		if err != nil {
			return
		}
		for _, s := range r.Steps {
			if _, err := evidence.Compact(s.Args); err != nil && !strings.Contains(err.Error(), "UTF-8") {
				t.Errorf("args that are not JSON: %q: %v", s.Args, err)
			}
		}
	})
}
