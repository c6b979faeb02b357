package contract

import "github.com/interlock-run/interlock/evidence"

const (
	// ResolveWorkflow is the wire name of the workflow that records what a
	// person found out about an unresolved step. It takes one
	// [evidence.Envelope], the signed resolution, and returns a [Resolved]. Its
	// workflow id must be the resolution's [ResolveID]. It does not need the
	// workflow of the execution, only its records in the store.
	ResolveWorkflow = "ResolveStep"
	// Resolve is the name of its activity.
	Resolve = "Resolve"
)

// ResolveID returns the workflow id under which a step of a run is resolved.
// There is one for each, so that two people cannot resolve it side by side.
func ResolveID(run, step string) string { return "interlock-resolve:" + run + "/" + step }

// CheckResolved is the check of a [Cause] that says that a step was resolved
// before. The [Resolved] of that follows in the details of the error.
const CheckResolved = "resolution.again"

// A Resolved is a resolution that is in the store. Only Resolution can be
// believed, and only after its signature was checked.
type Resolved struct {
	Execution  string            `json:"execution"`
	Run        string            `json:"run"`
	Step       string            `json:"step"`
	Seq        uint64            `json:"seq"`  // its place in the chain
	Link       evidence.Digest   `json:"link"` // its link
	Open       []string          `json:"open"` // unresolved steps that nobody has resolved
	Resolution evidence.Envelope `json:"resolution"`
}
