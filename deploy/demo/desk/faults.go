package desk

import (
	"net/http"
	"strings"
	"sync"
)

// forever is the number of times of a failure that does not stop by itself.
const forever = -1

// A fault makes requests fail without doing anything.
type fault struct {
	PathPrefix string `json:"path_prefix"` // of the path, with or without an order id's '#'
	Status     int    `json:"status"`      // 400 to 599
	Times      *int   `json:"times"`       // how many requests; forever; 0 ends the fault
}

// faults are the failures injected into one process. They are not kept: a desk
// that is started again is well.
type faults struct {
	mu  sync.Mutex // guards all, for moments
	all []fault
}

// fail injects a fault, in place of one with the same prefix.
func (d *Desk) fail(r *http.Request) (answer, error) {
	var f fault
	if _, err := readBody(r, &f); err != nil {
		return answer{}, err
	}
	switch {
	case !strings.HasPrefix(f.PathPrefix, "/"):
		return answer{}, refuse(http.StatusBadRequest, "path_prefix %q does not start with /", f.PathPrefix)
	case f.Status < 400 || f.Status > 599:
		return answer{}, refuse(http.StatusBadRequest, "status %d is not a failure: 400 to 599", f.Status)
	case f.Times == nil || *f.Times < forever:
		return answer{}, refuse(http.StatusBadRequest, "times must be how many requests, -1 for ever, or 0 for no longer")
	}
	f.PathPrefix = canonical(f.PathPrefix)
	a, err := reply(http.StatusOK, f) // before set: from then on, f is counted down
	if err != nil {
		return answer{}, err
	}
	d.faults.set(f)
	return a, nil
}

func (f *faults) set(added fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var kept []fault
	for _, old := range f.all {
		if old.PathPrefix != added.PathPrefix {
			kept = append(kept, old)
		}
	}
	if *added.Times != 0 {
		kept = append(kept, added)
	}
	f.all = kept
}

// hit says whether a request to path must fail, and with what status. Health
// and administration never do: a fault at "/" could not be taken back.
func (f *faults) hit(path string) (status int, ok bool) {
	if path == "/healthz" || strings.HasPrefix(path, "/admin/") {
		return 0, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if !strings.HasPrefix(path, one.PathPrefix) || *one.Times == 0 {
			continue
		}
		if *one.Times > 0 {
			*one.Times--
		}
		return one.Status, true
	}
	return 0, false
}
