// Package activities is where a governed execution meets the outside world:
// its keys, its policy, its store, its clock, and the effects themselves.
//
// [Control] has the activities of the control plane (Authorize, Decide, Watch,
// Seal). It holds the authority and recorder keys and decides. [Steps] has the
// activity of a step worker (RunStep). It holds a worker key and acts, behind
// a guard that believes nothing but the trust root: not the workflow, not
// Temporal, not the caller.
//
// Every activity may run more than once for the same input, and in another
// process than the time before. Each one therefore finds out first what the
// store already holds, and answers the same.
package activities
