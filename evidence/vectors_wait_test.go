package evidence_test

import (
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// badWords are approvals, orders and rejections that nobody should ever have
// signed, and rules of decisions that wait in another spelling.
func badWords(t *testing.T) []vector {
	const canonical, note, reason = "differs from the canonical form", `"expires":"2026-01-31T10:30:00.090Z"`, "the ticket was a hoax"
	const exactly, execution = "it does not say what exactly it is about", `{"kind":"execution","value":"refund-0042"}`
	digest := func(name string) string { return `"` + name + `":"` }
	rows := []struct {
		name, finding string
		kind          Kind
		from, to      string
	}{
		{"approval without a word", `word ""`, KindApproval, `"word":"approve"`, `"word":""`},
		{"approval with an unknown word", `word "maybe"`, KindApproval, `"word":"approve"`, `"word":"maybe"`},
		{"approval in another case", `word "Approve"`, KindApproval, `"word":"approve"`, `"word":"Approve"`},
		{"approval without a time", "the statement has no time", KindApproval, `"at":"2026-01-31T09:30:00.090Z"`, `"at":""`},
		{"approval that never expires", "it expires at -", KindApproval, note, `"expires":""`},
		{"approval that has expired", "it expires at 2026-01-31T09:30:00.090Z", KindApproval, note, `"expires":"2026-01-31T09:30:00.090Z"`},
		{"approval of no step", exactly, KindApproval, `"step":"refund"`, `"step":""`},
		{"approval of no action", exactly, KindApproval, `"action":"orders.refund"`, `"action":""`},
		{"approval of no decision", exactly, KindApproval, digest("decision"), ""},
		{"approval of no arguments", exactly, KindApproval, digest("args"), ""},
		{"approval of no bytes", exactly, KindApproval, digest("sends"), ""},
		{"approval with a note of two lines", "write one line of text", KindApproval, note, note + `,"note":"a\nb"`},
		{"approval with a note that moves the cursor", "write one line of text", KindApproval, note, note + `,"note":"a` + "\u009b" + `"`},
		{"approval with a note too long", "note of 1001 bytes", KindApproval, note, note + `,"note":"` + strings.Repeat("é", MaxNote/2) + `x"`},
		{"approval with an empty note", canonical, KindApproval, note, note + `,"note":""`},
		{"approval without a member", canonical, KindApproval, `"approver":"carol",`, ``},
		{"approval with an unknown member", canonical, KindApproval, note, note + `,"quorum":1`},

		{"order that does nothing", `does ""`, KindOrder, `"does":"stop"`, `"does":""`},
		{"order that does something unknown", `does "pause"`, KindOrder, `"does":"stop"`, `"does":"pause"`},
		{"order without a kind of scope", `scope ""`, KindOrder, `{"kind":"execution"`, `{"kind":""`},
		{"order with an unknown kind of scope", `scope "region"`, KindOrder, `{"kind":"execution"`, `{"kind":"region"`},
		{"order about no execution", "want a value for every kind but all", KindOrder, execution, `{"kind":"execution"}`},
		{"order about all and one", "want a value for every kind but all", KindOrder, execution, `{"kind":"all","value":"refund-0042"}`},
		{"order about all and nothing", canonical, KindOrder, execution, `{"kind":"all","value":""}`},
		{"order about two lines", "scope with control characters", KindOrder, execution, `{"kind":"execution","value":"a\nb"}`},
		{"order about something too long", "scope of 1001 bytes", KindOrder, execution, `{"kind":"policy","value":"` + strings.Repeat("x", MaxNote+1) + `"}`},
		{"order that restores nothing", "says what it undoes", KindOrder, `"does":"stop"`, `"does":"restore"`},
		{"order that stops and undoes", "says what it undoes", KindOrder, `"undoes":""`, `"undoes":"` + another.String() + `"`},
		{"order without a reason", "no reason", KindOrder, reason, ""},
		{"order with a reason of spaces", "no reason", KindOrder, reason, "  "},
		{"order with a reason of two lines", "reason with control characters", KindOrder, reason, `a\nb`},
		{"order with a reason too long", "reason of 1001 bytes", KindOrder, reason, strings.Repeat("x", MaxNote+1)},
		{"order for no audience", "no audience", KindOrder, `"audience":"interlock.test"`, `"audience":""`},
		{"order without a nonce", "nonce: want 32", KindOrder, `"nonce":"0`, `"nonce":"`},
		{"order without a member", canonical, KindOrder, `"undoes":"",`, ``},

		{"rejection without a time", "the statement has no time", KindRejection, `"at":"2026-01-31T09:30:00.100Z"`, `"at":""`},
		{"rejection without a member", canonical, KindRejection, `"cause":"message.untrusted",`, ``},
		{"rejection with a cause of null", canonical, KindRejection, `"cause":"message.untrusted"`, `"cause":null`},

		{"decision without orders", canonical, KindDecision, `,"orders":{"seq":0,"prev":""}`, ``},
		{"decision with orders of null", canonical, KindDecision, `"orders":{"seq":0,"prev":""}`, `"orders":null`},
		{"rule that asks null", canonical, KindDecision, `"effect":"allow"}`, `"effect":"allow","ask":null}`},
		{"rule that asks without a member", canonical, KindDecision, `"effect":"allow"}`, `"effect":"step_up","ask":{"by":["carol"],"need":1}}`},
		{"rule that asks for half a person", "cannot unmarshal", KindDecision, `"effect":"allow"}`, `"effect":"step_up","ask":{"by":["carol"],"need":0.5,"withinMs":1}}`},
		{"rule that delays and then asks", canonical, KindDecision, `"effect":"allow"}`, `"effect":"defer","delay":{"forMs":1,"everyMs":1},"ask":{"by":[],"need":1,"withinMs":1}}`},
	}
	var vs []vector
	for _, r := range rows {
		proof := built(t, rewritten(r.kind, func(b []byte) []byte {
			if r.to == "" && strings.HasSuffix(r.from, `":"`) {
				return withoutDigest(t, b, r.from)
			}
			return replaceFirst(t, b, r.from, r.to)
		}))
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: encode(t, proof)})
	}
	return vs
}

// withoutDigest cuts the digest out that follows a member's name.
func withoutDigest(t *testing.T, b []byte, name string) []byte {
	t.Helper()
	text := string(b)
	before, after, ok := strings.Cut(text, name)
	if !ok || len(after) < 2*DigestSize {
		t.Fatalf("no digest after %q:\n%s", name, text)
	}
	return []byte(before + name + after[2*DigestSize:])
}

// waited is a chain in which a step waits, and all that may happen to it.
func waited(t *testing.T) []Envelope {
	return built(t, play(open, later(refund), stepUp(refund), approve(refund, carol), rejection(), approve(refund, evidencetest.Dave),
		approved(refund), order(), done(refund), halt(), seal())).Records
}
