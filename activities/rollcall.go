package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// probeWorkers is the name of the probe that stands for all step workers whose
// steps run: each must attest, in order, to what it is, and answer the nonce
// of a lease that is not old.
const probeWorkers = "workers"

const allAnswer = "all answer"

// maxBackoff is the longest that Temporal waits between two attempts.
const maxBackoff = time.Minute

// A roster is what Watch has seen of the step workers of one execution. The
// times in it are on the monotonic clock.
type roster struct {
	mu     sync.Mutex
	window uint64               // the last that called it
	called time.Time            // the last time
	issued map[string]time.Time // when each nonce was given out
	steps  map[string]*sighting
}

// A sighting is what was last seen of one step that runs.
type sighting struct {
	since    time.Time // seen first, or fresh again
	attested evidence.Attested
	ended    bool // its last attempt said that it is over
}

// rosters keeps them from one window to the next, so that windows shorter than
// the patience with a silent worker do not make it endless.
type rosters struct {
	mu   sync.Mutex
	runs map[store.Run]*roster
}

// forWindow returns the roster of the window before, or a new one where
// another control plane had that, or has had this one for a lease: what was
// seen here is old then.
func (r *rosters) forWindow(run store.Run, number uint64, lease time.Duration) *roster {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.runs[run]
	if old != nil && old.continues(number, lease) {
		return old
	}
	if len(r.runs) >= maxCached {
		clear(r.runs) // each begins anew with its next window
	}
	fresh := &roster{window: number, called: time.Now(), issued: map[string]time.Time{}, steps: map[string]*sighting{}}
	r.runs[run] = fresh
	return fresh
}

func (r *roster) continues(number uint64, lease time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if number != r.window && number != r.window+1 || time.Since(r.called) > lease {
		return false
	}
	r.window = number
	return true
}

func (r *rosters) drop(run store.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, run)
}

// gave notes that a lease was given out, and forgets those that are over.
func (r *roster) gave(l evidence.Lease, length time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for nonce, at := range r.issued {
		if now.Sub(at) > 2*length {
			delete(r.issued, nonce)
		}
	}
	r.issued[l.Nonce] = now
}

// rollCall asks what every step worker last attested. The probe is ok only if
// each can be believed, and none was silent for too long. An outage means that
// the store did not answer, and the probe could not either.
func (w *window) rollCall(ctx context.Context, now evidence.Time) (called evidence.Probe, present []evidence.Attested, outage error) {
	// What was read later must also be judged later, or it looks like a replay:
	// an earlier attempt at this window may still run.
	w.roster.mu.Lock()
	defer w.roster.mu.Unlock()
	w.roster.called = time.Now()
	if w.outage {
		w.roster.excuse()
	}
	var slots []store.Slot
	var said []store.Attestation
	err := answering(ctx, func() (err error) {
		if slots, err = w.c.c.Store.Slots(ctx, w.run); err == nil {
			said, err = w.c.c.Store.Attestations(ctx, w.run)
		}
		return err
	})
	if err != nil {
		return evidence.Probe{Name: probeWorkers, Status: evidence.ProbeUnanswered}, nil, awayOnly(err)
	}
	if slices.ContainsFunc(slots, isSealing) { // a Watch that nobody stopped
		return evidence.Probe{Name: probeWorkers, Status: evidence.ProbeBad, Want: allAnswer, Got: "the execution is sealed"}, nil, nil
	}
	newest := map[string]*store.Attestation{}
	for i := range said {
		newest[said[i].Step] = &said[i]
	}
	for _, s := range slots {
		if s.Outcome != nil || s.Worker == fenced {
			delete(w.roster.steps, s.Step)
			continue
		}
		if err := w.hear(now, s, newest[s.Step]); err != nil {
			over, unread := w.c.ended(ctx, w.run, s.Step)
			if unread != nil {
				return evidence.Probe{Name: probeWorkers, Status: evidence.ProbeUnanswered}, nil, awayOnly(unread)
			}
			if over {
				delete(w.roster.steps, s.Step)
				continue // its outcome came back through Temporal alone
			}
			return evidence.Probe{Name: probeWorkers, Status: evidence.ProbeBad, Want: allAnswer, Got: clip(fmt.Sprintf("%s: %v", s.Step, err))}, present, nil
		}
		if a := w.roster.steps[s.Step].attested; a.Counter > 0 {
			present = append(present, a)
		}
	}
	return evidence.Probe{Name: probeWorkers, Status: evidence.ProbeOK, Want: allAnswer, Got: allAnswer}, present, nil
}

