package evidence_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// given signs an order and opens it.
func given(t *testing.T, o *Order) *Record {
	t.Helper()
	e, err := evidencetest.Signer(evidencetest.Revoker).SignOrder(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := evidencetest.Trust().Open(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stops(t *testing.T, at Time, s Scope) *Record {
	return given(t, evidencetest.NewOrder(evidencetest.Start+at, s))
}

func restores(t *testing.T, at Time, s Scope, undoes Digest) *Record {
	return given(t, evidencetest.NewOrder(evidencetest.Start+at, s, func(o *Order) { o.Does, o.Undoes = Restore, undoes }))
}

func TestOrders(t *testing.T) {
	ann, all := Scope{Kind: ScopePrincipal, Value: "ann"}, Scope{Kind: ScopeAll}
	first, second, third := stops(t, 1, ann), stops(t, 2, ann), stops(t, 3, all)
	undone := restores(t, 4, ann, first.Digest)
	moved := *first
	moved.Subject.Execution = "order: all"
	seal := built(t, play(refuse(), seal())).Records[1]
	notAnOrder, err := evidencetest.Trust().Open(seal)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		records []*Record
		want    string // why the last is refused; "" if it is not
		stops   []*Record
	}{
		{"none", nil, "", nil},
		{"one", []*Record{first}, "", []*Record{first}},
		{"two of one scope", []*Record{first, second}, "", []*Record{first, second}},
		{"one undone", []*Record{first, third, undone}, "", []*Record{third}},
		{"one of one scope undone", []*Record{first, second, undone}, "", []*Record{second}},
		{"undone and given again", []*Record{first, undone, second}, "", []*Record{second}},
		{"the middle one undone", []*Record{second, first, third, undone}, "", []*Record{second, third}},
		{"no order", []*Record{first, notAnOrder}, "a seal is none", []*Record{first}},
		{"subject is not the scope", []*Record{third, &moved}, "its subject is not its scope", []*Record{third}},
		{"twice", []*Record{first, first}, "it was given before", []*Record{first}},
		{"twice, undone between", []*Record{first, undone, first}, "it was given before", nil},
		{"undone twice", []*Record{first, undone, undone}, "it was given before", nil},
		{"undone by two", []*Record{first, undone, restores(t, 5, ann, first.Digest)}, "is in force", nil},
		{"undone before it was given", []*Record{undone}, "is in force", nil},
		{"undone under another scope", []*Record{first, restores(t, 5, all, first.Digest)}, "it is about all, the order that it undoes about principal ann", []*Record{first}},
		{"undoing what undid", []*Record{first, undone, restores(t, 5, ann, undone.Digest)}, "is in force", nil},
	}
	for _, tt := range tests {
		var o Orders
		for i, r := range tt.records {
			err, last := o.Add(r), i == len(tt.records)-1
			switch {
			case !last && err != nil:
				t.Errorf("%s: order %d: %v", tt.name, i, err)
			case last && tt.want == "" && err != nil:
				t.Errorf("%s: %v", tt.name, err)
			case last && tt.want != "" && (!errors.Is(err, ErrOrder) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
			if last && err == nil && !o.Has(r.Digest) {
				t.Errorf("%s: it does not have the last", tt.name)
			}
		}
		if !slices.Equal(o.Stops(), tt.stops) || o.Has(Digest{}) || o.Has(another) {
			t.Errorf("%s: %d in force, want %d", tt.name, len(o.Stops()), len(tt.stops))
		}
	}
}

// TestOrdersUnknown: what an order does that nobody knows, it stops.
func TestOrdersUnknown(t *testing.T) {
	o := evidencetest.NewOrder(1, Scope{Kind: ScopeAll}, func(o *Order) { o.Does = "pause" })
	var all Orders
	if err := all.Add(&Record{Subject: o.Subject(), Predicate: o}); err != nil || len(all.Stops()) != 1 {
		t.Errorf("%v, %d in force", err, len(all.Stops()))
	}
}

// TestOrdersStopsStay: what Stops returned is not changed by later orders.
func TestOrdersStopsStay(t *testing.T) {
	var o Orders
	first, second, third := stops(t, 1, Scope{Kind: ScopeAll}), stops(t, 2, Scope{Kind: ScopeAll}), stops(t, 3, Scope{Kind: ScopeAll})
	add := func(r *Record) {
		t.Helper()
		if err := o.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	add(first)
	add(second)
	before := o.Stops()
	add(restores(t, 4, Scope{Kind: ScopeAll}, first.Digest))
	add(third)
	if !slices.Equal(before, []*Record{first, second}) || !slices.Equal(o.Stops(), []*Record{second, third}) {
		t.Error("a later order changed what Stops had returned")
	}
	_ = append(before, third)
	if !slices.Equal(o.Stops(), []*Record{second, third}) {
		t.Error("appending to what Stops returned changed the orders")
	}
}

// TestLineageConcerns asks of one execution which orders are about it.
func TestLineageConcerns(t *testing.T) {
	id := func(name string) string { return evidencetest.Signer(name).KeyID() }
	running := play(open, allow(refund))
	tests := []struct {
		name  string
		build func(*desk)
		scope Scope
		want  bool
	}{
		{"this execution", running, Scope{ScopeExecution, "refund-0042"}, true},
		{"this execution, denied", play(refuse()), Scope{ScopeExecution, "refund-0042"}, true},
		{"another execution", running, Scope{ScopeExecution, "refund-004"}, false},
		{"no execution", running, Scope{ScopeExecution, ""}, false},
		{"its principal", running, Scope{ScopePrincipal, evidencetest.Alice}, true},
		{"its principal, before the grant", play(request()), Scope{ScopePrincipal, evidencetest.Alice}, true},
		{"another principal", running, Scope{ScopePrincipal, evidencetest.Bob}, false},
		{"a principal, without a request", play(refuse()), Scope{ScopePrincipal, evidencetest.Alice}, false},
		{"its policy", running, Scope{ScopePolicy, "refunds"}, true},
		{"another policy", running, Scope{ScopePolicy, "Refunds"}, false},
		{"a policy, without a request", play(refuse()), Scope{ScopePolicy, "refunds"}, false},
		{"an action that runs", running, Scope{ScopeAction, "orders.refund"}, true},
		{"an action to come", running, Scope{ScopeAction, "mail.send"}, true},
		{"an action that waits", play(open, stepUp(refund)), Scope{ScopeAction, "orders.refund"}, true},
		{"an action that has ended", running, Scope{ScopeAction, "orders.read"}, false},
		{"an action that is not planned", running, Scope{ScopeAction, "orders.cancel"}, false},
		{"the key of the principal", play(request()), Scope{ScopeKey, id(evidencetest.Alice)}, true},
		{"the key of the authority", running, Scope{ScopeKey, id(evidencetest.Authority)}, true},
		{"the key of the worker", running, Scope{ScopeKey, id(evidencetest.Worker)}, true},
		{"the key of a worker that did nothing", running, Scope{ScopeKey, id(evidencetest.OtherWorker)}, false},
		{"all", running, Scope{ScopeAll, ""}, true},
		{"all, before the request", play(), Scope{ScopeAll, ""}, true},
		{"what nobody knows", running, Scope{"region", "north"}, true},
		{"nothing", running, Scope{}, true},
	}
	for _, tt := range tests {
		l := lineage(t, tt.build)
		if got := l.Concerns(&Order{Does: Stop, Scope: tt.scope}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if l.Concerns(&Order{Does: Restore, Scope: tt.scope}) {
			t.Errorf("%s: restored, and stops", tt.name)
		}
		if got := l.Concerns(&Order{Does: "pause", Scope: tt.scope}); got != tt.want {
			t.Errorf("%s: an unknown order: %v", tt.name, got)
		}
	}
	l := lineage(t, running)
	if !l.Signed(id(evidencetest.Alice)) || l.Signed(id(carol)) || l.Ordered() != nil {
		t.Error("signed by others than those who signed")
	}
	if l := lineage(t, play(open, allow(refund, knows(3)), order())); l.Ordered() == nil || l.Orders() != 3 {
		t.Errorf("ordered %v, %d orders", l.Ordered(), l.Orders())
	}
}

// TestConcernsHolder: an order about a person is about all her keys.
func TestConcernsHolder(t *testing.T) {
	keys := evidencetest.Keys()
	keys[0].Person = "Alice Liddell"
	trust, err := NewTrust(evidencetest.Domain, keys)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trust.Open(built(t, play(request())).Records[0])
	if err != nil {
		t.Fatal(err)
	}
	var l Lineage
	if err := l.Add(r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"Alice Liddell": true, evidencetest.Alice: true, evidencetest.Bob: false} {
		if l.Concerns(&Order{Does: Stop, Scope: Scope{ScopePrincipal, name}}) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestSignOrderRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Order){
		"no time":      func(o *Order) { o.At = 0 },
		"no word":      func(o *Order) { o.Does = "" },
		"no scope":     func(o *Order) { o.Scope = Scope{} },
		"no reason":    func(o *Order) { o.Reason = "" },
		"after 9999":   func(o *Order) { o.At = 1 << 60 },
		"not in UTF-8": func(o *Order) { o.Reason = "\xff" },
	} {
		o := evidencetest.NewOrder(1, Scope{Kind: ScopeAll}, spoil)
		if _, err := evidencetest.Signer(evidencetest.Revoker).SignOrder(o); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}
