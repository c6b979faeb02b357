package store

import "github.com/interlock-run/interlock/evidence"

// A Run identifies one run of one workflow. It stands for its chain: where one
// run continues another ([Store.Continue]), all methods that take a Run answer
// the same for both, except that only the newest may write.
type Run struct {
	Namespace string
	Workflow  string
	Run       string
}

// String returns r for people and error texts. It identifies nothing.
func (r Run) String() string { return r.Namespace + "/" + r.Workflow + "/" + r.Run }

// A Record is one link of a stored chain.
type Record struct {
	Seq      uint64 // how many records come before it
	Link     evidence.Digest
	Envelope evidence.Envelope
}

// A Nonce is a principal's promise to ask once. Principal and Value together
// are never used twice, in any namespace.
type Nonce struct {
	Principal string
	Value     string
	Expires   evidence.Time // kept for people; the store judges nothing by the time
}

// A Slot is the right to cause one effect. It is taken once for (chain, step)
// and never given back.
type Slot struct {
	Run      Run
	Step     string
	Decision evidence.Digest // record digest of the decision that allowed it
	// Place is where the chain has that decision, as the decision itself says.
	// Only [Store.Take] reads it; it is not kept, and 0 in what the store returns.
	Place   evidence.Position
	Key     string // idempotency key of every attempt
	Worker  string // name of the worker that took it
	At      evidence.Time
	Outcome *evidence.Envelope // nil: not known, or not known yet

	// Orders is how many records the chain of [Orders] had when the taker
	// looked. Only [Store.Take] reads it; it is not kept, and 0 in what the
	// store returns.
	Orders uint64
}
