// Package workflows is the order of things: the one workflow that governs an
// execution. It is deterministic and does no I/O; whatever it knows of the
// world its activities returned, and it computes the chain of records from
// that, so replaying a history yields the chain again.
//
// The workflow is trusted with order only. It cannot forge a decision, an
// outcome or a seal, because it holds no key; what it hands to activities is
// verified there, and what it tells step workers is verified by their guards.
package workflows
