// Package crash marks the points at which a process may die between the moment
// an execution is asked for and the moment it is sealed.
//
// In every build but one a point is nothing: [Point] is empty, and the compiler
// removes the call. Only a build with the tag "trial" can strike, and only if
// the environment asks for it:
//
//	INTERLOCK_CRASH=POINT[:N]   strike at the N-th pass of the point, 1 by default
//	INTERLOCK_CRASH_KILL=FILES  comma-separated files, each with the id of a process to kill
//	INTERLOCK_CRASH_FREEZE=1    freeze them instead, with SIGSTOP
//	INTERLOCK_CRASH_COUNT=FILE  count the passes of all processes together, in this file
//	INTERLOCK_CRASH_LOG=FILE    gets the name of the point, before the strike
//
// The processes are killed with SIGKILL, so that nothing of theirs runs any
// more: no deferred call, no flush. The victim may be the process that passes
// the point, another one, or both. A process strikes once.
//
// [Points] lists all of them. A harness goes through that list, and must take a
// point that was never logged for a failure: a strike that did not happen
// proves nothing.
package crash
