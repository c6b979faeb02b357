package evidence_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

var update = flag.Bool("update", false, "write testdata/vectors anew")

const vectorDir = "testdata/vectors"

// A vector is a proof file and what a verifier must say of it. FORMAT.md
// describes its file.
type vector struct {
	name    string
	expect  string // "ok", or the exit code: "20", "21", "22"
	finding string // part of the first finding; of the verdict, if ok
	trust   string // file of the trust root; trust.json if empty
	proof   []byte
}

func (v vector) file() string {
	return v.expect + "-" + strings.ReplaceAll(strings.ReplaceAll(v.name, " ", "-"), "'", "") + ".vector"
}

func (v vector) encode() []byte {
	trust := v.trust
	if trust == "" {
		trust = "trust.json"
	}
	return fmt.Appendf(nil, "expect: %s\nfinding: %s\ntrust: %s\n\n%s", v.expect, v.finding, trust, v.proof)
}

// readVector reads a vector's file as another implementation would.
func readVector(t *testing.T, file string) vector {
	t.Helper()
	head, proof, ok := bytes.Cut(read(t, file), []byte("\n\n"))
	if !ok {
		t.Fatalf("%s has no header", file)
	}
	v := vector{proof: proof}
	for line := range strings.Lines(string(head)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "expect":
			v.expect = value
		case "finding":
			v.finding = value
		case "trust":
			v.trust = value
		default:
			t.Fatalf("%s: header %q", file, key)
		}
	}
	return v
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wanted returns the files that must stand in vectorDir.
func wanted(t *testing.T) map[string][]byte {
	elsewhere, err := NewTrust("elsewhere.test", evidencetest.Keys())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name, trust := range map[string]*Trust{"trust.json": evidencetest.Trust(), "elsewhere.json": elsewhere} {
		if files[name], err = trust.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(files, trustVectors(t))
	later, trusts := compromised(t)
	for name, trust := range trusts {
		if files[name], err = trust.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range slices.Concat(rightVectors(t), unreadable(t), badStatements(t), unauthentic(t), incomplete(t), notGoverned(t), later) {
		if files[v.file()] != nil {
			t.Fatalf("two vectors have the name %s", v.file())
		}
		files[v.file()] = v.encode()
	}
	return files
}

// TestVectorFiles checks that the files are the ones that this code makes.
func TestVectorFiles(t *testing.T) {
	files := wanted(t)
	if *update {
		writeVectors(t, files)
	}
	found, err := os.ReadDir(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if files[f.Name()] == nil {
			t.Errorf("%s is made by no test", f.Name())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !bytes.Equal(read(t, name), files[name]) {
			t.Errorf("%s differs from what this code makes; -update writes it anew", name)
		}
	}
}

func writeVectors(t *testing.T, files map[string][]byte) {
	old, err := filepath.Glob(filepath.Join(vectorDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(vectorDir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVectors runs the verifier over every file. A proof that must not be
// believed has to fail the check that it should, after passing those before.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.vector"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			v := readVector(t, filepath.Base(f))
			trust, err := ParseTrust(read(t, v.trust))
			if err != nil {
				t.Fatal(err)
			}
			code, said := judge(v.proof, trust)
			if code != v.expect || !strings.Contains(said, v.finding) {
				t.Errorf("got %s: %s\nwant %s: %s", code, said, v.expect, v.finding)
			}
		})
	}
}

// judge returns the exit code for a proof file and the first finding.
func judge(data []byte, trust *Trust) (code, said string) {
	p, err := DecodeProof(data)
	if err != nil {
		return "20", err.Error()
	}
	r := Verify(trust, p)
	switch {
	case r.Authentic.Answer != Yes:
		return "20", r.Err().Error()
	case r.Complete.Answer != Yes:
		return "21", r.Err().Error()
	case r.Governed.Answer != Yes:
		return "22", r.Err().Error()
	}
	return "ok", string(r.Verdict)
}

func rightVectors(t *testing.T) []vector {
	var vs []vector
	for _, e := range evidencetest.Endings() {
		vs = append(vs, vector{name: e.Name, expect: "ok", finding: string(e.Verdict), proof: encode(t, e.Proof(t))})
	}
	return append(vs, vector{
		name: "every-kind-of-character", expect: "ok", finding: "completed", proof: encode(t, odd(t)),
	}, vector{
		// Denied for its audience: the verifier of that other domain believes it.
		name: "denied-for-its-audience", expect: "ok", finding: "denied",
		proof: encode(t, built(t, play(request(func(r *Request) { r.Audience = "elsewhere.test" }), refuse(), seal()))),
	}, vector{
		name: "unresolved-one-resolved-one-open", expect: "ok", finding: "unresolved",
		proof: encode(t, built(t, play(twoLost, seal(), resolve(refund)))),
	}, vector{
		name: "unresolved-both-resolved", expect: "ok", finding: "unresolved",
		proof: encode(t, built(t, play(twoLost, seal(), resolve(notify, notHappened), resolve(refund)))),
	})
}

// odd is a proof with every character that has more than one spelling.
func odd(t *testing.T) *Proof {
	return built(t, play(request(func(r *Request) {
		r.Purpose = "\"\\/ \b\f\n\r\t\x00\x01\x1f\x7f <>& \u0085 \u2028\u2029 é 退款 \U0001F512 \uFFFD"
		r.Context = map[string]string{"b": "", "a<": "\u2028", "\U0001F512": "2", "\uFFFD": "1", "": "none"}
		r.Steps = r.Steps[:1]
		r.Steps[0].Args = []byte(`{"b":1.50e+3,"a":[{},null,-0],"u":"` + "\u2028" + `\u2028\/\u00e9\ud83d\udd12"}`)
	}), grant(), step(lookup), seal()))
}

func built(t *testing.T, build func(*desk)) *Proof {
	t.Helper()
	d := evidencetest.New(t)
	build(d)
	return d.Proof()
}

func notGoverned(t *testing.T) []vector {
	vs := []vector{{
		name: "request for another domain", expect: "22", trust: "elsewhere.json",
		finding: `the request was meant for "interlock.test"`,
		proof:   encode(t, evidencetest.Proof(t, "completed")),
	}, {
		name: "order for another domain", expect: "22", finding: `the order was meant for "elsewhere.test", not for "interlock.test"`,
		proof: encode(t, built(t, play(open, order(func(o *Order) { o.Audience = "elsewhere.test" }), halt(), seal()))),
	}}
	for _, w := range wrongChains() {
		vs = append(vs, vector{name: w.name, expect: "22", finding: w.finding, proof: encode(t, built(t, w.build))})
	}
	return vs
}
