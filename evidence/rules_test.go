package evidence_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// A wrongChain is signed by the right keys and linked without a gap, and yet
// no governed execution could have it. The rows are the test of each rule of
// [Lineage.Add], and vectors of their own: what the control plane refuses to
// add, the verifier refuses to believe.
type wrongChain struct {
	name    string
	finding string // of the first record that breaks a rule
	build   func(d *evidencetest.Desk)
}

type desk = evidencetest.Desk

// play strings together what a row does.
func play(steps ...func(*desk)) func(*desk) {
	return func(d *desk) {
		for _, step := range steps {
			step(d)
		}
	}
}

func request(edits ...func(*Request)) func(*desk) { return func(d *desk) { d.Request(edits...) } }
func grant(edits ...func(*Grant)) func(*desk)     { return func(d *desk) { d.Grant(edits...) } }
func refuse(edits ...func(*Decision)) func(*desk) { return func(d *desk) { d.Refuse(edits...) } }
func signal(edits ...func(*Signal)) func(*desk)   { return func(d *desk) { d.Signal(edits...) } }
func halt(edits ...func(*Halt)) func(*desk)       { return func(d *desk) { d.Halt(edits...) } }
func handover(edits ...func(*Handover)) func(*desk) {
	return func(d *desk) { d.Handover(edits...) }
}
func takeover(edits ...func(*Takeover)) func(*desk) {
	return func(d *desk) { d.Takeover(edits...) }
}
func stepUp(id string, edits ...func(*Decision)) func(*desk) {
	return func(d *desk) { d.StepUp(id, edits...) }
}
func later(id string, edits ...func(*Decision)) func(*desk) {
	return func(d *desk) { d.Defer(id, edits...) }
}
func approve(id, name string, edits ...func(*Approval)) func(*desk) {
	return func(d *desk) { d.Approve(id, name, edits...) }
}
func refuseBy(id, name string, edits ...func(*Approval)) func(*desk) {
	return func(d *desk) { d.RefuseBy(id, name, edits...) }
}
func approved(id string, edits ...func(*Decision)) func(*desk) {
	return func(d *desk) { d.Approved(id, edits...) }
}
func order(edits ...func(*Order)) func(*desk) { return func(d *desk) { d.Order(edits...) } }
func rejection(edits ...func(*Rejection)) func(*desk) {
	return func(d *desk) { d.Rejection(edits...) }
}
func pass(by time.Duration) func(*desk) { return func(d *desk) { d.Pass(by) } }

func attestation(edits ...func(*Attestation)) func(*desk) {
	return func(d *desk) { d.Attestation(lookup, edits...) }
}
func seal(edits ...func(*Seal)) func(*desk) { return func(d *desk) { d.Seal(edits...) } }
func step(id string) func(*desk)            { return func(d *desk) { d.Step(id) } }
func lost(id string) func(*desk)            { return func(d *desk) { d.Lost(id) } }

func resolve(id string, edits ...func(*Resolution)) func(*desk) {
	return func(d *desk) { d.Resolve(id, edits...) }
}

func badSignal(edits ...func(*Signal)) func(*desk) {
	return func(d *desk) { d.BadSignal(edits...) }
}
func allow(id string, edits ...func(*Decision)) func(*desk) {
	return func(d *desk) { d.Allow(id, edits...) }
}
func deny(id string, edits ...func(*Decision)) func(*desk) {
	return func(d *desk) { d.Deny(id, edits...) }
}
func done(id string, edits ...func(*Outcome)) func(*desk) {
	return func(d *desk) { d.Done(id, edits...) }
}
func ended(id string, s Status, edits ...func(*Outcome)) func(*desk) {
	return func(d *desk) { d.Ended(id, s, edits...) }
}

const (
	lookup = evidencetest.Lookup
	refund = evidencetest.Refund
	notify = evidencetest.Notify

	carol = evidencetest.Carol
	dave  = evidencetest.Dave
	erin  = evidencetest.Erin
)

