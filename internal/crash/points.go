package crash

// A Process is where a point is passed.
type Process string

// The processes.
const (
	Control Process = "control" // the control plane
	Steps   Process = "steps"   // the step worker
	World   Process = "world"   // the outside world, which a harness plays
)

// The points of the outside world. They are passed by the harness.
const (
	WorldArrived = "world.arrived"
	WorldApplied = "world.applied"
)

// A Place is one point: its name, where it is passed, and what has happened
// by then.
type Place struct {
	Name    string
	Process Process
	When    string
}

// Points returns every point, in the order in which an execution passes them.
func Points() []Place {
	return []Place{
		{"authorize.begin", Control, "the request has arrived, nothing is checked"},
		{"authorize.decided", Control, "the grant is signed and in memory only"},
		{"authorize.stored", Control, "the grant is in the store, Temporal has not heard of it"},
		{"decide.begin", Control, "the workflow has asked for a decision"},
		{"decide.signed", Control, "the decision is signed and in memory only"},
		{"decide.stored", Control, "the decision is in the store, Temporal has not heard of it"},
		{"watch.begin", Control, "the watch was asked for, nothing is measured"},
		{"watch.signed", Control, "the next lease is signed and in memory only"},
		{"watch.stored", Control, "the next lease is in the store, Temporal has not heard a heartbeat"},
		{"step.received", Steps, "the step worker has the decision, nothing is verified"},
		{"step.verified", Steps, "the decision is verified, the lease was not looked at"},
		{"slot.before", Steps, "the lease is live, the effect slot is not taken"},
		{"slot.taken", Steps, "the effect slot is taken, nothing is sent"},
		{"attest.signed", Steps, "the step runs, an attestation is signed and in memory only"},
		{"attest.stored", Steps, "the step runs, the attestation is in the store"},
		{WorldArrived, World, "the request is at the desk, nothing is applied"},
		{WorldApplied, World, "the desk has applied it and not answered"},
		{"effect.done", Steps, "the desk has answered, nothing is signed"},
		{"outcome.signed", Steps, "the outcome is signed and in memory only"},
		{"outcome.stored", Steps, "the outcome is beside the slot, Temporal has not heard of it"},
		{"handover.signed", Control, "the handover to a new run is signed and in memory only"},
		{"handover.stored", Control, "the handover is in the store, Temporal has not heard of it"},
		{"takeover.begin", Control, "the new run has asked to take over"},
		{"takeover.signed", Control, "the takeover is signed and in memory only"},
		{"takeover.stored", Control, "the execution is the new run's in the store, Temporal has not heard of it"},
		{"seal.begin", Control, "the workflow has asked for the seal"},
		{"seal.fenced", Control, "the slots of steps that never began are taken"},
		{"seal.signed", Control, "the seal is signed and in memory only"},
		{"seal.stored", Control, "the seal is in the store, Temporal has not heard of it"},
	}
}
