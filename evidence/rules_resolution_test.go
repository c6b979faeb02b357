package evidence_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// broken is an execution in which nobody knows how the refund ended, up to
// its seal; twoLost one in which that is so of the mail, too.
var (
	broken  = play(open, allow(refund), ended(refund, StatusUnknown))
	twoLost = play(request(func(r *Request) { r.Steps[2].Needs = nil }), grant(), step(lookup),
		allow(refund), allow(notify), ended(refund, StatusUnknown), lost(notify))
)

func notHappened(r *Resolution) { r.Found, r.Note = NotHappened, "the bank knows of no refund" }

func wrongResolutions() []wrongChain {
	on := func(name, finding string, edit func(*Resolution)) wrongChain {
		return wrongChain{name, finding, play(broken, seal(), resolve(refund, edit))}
	}
	const other, known = "it names another request or grant", "is not one that the seal left unresolved"
	return []wrongChain{
		{"resolution before the seal", "resolution: there is no seal yet", play(broken, resolve(refund), seal())},
		{"resolution of a completed execution", "the execution is completed, so there is nothing to resolve",
			play(open, step(refund), step(notify), seal(), resolve(refund))},
		{"resolution of a halted execution", "the execution is halted, so there is nothing to resolve",
			play(open, allow(refund), ended(refund, StatusFailed), halt(), seal(), resolve(refund))},
		{"resolution of a denied request", "the execution is denied, so there is nothing to resolve", play(refuse(), seal(), resolve(refund))},
		on("resolution of another seal", "it names another seal", func(r *Resolution) { r.Seal = another }),
		on("resolution of no seal", "it names another seal", func(r *Resolution) { r.Seal = Digest{} }),
		on("resolution of another request", other, func(r *Resolution) { r.Request = another }),
		on("resolution of another grant", other, func(r *Resolution) { r.Grant = another }),
		on("resolution of another run", "it is bound to another run", func(r *Resolution) { r.Binding.Run = "r" }),
		on("resolution of another epoch", "it is bound to another run", func(r *Resolution) { r.Binding.Epoch++ }),
		on("resolution of no step", known, func(r *Resolution) { r.Step = "" }),
		on("resolution of a step not planned", known, func(r *Resolution) { r.Step = "x" }),
		on("resolution of a step that is done", known, func(r *Resolution) { r.Step = lookup }),
		on("resolution of a step that never began", known, func(r *Resolution) { r.Step = notify }),
		on("resolution of another decision", "it names another decision", func(r *Resolution) { r.Decision = another }),
		{"resolution of another step's decision", "it names another decision", play(twoLost, seal(), func(d *desk) {
			d.Resolve(refund)
			first, err := d.Records()[len(d.Records())-1].Decode()
			if err != nil {
				d.TB().Fatal(err)
			}
			d.Resolve(notify, func(r *Resolution) { r.Decision = first.Predicate.(*Resolution).Decision })
		})},
		{"resolution twice", `step "refund" was resolved before`, play(broken, seal(), resolve(refund), resolve(refund))},
		{"resolution that contradicts another", `step "refund" was resolved before`, play(twoLost, seal(), resolve(refund), resolve(notify), resolve(refund, notHappened))},
		on("resolution older than the seal", "it is older than the seal", func(r *Resolution) { r.At = evidencetest.Start + 1 }),
	}
}

// badResolutions are resolutions that no operator should ever have signed.
func badResolutions(t *testing.T) []vector {
	note := "the bank's statement of 2 February shows the refund"
	rows := []struct{ name, finding, from, to string }{
		{"resolution that found nothing", `found ""`, `"found":"happened"`, `"found":""`},
		{"resolution that found something unknown", `found "perhaps"`, `"found":"happened"`, `"found":"perhaps"`},
		{"resolution in another case", `found "Happened"`, `"found":"happened"`, `"found":"Happened"`},
		{"resolution without a note", "say how it was found out", note, ""},
		{"resolution with a note of spaces", "say how it was found out", note, "   "},
		{"resolution with a note of two lines", "write one line of text", note, `a\nb`},
		{"resolution with a note that moves the cursor", "write one line of text", note, "a\u009bb"},
		{"resolution with a note too long", "say how it was found out", note, strings.Repeat("é", MaxNote/2) + "x"},
		{"resolution without a time", "the statement has no time", `"at":"2026-01-31T09:30:00.090Z"`, `"at":""`},
		{"resolution without a member", "differs from the canonical form", `"operator":"olga",`, ``},
		{"resolution with an unknown member", "differs from the canonical form", `"operator":"olga",`, `"operator":"olga","result":{},`},
	}
	var vs []vector
	for _, r := range rows {
		proof := built(t, play(broken, seal(), func(d *desk) {
			d.RewriteNext(func(b []byte) []byte { return replace(t, b, r.from, r.to) })
			d.Resolve(refund)
		}))
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: encode(t, proof)})
	}
	return vs
}

