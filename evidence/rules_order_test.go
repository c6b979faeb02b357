package evidence_test

import (
	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

func scope(kind ScopeKind, value string) func(*Order) {
	return func(o *Order) { o.Scope = Scope{Kind: kind, Value: value} }
}

// wrongOrders are orders that did not stop the execution, and what may not
// follow those that did.
func wrongOrders() []wrongChain {
	on := func(name, finding string, edit func(*Order)) wrongChain {
		return wrongChain{name, "order: " + finding, play(open, order(edit), halt(), seal())}
	}
	const stops, tripped = "it does not stop this execution", "a check failed, but there is no halt"
	return []wrongChain{
		{"order before the grant", "order: there is no grant", play(request(), order(), grant(), seal())},
		{"order after a denial", "order: there is no grant", play(request(), refuse(), order(), seal())},
		{"order after a halt", "order: it comes after the halt", play(open, halt(), order(), seal())},
		{"order twice", "an order has stopped the execution before", play(open, order(), order(), halt(), seal())},
		{"order after a handover", "no other has taken over", play(open, handover(), order(), halt(), seal())},
		on("order about another execution", stops+": it is to stop execution refund-0043", scope(ScopeExecution, "refund-0043")),
		on("order about another principal", stops, scope(ScopePrincipal, evidencetest.Bob)),
		on("order about another policy", stops, scope(ScopePolicy, "payouts")),
		on("order about an action not planned", stops, scope(ScopeAction, "orders.cancel")),
		on("order about an action that has ended", stops, scope(ScopeAction, "orders.read")),
		on("order about a key that signed nothing", stops, scope(ScopeKey, evidencetest.Signer(carol).KeyID())),
		on("order that restores", stops+": it is to restore", func(o *Order) { o.Does, o.Undoes = Restore, another }),
		{"order under another scope", "its subject is not its scope", play(open, func(d *desk) {
			d.RewriteNext(func(b []byte) []byte {
				return replace(d.TB(), b, `"subject":[{"name":"order: execution refund-0042"`, `"subject":[{"name":"order: execution refund-0043"`)
			})
		}, order(), halt(), seal())},

		{"allowed after an order", "is allowed although an order stopped it", play(open, order(), allow(refund), halt(), seal())},
		{"waits after an order", "waits although an order stopped it", play(open, order(), stepUp(refund), halt(), seal())},
		{"handover after an order", "nothing is left to hand over: an order stopped it", play(open, order(), handover(), takeover(), seal())},
		{"no halt after an order", tripped, play(open, order(), seal())},
		{"no halt after an order that nothing ran under", tripped, play(open, order(scope(ScopeAll, "")), deny(refund), seal())},
		{"completed although an order stopped it", "its verdict is", play(open, step(refund), step(notify), order(), halt(), seal(func(s *Seal) {
			s.Verdict, s.Cause = Completed, CauseCompleted
		}))},
	}
}

func wrongRejections() []wrongChain {
	on := func(name, finding string, edit func(*Rejection)) wrongChain {
		return wrongChain{name, "rejection: " + finding, play(open, rejection(edit), seal())}
	}
	const cause = "it has no cause or names no message, or is older"
	return []wrongChain{
		{"rejection without a grant", "rejection: there is no grant", play(request(), refuse(), rejection(), seal())},
		on("rejection under another grant", "it names another grant", func(r *Rejection) { r.Grant = another }),
		on("rejection in another run", "it is bound to another run", func(r *Rejection) { r.Binding.Run = "r" }),
		on("rejection without a cause", cause, func(r *Rejection) { r.Cause = "" }),
		on("rejection of no message", cause, func(r *Rejection) { r.Message = Digest{} }),
		on("rejection older than the grant", cause, func(r *Rejection) { r.At = evidencetest.Start }),
		{"rejection after a halt", "it comes after the halt", play(open, halt(), rejection(), seal())},
		{"rejection after a handover", "no other has taken over", play(open, handover(), rejection(), seal())},
		{"decision older than a rejection", "it has no cause, or is older", play(open, rejection(), allow(refund, func(d *Decision) { d.At -= 15 }), seal())},
	}
}
