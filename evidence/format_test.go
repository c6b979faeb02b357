package evidence_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

func format(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fenced returns the block of FORMAT.md that is marked with name.
func fenced(t *testing.T, name string) string {
	t.Helper()
	_, text, _ := strings.Cut(format(t), "```"+name+"\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatalf("FORMAT.md has no block %q", name)
	}
	return text
}

// TestFormatExample compares FORMAT.md's worked example, line by line, with
// what the code does.
func TestFormatExample(t *testing.T) {
	text := fenced(t, "example")
	if *update {
		changed := strings.Replace(format(t), "```example\n"+text, "```example\n"+example(t), 1)
		if err := os.WriteFile("FORMAT.md", []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := example(t); text != want {
		t.Errorf("FORMAT.md has\n%swant\n%s", text, want)
	}
}

func example(t *testing.T) string {
	v := readVector(t, "ok-denied-not-authentic.vector")
	p, err := DecodeProof(v.proof)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	say := func(name, value string) { b.WriteString(name + " = " + value + "\n") }
	var chain Chain
	for i, who := range []string{evidencetest.Authority, evidencetest.Recorder} {
		public := evidencetest.Signer(who).Public()
		e := p.Records[i]
		say("record", []string{"0, the denial", "1, the seal"}[i])
		say("public key", hex.EncodeToString(public))
		say("key id", KeyID(public))
		say("payload", string(e.Payload))
		say("signature", hex.EncodeToString(e.Signatures[0].Sig))
		say("signature in the file", base64.StdEncoding.EncodeToString(e.Signatures[0].Sig))
		say("record digest", e.Digest().String())
		say("link", chain.Append(e.Digest()).String())
	}
	say("file digest of the proof", FileDigest(v.proof).String())
	say("value digest of {}", ValueDigest([]byte("{}")).String())
	say("idempotency key of step lookup of record 0", IdempotencyKey(p.Records[0].Digest(), "lookup"))
	return b.String()
}

// TestFormatMembers compares the tables of members in FORMAT.md with the
// types: every member, in its order.
func TestFormatMembers(t *testing.T) {
	text := format(t)
	for _, p := range []Predicate{&Request{}, &Grant{}, &Decision{}, &Outcome{}, &Signal{}, &Handover{}, &Takeover{}, &Halt{}, &Seal{}, &Approval{}, &Order{}, &Rejection{}, &Resolution{}, &Attestation{}} {
		_, section, ok := strings.Cut(text, "\n### "+string(p.Kind())+"\n")
		section, _, _ = strings.Cut(section, "\n#")
		var got []string
		for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section, -1) {
			got = append(got, m[1])
		}
		if want := members(reflect.TypeOf(p).Elem()); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: FORMAT.md has %v, want %v", p.Kind(), got, want)
		}
	}
	for name, v := range map[string]any{
		"binding": Binding{}, "policy": PolicyRef{}, "lease": Lease{}, "terms": Terms{}, "rule": RuleResult{}, "probe": Probe{}, "process": Process{}, "attested": Attested{},
		"ask": Ask{}, "delay": Delay{}, "scope": Scope{}, "position": Position{},
	} {
		line := regexp.MustCompile(`(?m)^- \*\*` + name + `\*\*: (.*)$`).FindString(text)
		var got []string
		for _, m := range regexp.MustCompile("`(\\w+)`(?: \\(|,|$)").FindAllStringSubmatch(line, -1) {
			got = append(got, m[1])
		}
		if want := members(reflect.TypeOf(v)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: FORMAT.md has %v, want %v", name, got, want)
		}
	}
}

func members(typ reflect.Type) []string {
	var names []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			names = append(names, members(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
