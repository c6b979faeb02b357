package evidence_test

import (
	"regexp"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// rewritten is a chain in which the record of one kind was changed before it
// was signed.
func rewritten(kind Kind, rewrite func([]byte) []byte) func(*desk) {
	return fullChain(kind, func(d *desk) { d.RewriteNext(rewrite) })
}

// fullChain is a chain with one record of every kind that a halted one has. Before does something
// to the desk right before the record of one kind.
func fullChain(kind Kind, before func(*desk)) func(*desk) {
	return func(d *desk) {
		for _, r := range []struct {
			kind Kind
			play func(*desk)
		}{
			{KindRequest, request()}, {KindGrant, grant()}, {KindDecision, allow(lookup)}, {KindOutcome, done(lookup)},
			{KindAttestation, attestation()}, {KindSignal, signal()}, {KindHandover, handover()}, {KindTakeover, takeover()},
			{"", stepUp(refund)}, {KindApproval, approve(refund, carol)}, {KindRejection, rejection()}, {KindOrder, order()},
			{KindHalt, halt()}, {KindSeal, seal()},
		} {
			if r.kind == kind {
				before(d)
			} else if r.kind == KindAttestation {
				continue // has no place in a chain
			}
			r.play(d)
		}
	}
}

// badStatements are signed by the right keys, and yet nothing that a verifier
// may read.
func badStatements(t *testing.T) []vector {
	const canonical = "differs from the canonical form"
	rows := []struct {
		name, finding string
		kind          Kind
		from, to      string
	}{
		{"statement with an unknown member", canonical, KindGrant, `"seq":1,`, `"seq":1,"x":0,`},
		{"statement without a member", canonical, KindGrant, `"seq":1,`, ``},
		{"statement with a duplicate member", `the name "seq" twice`, KindGrant, `"seq":1,`, `"seq":1,"seq":1,`},
		{"statement with a member in another case", canonical, KindGrant, `"seq":1`, `"Seq":1`},
		{"statement with members in another order", canonical, KindDecision, `"effect":"allow","cause":"policy.allow"`, `"cause":"policy.allow","effect":"allow"`},
		{"statement with white space", canonical, KindGrant, `"seq":1,`, `"seq": 1,`},
		{"statement with white space in arguments", canonical, KindRequest, `"cents":1250`, `"cents": 1250`},
		{"number with a fraction", "cannot unmarshal", KindGrant, `"seq":1,`, `"seq":1.0,`},
		{"number with an exponent", "cannot unmarshal", KindGrant, `"seq":1,`, `"seq":1e0,`},
		{"number with a leading zero", "unexpected", KindGrant, `"seq":1,`, `"seq":01,`},
		{"number that is negative", "cannot unmarshal", KindGrant, `"seq":1,`, `"seq":-1,`},
		{"number of more than 64 bits", "cannot unmarshal", KindGrant, `"seq":1,`, `"seq":18446744073709551617,`},
		{"number that is minus zero", canonical, KindGrant, `"intervalMs":1000`, `"intervalMs":-0`},
		{"string with a needless escape", canonical, KindGrant, `"principal":"alice"`, `"principal":"\u0061lice"`},
		{"string with a raw line separator", canonical, KindRequest, `see ticket`, "see\u2028ticket"},
		{"string with half a surrogate pair", "half of a surrogate pair", KindRequest, `{"order":"o-1"}`, `{"order":"\ud800"}`},
		{"arguments with a duplicate name", `the name "order" twice`, KindRequest, `{"order":"o-1"}`, `{"order":"o-1","order":"o-2"}`},
		{"arguments that are a list", "want a JSON object", KindRequest, `{"order":"o-1"}`, `["o-1"]`},
		{"arguments that are missing", canonical, KindRequest, `,"args":{"order":"o-1"}`, ``},
		{"arguments nested too deep", "nested more than 64 deep", KindRequest, `{"order":"o-1"}`, `{"a":` + strings.Repeat("[", 61) + strings.Repeat("]", 61) + `}`},
		{"null for an empty member", canonical, KindDecision, `"prev":"`, `"prev":null,"x":"`},
		{"empty list for a member left out", canonical, KindRequest, `"action":"orders.read",`, `"action":"orders.read","needs":[],`},
		{"context out of order", canonical, KindRequest, `{"channel":"mail","ticket":"42"}`, `{"ticket":"42","channel":"mail"}`},
		{"time with an offset", "not a UTC time", KindRequest, `:00.000Z","expires"`, `:00.000+00:00","expires"`},
		{"time without milliseconds", "not a UTC time", KindRequest, `:00.000Z","expires"`, `:00Z","expires"`},
		{"time with a comma", "not a UTC time", KindRequest, `:00.000Z","expires"`, `:00,000Z","expires"`},
		{"time that does not exist", "not a UTC time", KindRequest, `2026-01-31T09:30:00.000Z`, `2026-02-30T09:30:00.000Z`},
		{"statement without a time", "the statement has no time", KindHalt, `"at":"2026-01-31T09:30:00.120Z"`, `"at":""`},
		{"digest in upper case", "not a digest", KindGrant, `"catalogue":"`, `"catalogue":"A`},
		{"digest too short", "not a digest", KindGrant, `"prev":"`, `"prev":"00","x":"`},
		{"digest of zeros", "not a digest", KindGrant, `"prev":"`, `"prev":"` + strings.Repeat("0", 128) + `","x":"`},
		{"another statement type", "want \"https://in-toto.io/Statement/v1\"", KindGrant, `Statement/v1`, `Statement/v0.1`},
		{"another predicate type", "predicate type", KindGrant, `https://interlock.run/evidence/grant/v1`, `https://slsa.dev/provenance/v1`},
		{"another version of a predicate", "predicate type", KindGrant, `grant/v1`, `grant/v2`},
		{"unknown kind of record", "unknown kind of record", KindGrant, `evidence/grant/v1`, `evidence/permit/v1`},
		{"two subjects", "2 subjects", KindGrant, `"subject":[`, `"subject":[{"name":"x","digest":{"sha3_512":""}},`},
		{"subject without a name", "lacks a name or a digest", KindGrant, `"name":"refund-0042","digest"`, `"name":"","digest"`},
		{"kind of record with another's body", canonical, KindHalt, `evidence/halt/v1`, `evidence/signal/v1`},

		{"unknown effect", "effect \"modify\"", KindDecision, `"effect":"allow","cause"`, `"effect":"modify","cause"`},
		{"unknown status", "want one of", KindOutcome, `"status":"done"`, `"status":"ok"`},
		{"unknown status with a cause", "want one of", KindOutcome, `"status":"done","result":{"ok":true}`, `"status":"ok","cause":"c"`},
		{"unknown verdict", "verdict \"fine\"", KindSeal, `"verdict":"halted"`, `"verdict":"fine"`},
		{"attestation without a run", "names no decision, step or run", KindAttestation, `"run":"7f0c8b52-5a53-4a37-9d83-2f6a3f1e9c11"`, `"run":""`},
		{"attestation of attempt 0", "both count from 1", KindAttestation, `"attempt":1`, `"attempt":0`},
		{"attestation with counter 0", "both count from 1", KindAttestation, `"counter":1`, `"counter":0`},
		{"attestation without a nonce", "want 32 lower-case hexadecimal digits", KindAttestation, `"nonce":"00`, `"nonce":"`},
		{"done without a result", "a result comes with done", KindOutcome, `,"result":{"ok":true}`, ``},
		{"failed with a result", "a result comes with done", KindOutcome, `"status":"done"`, `"status":"failed","cause":"c"`},
		{"done with a cause", "a cause comes with every status but done", KindOutcome, `"status":"done"`, `"status":"done","cause":"c"`},
		{"failed without a cause", "a cause comes with every status but done", KindOutcome, `"status":"done","result":{"ok":true}`, `"status":"failed"`},
	}
	var vs []vector
	for _, r := range rows {
		d := evidencetest.New(t)
		rewritten(r.kind, func(b []byte) []byte { return replaceFirst(t, b, r.from, r.to) })(d)
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: encode(t, d.Proof())})
	}
	vs = append(vs, badResolutions(t)...)
	vs = append(vs, badWords(t)...)
	return append(vs, append(badRequests(t), cutStatements(t)...)...)
}