// The reasons why an attestation fails the roll call.
var (
	errSilent  = errors.New("no fresh attestation")
	errForged  = errors.New("an attestation that cannot be believed")
	errReplay  = errors.New("an attestation that goes back behind an earlier one")
	errChanged = errors.New("the worker became another program")
)

// hear judges what the worker of one running step last attested, and for how
// long it has been silent.
func (w *window) hear(now evidence.Time, slot store.Slot, said *store.Attestation) error {
	seen := w.roster.steps[slot.Step]
	if seen == nil {
		seen = &sighting{since: time.Now()}
		w.roster.steps[slot.Step] = seen
	}
	if said != nil {
		if err := w.believe(now, slot, seen, said.Signed); err != nil {
			return err
		}
	}
	if !seen.ended && time.Since(seen.since) > w.patience(slot.Step) {
		return errSilent
	}
	return nil
}

// believe checks one attestation and, if it is news, notes it.
func (w *window) believe(now evidence.Time, slot store.Slot, seen *sighting, signed evidence.Envelope) error {
	digest := signed.Digest()
	old := seen.attested
	if digest == old.Attestation {
		return nil
	}
	rec, err := openNow(w.c.c.Trust, signed, now)
	if err != nil {
		return fmt.Errorf("%w: %w", errForged, err)
	}
	a, ok := rec.Predicate.(*evidence.Attestation)
	if !ok || rec.Subject != w.subject || a.Binding != w.in.Binding || a.Step != slot.Step || a.Decision != slot.Decision {
		return fmt.Errorf("%w: it is about something else", errForged)
	}
	if p := failed(a.Probes); p != nil {
		return fmt.Errorf("its probe %s is %s", p.Name, p.Status)
	}
	switch {
	case a.Attempt < old.Attempt, a.Attempt == old.Attempt && a.Counter <= old.Counter:
		return errReplay
	case a.Attempt == old.Attempt && (a.Process != old.Process || a.Worker != old.Worker):
		return errChanged
	}
	seen.attested = evidence.Attested{Step: a.Step, Worker: a.Worker, Attempt: a.Attempt, Counter: a.Counter, Attestation: digest, Process: a.Process}
	seen.ended = a.Ended
	// An answer to a nonce that is not known is no answer: it may have been
	// made at any time.
	if issued, ok := w.roster.issued[a.Nonce]; ok && issued.After(seen.since) {
		seen.since = issued
	}
	return nil
}

// patience is how long a step worker may go without answering a nonce: one
// lease. Where a lost attempt will be repeated, another worker gets the time
// to learn of that and to begin.
func (w *window) patience(step string) time.Duration {
	lease := time.Duration(w.terms.LeaseMS) * time.Millisecond
	for _, s := range w.request.Steps {
		if s.ID != step {
			continue
		}
		if a, ok := w.c.c.Catalogue.Action(s.Action); ok && mayRepeat(a) {
			return 2*lease + a.Heartbeat + min(a.Backoff<<min(a.Attempts, 16), maxBackoff)
		}
	}
	return lease
}

// ended reports whether a step has its outcome in the chain, though not beside
// its slot. It is asked only about a step whose worker fails the roll call.
func (c *Control) ended(ctx context.Context, run store.Run, step string) (bool, error) {
	x, err := c.open(ctx, run)
	if err != nil {
		return false, err
	}
	defer x.letGo()
	if !x.fresh {
		if err := x.read(ctx); err != nil {
			return false, err
		}
	}
	ended := x.lineage.Ended(step) != nil
	x.release()
	return ended, nil
}

// excuse lets the patience with every step worker begin anew. The roster must
// be locked. While the store takes no writes it takes no attestations either,
// and no lease is renewed: steps whose worker is silent for another reason end
// with theirs.
func (r *roster) excuse() {
	for _, s := range r.steps {
		s.since = time.Now()
	}
}

// awayOnly returns err if it is an outage of the store, and nil otherwise.
func awayOnly(err error) error {
	if away(err) {
		return err
	}
	return nil
}