var (
	open    = play(request(), grant(), step(lookup))
	another = FileDigest([]byte("another"))
)

func wrongChains() []wrongChain {
	rows := append(wrongGrants(), wrongDecisions()...)
	rows = append(rows, wrongRefusals()...)
	rows = append(rows, wrongOutcomes()...)
	rows = append(rows, wrongSignals()...)
	rows = append(rows, wrongRuns()...)
	rows = append(rows, wrongWaits()...)
	rows = append(rows, wrongApprovals()...)
	rows = append(rows, wrongAllows()...)
	rows = append(rows, wrongOrders()...)
	rows = append(rows, wrongRejections()...)
	rows = append(rows, wrongEnds()...)
	return append(rows, wrongResolutions()...)
}

// TestLineageRefuses adds each chain to a lineage until a record is refused,
// and then holds the lineage to its word: it is as it was before.
func TestLineageRefuses(t *testing.T) {
	for _, tt := range append(wrongChains(), unsealed()...) {
		t.Run(tt.name, func(t *testing.T) {
			d := evidencetest.New(t)
			tt.build(d)
			var l, before Lineage
			for i, e := range d.Records() {
				r, err := evidencetest.Trust().Open(e)
				if err != nil {
					t.Fatal(err)
				}
				if err := l.Add(r); err != nil {
					checkRefusal(t, err, tt.finding)
					checkSame(t, &l, &before)
					return
				}
				if err := before.Add(r); err != nil {
					t.Fatalf("record %d: added once, but not twice: %v", i, err)
				}
			}
			t.Fatalf("all %d records were added, want %q", len(d.Records()), tt.finding)
		})
	}
}

func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, ErrUngoverned) {
		t.Errorf("%v is not ErrUngoverned", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("refused with %q, want %q", err, want)
	}
}

func checkSame(t *testing.T, got, want *Lineage) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the refused record left a trace: %+v, want %+v", got, want)
	}
}

// unsealed are the chains that break a rule, but that no proof can show: the
// chain alone gives them away.
func unsealed() []wrongChain {
	return []wrongChain{
		{"request not first", "a request comes first", play(refuse(), request())},
		{"two requests", "a request comes first", play(request(), request())},
		{"after the seal", "it comes after the seal", play(open, seal(), deny(refund))},
		{"approval after the seal", "it comes after the seal", play(open, stepUp(refund), seal(), approve(refund, carol))},
		{"order after the seal", "it comes after the seal", play(open, seal(), order())},
		{"rejection after the seal", "it comes after the seal", play(open, seal(), rejection())},
		{"order first", "order: there is no grant", func(d *desk) {
			other := evidencetest.New(d.TB())
			play(open, order())(other)
			d.Append(other.Records()[len(other.Records())-1])
		}},
		{"seal first", "there is neither a grant nor a denial", func(d *desk) {
			d.Request()
			d.Seal(func(p *Seal) { p.Request = another })
		}},
		{"another execution", "it is about another execution", func(d *desk) {
			d.Request()
			other := evidencetest.New(d.TB())
			other.Request(func(p *Request) { p.ID = "other" })
			other.Grant()
			d.Append(other.Records()[1])
		}},
		{"another execution's seal", "it is about another execution", func(d *desk) {
			d.Refuse()
			other := evidencetest.New(d.TB())
			other.Request()
			other.Seal()
			d.Append(other.Records()[1])
		}},
	}
}

