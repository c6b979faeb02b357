package evidence_test

import (
	"bytes"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// unreadable are files that are not a proof, although another parser of JSON
// might read them as the one from which they were made.
func unreadable(t *testing.T) []vector {
	proof := encode(t, evidencetest.Proof(t, "denied-at-admission"))
	swap := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte { return replaceFirst(t, b, from, to) }
	}
	const canonical = "differs from the canonical form"
	rows := []struct {
		name, finding string
		spoil         func([]byte) []byte
	}{
		{"empty file", "it ends too early", func([]byte) []byte { return nil }},
		{"null file", "format", func([]byte) []byte { return []byte("null") }},
		{"truncated", "it ends too early", func(b []byte) []byte { return b[:len(b)-3] }},
		{"no final newline", canonical, func(b []byte) []byte { return b[:len(b)-1] }},
		{"two final newlines", canonical, func(b []byte) []byte { return append(b, '\n') }},
		{"trailing bytes", "bytes after the value", func(b []byte) []byte { return append(b, '0') }},
		{"two proofs", "bytes after the value", func(b []byte) []byte { return append(b, b...) }},
		{"leading white space", canonical, func(b []byte) []byte { return append([]byte(" "), b...) }},
		{"byte order mark", "unexpected", func(b []byte) []byte { return append([]byte("\uFEFF"), b...) }},
		{"not UTF-8", "not valid UTF-8", swap(`keyid`, "keyid\xff")},
		{"lines end with CR LF", canonical, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }},
		{"records in one line", canonical, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), nil) }},
		{"white space in a record", canonical, swap(`"payload":`, `"payload": `)},
		{"unknown member of the file", canonical, swap(`"records":`, `"comment":"","records":`)},
		{"unknown member of an envelope", canonical, swap(`"payload":`, `"comment":"","payload":`)},
		{"unknown member of a signature", canonical, swap(`"sig":`, `"alg":"none","sig":`)},
		{"duplicate member of the file", `the name "format" twice`, swap(`"records":`, `"format":"","records":`)},
		{"duplicate member of an envelope", `the name "payload" twice`, swap(`"payload":`, `"payload":"","payload":`)},
		{"duplicate member in another spelling", `the name "payload" twice`, swap(`"payload":`, `"p\u0061yload":"","payload":`)},
		{"duplicate member in another case", canonical, swap(`"payload":`, `"Payload":"","payload":`)},
		{"member in another case", canonical, swap(`"payloadType"`, `"payloadtype"`)},
		{"member in another spelling", canonical, swap(`"payload":`, `"p\u0061yload":`)},
		{"members in another order", canonical, swap(`"format":"`+ProofFormat+`","records":[`, `"records":[],"format":"`+ProofFormat+`","x":[`)},
		{"string in another spelling", canonical, swap(`in-toto+json`, `in-toto\u002bjson`)},
		{"another format", "proof/v2", swap("proof/v1", "proof/v2")},
		{"records are null", canonical, func([]byte) []byte { return []byte(`{"format":"` + ProofFormat + `","records":null}` + "\n") }},
		{"a record is null", canonical, swap("[\n{", "[\nnull,\n{")},
		{"records are text", "cannot unmarshal", swap("[\n{", "[\n\"\",\n{")},
		{"no records", "the proof has no records", func([]byte) []byte { return []byte(`{"format":"` + ProofFormat + "\",\"records\":[\n]}\n") }},
		{"nested too deep", "nested more than 64 deep", swap(`"records":[`, `"records":[`+strings.Repeat("[", 63))},
		{"base64 without padding", "illegal base64", unpadded},
		{"base64 with bits to spare", canonical, spareBits},
		{"base64 with a line break", canonical, swap(`"payload":"`, `"payload":"\n`)},
	}
	var vs []vector
	for _, r := range rows {
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: r.spoil(bytes.Clone(proof))})
	}
	return vs
}

func replaceFirst(t *testing.T, b []byte, from, to string) []byte {
	t.Helper()
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("%q does not stand there:\n%s", from, b)
	}
	return bytes.Replace(b, []byte(from), []byte(to), 1)
}

// unpadded takes the padding from the first signature, which has 64 bytes.
func unpadded(b []byte) []byte { return bytes.Replace(b, []byte(`=="}]`), []byte(`"}]`), 1) }

// spareBits sets one of the four bits of a signature's last digit that stand
// for nothing.
func spareBits(b []byte) []byte {
	at := bytes.Index(b, []byte(`=="}]`)) - 1
	b[at]++ // the last digit is A, Q, g or w
	return b
}
