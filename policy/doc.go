// Package policy answers whether something may happen.
//
// A [Bundle] is a file of rules written in CEL, compiled against the actions
// of a catalogue. It is asked before an execution (phase admit), before each
// step (phase step) and at each integrity measurement (phase integrity):
//
//	cat, err := catalogue.Parse("actions.yaml", actions)
//	…
//	bundle, err := policy.Parse("policy.yaml", rules, cat)
//	…
//	ruling := bundle.Decide(facts)
//	if !ruling.Effect.Allows() {
//		return refuse(ruling.Cause, ruling.Reason)
//	}
//
// # What rules see
//
// All phases see request and now. Phase step sees step, args and lineage as
// well, phase integrity lineage and probes. A variable that the phase does
// not have, and a field that does not exist, do not compile.
//
//	request  id, audience, principal, purpose, policy (strings),
//	          context (map of strings), issued, expires (timestamps),
//	          steps (list of id, action, needs, args)
//	step     id, action (strings), needs (list of strings)
//	args     the step's arguments
//	lineage  list of step, action, status (strings), args, result, at
//	probes   list of name, status, want, got (strings)
//	now      timestamp
//
// Arguments and results are JSON: a whole number such as 1 is an int, 1.0 a
// double, and the two compare by value. A number that CEL cannot hold exactly
// makes the rules that read it fail.
//
// # Refusing by default
//
// What no rule allows is denied, a rule that cannot be evaluated denies, and
// a deny beats every allow. [Bundle.Decide] has the particulars.
//
// # Waiting
//
// A rule of phase step can also have a step wait: until people have approved
// it (effect step_up), or until the rule no longer matches (effect defer).
//
//	rules:
//	  - id: big-refund
//	    phase: step
//	    actions: [orders.refund]
//	    when: args.cents > 10000
//	    effect: step_up
//	    approval: {by: [alice, bob, carol], need: 2, within: 4h}
//	    message: refunds above 100.00 need two people
//	  - id: night
//	    phase: step
//	    actions: ["*"]
//	    when: now.getHours() < 6
//	    effect: defer
//	    defer: {for: 8h, every: 10m}
//
// Approval is by the holders of approvers' keys; need has no default, and
// within is how old an approval may be when the step is decided. A rule that
// has its approvals allows, by itself; one that defers never does, so
// something else must allow what it lets go on. Deny beats failed beats defer
// beats step_up beats allow. A refusal, and an ask that nobody could fulfil
// because the requester does not count, deny. What people said is no variable:
// no rule can read it.
//
// A wait is decided anew from new facts each time. How long it may last
// altogether is not for this package to hold: it has no memory.
//
// The package is pure: it reads no clock, file, network or random number, so
// that a ruling can be worked out again from its facts for as long as they
// are kept. [Bundle.Test] runs the cases that ship with a bundle.
package policy