func wrongGrants() []wrongChain {
	g := func(name, finding string, edit func(*Grant)) wrongChain {
		return wrongChain{name, "grant: " + finding, play(request(), grant(edit), seal())}
	}
	const unbound, pins, outlives, lease = "it is not bound to a run", "it pins no policy or no catalogue",
		"it outlives the request", "its lease is not the first, or too long"
	return []wrongChain{
		{"request subject is not its plan", "its subject is not its plan", wrongPlan},
		{"request subject is another id", "its subject is not its plan", wrongID},
		{"grant without a request", "a grant comes right after the request", play(refuse(), grant(), seal())},
		{"grant after a denial", "a grant comes right after the request", play(request(), refuse(), grant(), seal())},
		{"two grants", "a grant comes right after the request", play(request(), grant(), grant(), seal())},
		g("grant of another request", "it grants another request", func(g *Grant) { g.Request = another }),
		g("grant for another principal", "its principal or policy", func(g *Grant) { g.Principal = evidencetest.Bob }),
		g("grant under another policy", "its principal or policy", func(g *Grant) { g.Policy.Name = "lax" }),
		g("grant for another workflow", unbound, func(g *Grant) { g.Binding.Workflow = "w" }),
		g("grant for no run", unbound, func(g *Grant) { g.Binding.Run = "" }),
		g("grant for no namespace", unbound, func(g *Grant) { g.Binding.Namespace = "" }),
		g("grant for no queue", unbound, func(g *Grant) { g.Binding.Queue = "" }),
		g("grant without a policy digest", pins, func(g *Grant) { g.Policy.Digest = Digest{} }),
		g("grant without a policy version", pins, func(g *Grant) { g.Policy.Version = 0 }),
		g("grant without a catalogue", pins, func(g *Grant) { g.Catalogue = Digest{} }),
		g("grant after the request expired", outlives, func(g *Grant) {
			g.At = evidencetest.Start.Add(time.Hour)
			g.Expires = g.At
		}),
		g("grant outlives the request", outlives, func(g *Grant) { g.Expires++ }),
		g("grant that has expired", outlives, func(g *Grant) { g.Expires = g.At }),
		g("grant with no rules", "its rules do not allow", func(g *Grant) { g.Rules = nil }),
		g("grant against a rule", "its rules do not allow", func(g *Grant) {
			g.Rules = append([]RuleResult{{ID: "no", Effect: Deny}}, g.Rules...)
		}),
		g("grant with an unknown effect", "its rules do not allow", func(g *Grant) {
			g.Rules = append([]RuleResult{{ID: "hm", Effect: "Allow"}}, g.Rules...)
		}),
		g("grant with a rule that failed", "its rules do not allow", func(g *Grant) {
			g.Rules = append([]RuleResult{{ID: "oops", Effect: Allow, Error: "no such key"}}, g.Rules...)
		}),
		g("grant by a rule that asks people", "its rules do not allow", func(g *Grant) { g.Rules = asks(1, 60_000, carol) }),
		g("grant by a rule that allows and asks", "its rules do not allow", func(g *Grant) { g.Rules = asks(1, 60_000, carol); g.Rules[0].Effect = Allow }),
		g("grant with no probes", "a probe failed", func(g *Grant) { g.Probes = []Probe{} }),
		g("grant with a bad probe", "a probe failed", func(g *Grant) {
			g.Probes = append([]Probe{{Name: "clock", Status: ProbeUnanswered}}, g.Probes...)
		}),
		g("grant with another lease", lease, func(g *Grant) { g.Lease.Number = 2 }),
		g("grant with a lease too long", lease, func(g *Grant) { g.Lease.Until++ }),
		g("grant with a dead lease", lease, func(g *Grant) { g.Lease.Until = g.At }),
		g("grant with a lease of overflowing terms", lease, func(g *Grant) {
			g.Terms.LeaseMS = -9223372036855 // times a million wraps around to a positive number
			g.Lease.Until = g.At + 1
		}),
	}
}

// wrongPlan signs the subject of one plan with the steps of another.
func wrongPlan(d *desk) {
	d.RewriteNext(func(b []byte) []byte { return replace(d.TB(), b, `"cents":1250`, `"cents":9950`) })
	play(request(), grant(), seal())(d)
}

func wrongID(d *desk) {
	d.RewriteNext(func(b []byte) []byte {
		return replace(d.TB(), b, `"predicate":{"id":"refund-0043"`, `"predicate":{"id":"refund-0042"`)
	})
	play(request(func(r *Request) { r.ID = "refund-0043" }), grant(), seal())(d)
}
