//go:build !undefended

package defence

// Enforcing means that no defence can be lowered in this build.
const Enforcing = true

// Stands reports whether a defence is up. In this build it always is.
func Stands(Name) bool { return true }

// Deployable reports whether this process may run a worker.
func Deployable() bool { return true }
