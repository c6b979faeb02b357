// Package rig sets the stage for trials: Interlock for real, on the genuine
// Temporal server, in processes that can be killed, frozen, cut off from
// Temporal and kept from writing, and an outside world that writes down what
// was done to it.
//
// A [Rig] is what all trials share: the Temporal server and an interlockd that
// was built for trials (see package crash). A [Stage] is what one trial has to
// itself: keys, evidence store, order desk, a control plane and a step worker,
// each in a process and a folder of its own, with only its own keys.
//
// The desk knows nothing of Interlock. What it has written down is held against
// the evidence by [Compare].
package rig
