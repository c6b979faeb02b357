// Package defence names the defences that attack tests switch off, one at a
// time, to show that each of them is what stops an attack.
//
// In an ordinary build every defence stands: [Enforcing] is a constant,
// [Stands] is always true, and the compiler leaves out what would happen
// otherwise. Only a test binary built with the tag undefended can lower one;
// a worker of any other program built with that tag refuses to start.
//
// Where a defence stands guard in the code, one line asks for it:
//
//	if defence.Stands(defence.DecisionBinding) && d.Binding != here {
//		return refuse(…)
//	}
//
// With the defence down, that line does what somebody would have written who
// did not think of the attack.
package defence

// A Name is one defence. Each is switched in the code at the check itself,
// and has an attack that succeeds without it; TestEachHasAnAttack sees to
// that. The rows are those of SECURITY.md.
type Name string

// The defences of the guard, in front of every effect.
const (
	// DecisionSignature: a decision counts only if an authority signed it that
	// is trusted now (T8, T10, T25).
	DecisionSignature Name = "decision-signature"
	// DecisionAllows: a signed decision must be one that allows a step (T8).
	DecisionAllows Name = "decision-allows"
	// DecisionBinding: a decision counts only in the namespace, workflow, run,
	// epoch and queue that it names, and not as a local activity (T1, T12, T25).
	DecisionBinding Name = "decision-binding"
	// DecisionArgs: what runs has exactly the decided arguments (T10).
	DecisionArgs Name = "decision-args"
	// KnownRun: a slot can be taken only in a run that the store has a chain
	// of (T1, T8, T12).
	KnownRun Name = "known-run"
	// SlotOnce: the slot of a step is taken once, for all attempts (T1, T18).
	SlotOnce Name = "slot-once"
	// AttemptsCounted: whether a step was tried before is the slot's word, and
	// not Temporal's (T18).
	AttemptsCounted Name = "attempts-counted"
	// SlotBeforeEffect: the slot is on disk before the effect begins (T19).
	SlotBeforeEffect Name = "slot-before-effect"
	// SlotAfterSignature: nobody takes a slot with a decision that was not
	// verified (T1).
	SlotAfterSignature Name = "slot-after-signature"
	// StoreAway: without an answer of the store there is no effect (T1, T22).
	StoreAway Name = "store-away"
	// LeaseLive: a step begins, and goes on, only under a live lease (T17).
	LeaseLive Name = "lease-live"
	// Clock: a process whose clock is behind the largest time in the store, or
	// behind the decision's, does not act (T20).
	Clock Name = "clock"
	// GuardObeys: a step does not begin, and does not go on, that an order in
	// the store stops, whatever the workflow was told (T11, T27).
	GuardObeys Name = "guard-obeys"
	// ExactBytes: what the executor is about to send is what was decided (T15).
	ExactBytes Name = "exact-bytes"
)

// The defences of the control plane.
const (
	// OnlyLocal: the activities that hold the authority's key are called by
	// the control plane's own workflow code only (T10).
	OnlyLocal Name = "only-local"
	// NonceOnce: a request becomes an execution once (T1, T12).
	NonceOnce Name = "nonce-once"
	// ChainOfRun: the chain that a decision goes on with is the one of exactly
	// this run, and passes through the workflow's head (T12).
	ChainOfRun Name = "chain-of-run"
	// OutcomeSignature: an outcome counts only if its worker signed it (T9).
	OutcomeSignature Name = "outcome-signature"
	// MessageSignature: an approval or an order counts only if somebody signed
	// it who is trusted now (T11).
	MessageSignature Name = "message-signature"
	// OrdersObeyed: the control plane stops what an order in force is about
	// (T11, T27).
	OrdersObeyed Name = "orders-obeyed"
	// SealFence: before the seal, the recorder takes the slots of all steps
	// that have not begun (T10).
	SealFence Name = "seal-fence"
	// CompromisedHalts: an execution that a compromised key signed a part of
	// does not go on, and its running steps end (T27).
	CompromisedHalts Name = "compromised-halts"
	// RollCall: leases are renewed only while every step worker attests, in
	// order, and answers a nonce that is not old (T17).
	RollCall Name = "roll-call"
)

// The defences of every process.
const (
	// TrustRemembered: a process does not start on an older trust root than the
	// evidence store has seen, nor on one that does not follow it (T27).
	TrustRemembered Name = "trust-remembered"
	// RolesApart: a process that can read the key of another role does not
	// start (T23).
	RolesApart Name = "roles-apart"
)
