//go:build !trial || !unix

package crash

// Built says whether this build can strike.
const Built = false

// Point marks a point. It does nothing in this build.
func Point(string) {}
