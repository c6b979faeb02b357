//go:build undefended

package defence

import (
	"sync"
	"testing"
)

// Enforcing means that no defence can be lowered in this build.
const Enforcing = false

var (
	mu      sync.RWMutex
	lowered = map[Name]int{} // how many tests want it down
)

// Stands reports whether a defence is up. It may be called concurrently.
func Stands(n Name) bool {
	mu.RLock()
	defer mu.RUnlock()
	return lowered[n] == 0
}

// Lower switches a defence off until the test ends, for the whole process:
// what else runs meanwhile is without it too. It may be called concurrently.
func Lower(t testing.TB, n Name) {
	t.Helper()
	change(n, +1)
	t.Cleanup(func() { change(n, -1) })
}

func change(n Name, by int) {
	mu.Lock()
	defer mu.Unlock()
	lowered[n] += by
}

// Deployable reports whether this process may run a worker: only a test may
// that could be without its defences.
func Deployable() bool { return testing.Testing() }