// resolvedBy returns a proof whose resolution was signed with the key of that
// name.
func resolvedBy(t *testing.T, name string) func() *Proof {
	return func() *Proof {
		return built(t, play(broken, seal(), func(d *desk) { d.SignNextWith(name) }, resolve(refund)))
	}
}

// TestResolutionIsNoVerdict: what is found out afterwards stands beside the
// verdict, and changes neither that nor the head.
func TestResolutionIsNoVerdict(t *testing.T) {
	before := Verify(evidencetest.Trust(), built(t, play(twoLost, seal())))
	if err := before.Err(); err != nil || !slices.Equal(before.Open, []string{refund, notify}) || len(before.Resolved) != 0 {
		t.Fatalf("%v, open %q, resolved %v", err, before.Open, before.Resolved)
	}
	one := Verify(evidencetest.Trust(), built(t, play(twoLost, seal(), resolve(notify, notHappened))))
	if err := one.Err(); err != nil || !slices.Equal(one.Open, []string{refund}) {
		t.Fatalf("%v, open %q", err, one.Open)
	}
	p := built(t, play(twoLost, seal(), resolve(notify, notHappened), resolve(refund)))
	all := Verify(evidencetest.Trust(), p)
	if err := all.Err(); err != nil || len(all.Open) != 0 || len(p.Records) != all.Records+2 {
		t.Fatalf("%v, open %q, %d records", err, all.Open, all.Records)
	}
	if got := all.Resolved[0]; got.Step != notify || got.Found != NotHappened || got.Operator != evidencetest.Operator || got.Note == "" || got.At <= all.Sealed {
		t.Errorf("resolved: %+v", got)
	}
	for _, r := range []*Report{one, all} {
		r.Open, r.Resolved = before.Open, before.Resolved
		if !reflect.DeepEqual(r, before) {
			t.Errorf("%+v, before the resolution %+v", r, before)
		}
	}
}

// TestResolutionsCanBeLeftOut states what a proof cannot show: that there is
// no resolution. What is left is the truth, if not all of it.
func TestResolutionsCanBeLeftOut(t *testing.T) {
	p := built(t, play(twoLost, seal(), resolve(notify), resolve(refund)))
	n := len(p.Records)
	for name, records := range map[string][]Envelope{
		"the last": p.Records[:n-1], "the first": slices.Delete(slices.Clone(p.Records), n-2, n-1), "both": p.Records[:n-2], "swapped": swapped(p.Records, n-2, n-1),
	} {
		r := Verify(evidencetest.Trust(), &Proof{Records: records})
		if r.Err() != nil || r.Verdict != Unresolved || len(r.Open)+len(r.Resolved) != 2 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestLineageResolve(t *testing.T) {
	l := lineage(t, play(twoLost, seal(), resolve(refund)))
	if l.Resolution(refund) == nil || l.Resolution(notify) != nil || l.Resolution("x") != nil || !slices.Equal(l.Open(), []string{notify}) {
		t.Errorf("open %q, %+v", l.Open(), l.Resolution(refund))
	}
	r, err := l.Resolve(notify)
	if err != nil {
		t.Fatal(err)
	}
	r.Operator, r.Found, r.Note = evidencetest.OtherOperator, NotHappened, "the mail server has no such mail"
	e, err := evidencetest.Signer(evidencetest.OtherOperator).Sign(l.Subject(), r)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := evidencetest.Trust().Open(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Add(rec); err != nil || len(l.Open()) != 0 {
		t.Errorf("what Resolve returns cannot be added: %v, open %q", err, l.Open())
	}
	for _, tt := range []struct {
		build      func(*desk)
		step, want string
	}{
		{play(), refund, "not sealed yet"},
		{broken, refund, "not sealed yet"},
		{play(open, seal()), refund, "nothing to resolve"},
		{play(broken, seal()), lookup, "is not one that the seal left unresolved"},
		{play(broken, seal()), "x", "is not one that the seal left unresolved"},
		{play(broken, seal(), resolve(refund)), refund, "was resolved before"},
	} {
		l := lineage(t, tt.build)
		_, err := l.Resolve(tt.step)
		checkRefusal(t, err, tt.want)
	}
	if l := lineage(t, broken); len(l.Open()) != 0 {
		t.Errorf("open without a seal: %q", l.Open())
	}
}
