package evidence

import "encoding/json"

// Facts is exactly what rules see, and all that they see: no clock, no
// network, no randomness. The same facts give the same [Ruling] for ever.
// Facts are read only once they are handed to policy.
type Facts struct {
	Phase   Phase
	Now     Time
	Request *Request
	Step    *Step   // in phase step only
	Lineage []Past  // what this execution did so far; phases step and integrity
	Probes  []Probe // phase integrity only

	// Said is what people have said of the step, and Requester who asked for
	// the execution; phase step only. No rule reads them: they say whether
	// what a rule asks for is there.
	Said      Approvals
	Requester string
}

// A Past is one step that this execution has already ended.
type Past struct {
	Step   string
	Action string
	Args   json.RawMessage
	Status Status
	Result json.RawMessage // empty unless done
	At     Time
}

// A Ruling is what policy says about [Facts]. The zero Ruling denies.
type Ruling struct {
	Effect Effect
	Rules  []RuleResult // every rule that matched or could not be evaluated, in the bundle's order
	Cause  string       // stable code, such as "policy.allow"; package policy lists them
	Reason string       // one sentence for people
}