// cutStatements are statements in which a whole list is gone, or more follows.
func cutStatements(t *testing.T) []vector {
	rows := []struct {
		name, finding string
		kind          Kind
		match, to     string
	}{
		{"statement with trailing bytes", "bytes after the value", KindGrant, `$`, `{}`},
		{"no subject", "0 subjects", KindGrant, `"subject":\[.*?\]`, `"subject":[]`},
		{"null for the subject", "0 subjects", KindGrant, `"subject":\[.*?\]`, `"subject":null`},
		{"null for the predicate", "differs from the canonical form", KindGrant, `"predicate":.*`, `"predicate":null}`},
		{"request without steps", "0 steps", KindRequest, `"steps":.*`, `"steps":[]}}`},
		{"null for the steps", "0 steps", KindRequest, `"steps":.*`, `"steps":null}}`},
	}
	var vs []vector
	for _, r := range rows {
		cut := func(b []byte) []byte { return regexp.MustCompile(r.match).ReplaceAllLiteral(b, []byte(r.to)) }
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: encode(t, built(t, rewritten(r.kind, cut)))})
	}
	return vs
}

// badRequests are requests that their principal should never have signed.
func badRequests(t *testing.T) []vector {
	rows := []struct {
		name, finding, from, to string
	}{
		{"request with a bad id", "want 1 to 200 letters", `"id":"refund-0042"`, `"id":"../x"`},
		{"request for no audience", "no audience", `"audience":"interlock.test"`, `"audience":""`},
		{"request of no principal", "no principal", `"principal":"alice"`, `"principal":""`},
		{"request without a purpose", "no purpose", `"purpose":"refund order o-1, see ticket 42"`, `"purpose":""`},
		{"request without a policy", "no policy", `"policy":"refunds"`, `"policy":""`},
		{"request that has expired", "is not after issued", `"expires":"2026-01-31T10:30`, `"expires":"2026-01-31T09:30`},
		{"request without a nonce", "nonce", `000102030405060708090a0b0c0d0e0f`, ``},
		{"request with a step twice", "is used twice", `"id":"refund"`, `"id":"lookup"`},
		{"request with a bad step id", "steps[0]", `"id":"lookup"`, `"id":""`},
		{"request with a bad action", "want a name such as", `orders.read`, `orders..read`},
		{"request that needs itself", "which is not an earlier step", `["lookup"]`, `["refund"]`},
		{"request that needs a later step", "which is not an earlier step", `["lookup"]`, `["notify"]`},
	}
	var vs []vector
	for _, r := range rows {
		d := evidencetest.New(t)
		rewritten(KindRequest, func(b []byte) []byte { return replace(t, b, r.from, r.to) })(d)
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: encode(t, d.Proof())})
	}
	return vs
}
