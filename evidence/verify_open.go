package evidence

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// opened is what [Trust.Open] makes of one record. The record is there if it
// can be read at all, even if err says that nobody should believe it.
type opened struct {
	record *Record
	key    *Key // nil if err is not
	err    error
}

// openAll opens every record, on all processors: signatures are most of what
// verifying costs, and no record depends on another. The result does not
// depend on how the work was shared out.
func openAll(trust *version, envelopes []Envelope) []opened {
	all := make([]opened, len(envelopes))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(envelopes)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				all[i] = open(trust, envelopes[i])
			}
		})
	}
	workers.Wait()
	return all
}

func open(trust *version, e Envelope) opened {
	r, k, err := trust.openDated(e)
	if err != nil {
		r, _ = e.Decode()
	}
	return opened{r, k, err}
}
