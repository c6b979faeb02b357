package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/interlock-run/interlock/evidence"
)

// The rows are JSON that parsers disagree about, and their neighbours.
func TestCheckJSON(t *testing.T) {
	deep := func(n int, inner string) string {
		return strings.Repeat("[", n) + inner + strings.Repeat("]", n)
	}
	names := func(n int, last string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"n%d":{"n0":0,"n1":1},`, i)
		}
		return "{" + b.String() + last + ":0}"
	}
	tests := []struct {
		data string
		want string // "" if allowed
	}{
		{`0`, ""}, {` [ 1 , -2.5e-7 , "x" , { } , true , false , null ] `, ""},
		{"\t\r\n {\"a\" : 1}\n", ""}, {`{"a":{"a":{"a":[]}}}`, ""}, {`{"":0," ":0}`, ""},
		{`"\"\\\/\b\f\n\r\t\u0000\uD83D\uDD12\ue000\uD7FF"`, ""}, {`"` + "\u2028\x7f" + `"`, ""},
		{deep(64, "0"), ""}, {deep(64, ""), ""}, {strings.Repeat(`{"a":`, 64) + "0" + strings.Repeat("}", 64), ""},
		{names(100, `"m"`), ""}, {`0E+0`, ""}, {`-0`, ""}, {`1E400`, ""},

		{``, "too early"}, {` `, "too early"}, {`[`, "too early"}, {`{`, "too early"}, {`[1`, "too early"}, {`{"a"`, "too early"},
		{`{"a":`, "too early"}, {`{"a":1`, "too early"}, {`"`, "too early"}, {`"\`, "too early"}, {`"\u12`, "too early"}, {`-`, "too early"},
		{`1.`, "too early"}, {`1e`, "too early"}, {`1e+`, "too early"}, {`tru`, "unexpected 't'"}, {`nul`, "unexpected 'n'"},
		{`[1,]`, "unexpected ']'"}, {`[,1]`, "unexpected ','"}, {`[1 2]`, "unexpected '2'"}, {`[1}`, "unexpected '}'"}, {`]`, "unexpected"},
		{`{,}`, "unexpected ','"}, {`{"a":1,}`, "unexpected '}'"}, {`{a:1}`, "unexpected 'a'"}, {`{1:1}`, "unexpected '1'"},
		{`{"a" 1}`, "unexpected '1'"}, {`{"a""b"}`, "unexpected '\"'"}, {`{"a",1}`, "unexpected ','"}, {`{"a":1 "b":2}`, "unexpected '\"'"}, {`{"a":1]`, "unexpected ']'"}, {`{"a"}`, "unexpected '}'"},
		{`.5`, "unexpected '.'"}, {`+1`, "unexpected '+'"}, {`1.e1`, "unexpected 'e'"}, {`-a`, "unexpected 'a'"}, {`1e-x`, "unexpected 'x'"},
		{`01`, "after the value"}, {`0x1`, "after the value"}, {`NaN`, "unexpected 'N'"}, {`True`, "unexpected 'T'"}, {`'a'`, "unexpected"},
		{`{} {}`, "after the value"}, {`nullx`, "after the value"}, {"0\x00", "after the value"}, {"\x00", "unexpected"}, {"\v0", "unexpected"},
		{"\u00a00", "unexpected"}, {"\"a\nb\"", "unexpected '\\n'"}, {"\"\x00\"", "unexpected"}, {"\"\x1f\"", "unexpected"},
		{`"\ud800\udc00\udbff\udfff\uD800\uDC00\uDBFF\uDFFF\uafAF\u0190"`, ""},
		{`"\u00g0"`, "unexpected 'g'"}, {"\"\\u00`0\"", "unexpected '`'"}, {`"\u00@0"`, "unexpected '@'"}, {`"\u00/0"`, "unexpected '/'"},
		{`"\u00:0"`, "unexpected ':'"}, {`"\udc00\udc00"`, "half"}, {`"\ud83d\ndc00"`, "half"}, {`"\ud83dxudc00"`, "half"},
		{`"\ud800\udbff"`, "half"}, {`"\x41"`, "unexpected 'x'"}, {`"\u00G0"`, "unexpected 'G'"}, {`"\u 123"`, "unexpected ' '"}, {`"\U0001"`, "unexpected 'U'"},
		{"\"\xff\"", "UTF-8"}, {"\"\xed\xa0\x80\"", "UTF-8"}, {"\"\xc0\x80\"", "UTF-8"}, {"\xef\xbb\xbf0", "unexpected"},
		{`"\ud800"`, "half of a surrogate"}, {`"\udc00"`, "half"}, {`"\ud800x"`, "half"}, {`"\ud800\n"`, "half"}, {`"\udfff"`, "half"},
		{`"\ud800\ud800"`, "half"}, {`"\udbff\ue000"`, "half"}, {`"\ud83d\u"`, "half"}, {`"\ud83d\`, "half"}, {`"\ud83dabcdef"`, "half"},
		{`"\ud83d\nabcd"`, "half"}, {`"\ud83dxudc00"`, "half"}, {`{"a":"\ud800"}`, "half"}, {`{"\ud800":0}`, "half"}, {`["\udc00"]`, "half"},
		{`{"a":1,"a":1}`, `"a" twice`}, {`{"a":1,"\u0061":1}`, `"a" twice`}, {`[{"x":{"é":1,"\u00E9":2}}]`, `"é" twice`},
		{`{"a":{},"b":{},"a":{}}`, `"a" twice`}, {names(15, `"n0"`), `"n0" twice`}, {names(16, `"n15"`), `"n15" twice`},
		{names(17, `"n0"`), `"n0" twice`}, {names(17, `"n16"`), `"n16" twice`}, {names(100, `"n99"`), `"n99" twice`}, {names(100, `"\u006e17"`), `"n17" twice`},
		{deep(65, ""), "64 deep"}, {deep(65, "0"), "64 deep"}, {strings.Repeat(`{"a":`, 65) + "0" + strings.Repeat("}", 65), "64 deep"},
		{strings.Repeat("[", 1e6), "64 deep"}, {deep(64, "{}"), "64 deep"},
	}
	for _, tt := range tests {
		err := CheckJSON([]byte(tt.data))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%.60q: %v", tt.data, err)
		case tt.want != "" && !errors.Is(err, ErrJSON):
			t.Errorf("%.60q: %v, want ErrJSON", tt.data, err)
		case tt.want != "" && !strings.Contains(err.Error(), tt.want):
			t.Errorf("%.60q: %v, want %q", tt.data, err, tt.want)
		}
		if want := checkTokens([]byte(tt.data)); (want == nil) != (err == nil) {
			t.Errorf("%.60q: %v, but encoding/json and the rules say %v", tt.data, err, want)
		}
	}
}

// TestCheckJSONManyNames checks that an object costs no more than its length.
func TestCheckJSONManyNames(t *testing.T) {
	var b bytes.Buffer
	for i := range 200_000 {
		fmt.Fprintf(&b, `,"%d":0`, i)
	}
	start := time.Now()
	if err := CheckJSON([]byte("{" + b.String()[1:] + "}")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// checkTokens is CheckJSON as it would be with encoding/json alone: slower,
// and by somebody else.
func checkTokens(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	if !json.Valid(data) {
		return errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := walk(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more follows")
	}
	return halves(data)
}

func walk(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 64 {
		return errors.New("too deep")
	}
	names := map[string]bool{}
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil || names[name.(string)] {
				return fmt.Errorf("name %v twice, or %v", name, err)
			}
			names[name.(string)] = true
		}
		if err := walk(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// halves looks for half surrogate pairs in valid JSON. Encoding/json reads each
// as U+FFFD.
func halves(data []byte) error {
	read := func(quoted []byte) (text string) {
		_ = json.Unmarshal(fmt.Appendf(nil, `"%s"`, quoted), &text)
		return text
	}
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if i++; data[i] != 'u' {
			continue
		}
		unit := data[i-1 : i+5]
		i += 4
		if read(unit) != "\uFFFD" || bytes.EqualFold(unit, []byte(`\ufffd`)) {
			continue
		}
		next := data[i+1:]
		if !bytes.HasPrefix(next, []byte(`\u`)) || utf8.RuneCountInString(read(data[i-5:i+7])) != 1 {
			return errors.New("half a pair")
		}
		i += 6
	}
	return nil
}
