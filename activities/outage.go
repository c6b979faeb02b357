package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/workflows/contract"
)

// MaxOutage is the longest that [ControlConfig.Outage] may be.
const MaxOutage = 10 * time.Minute

// away is the one place that says what is an outage of the evidence store: it
// did not answer. A store that answered something else than it should is none,
// and nobody waits for it to change its mind.
func away(err error) bool {
	return errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrSuperseded)
}

// storeError is what the workflow hears of an error of the store. In an outage
// it is told how long to be patient, and the waiting is the workflow's: a local
// activity that is tried again holds up the workflow task that it belongs to.
func (c *Control) storeError(err error) error {
	if !away(err) {
		return storeError(err)
	}
	c.sight.lost(err)
	if c.c.Outage == 0 {
		return storeError(err)
	}
	return temporal.NewApplicationErrorWithOptions("the evidence store did not answer", contract.ErrTypeStore, temporal.ApplicationErrorOptions{
		NonRetryable: true, Cause: err, Details: []any{contract.Outage{PatienceMS: c.c.Outage.Milliseconds()}},
	})
}

// A sight is how a process sees the evidence store. It is safe for concurrent
// use. It says once that the store has gone and once that it is back, however
// many executions wait for it.
type sight struct {
	log   *zap.Logger
	mu    sync.Mutex // guards since, for moments
	since time.Time  // zero: it answers
}

// lost notes that the store did not answer.
func (s *sight) lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		s.since = time.Now()
		s.log.Error("the evidence store does not answer: nothing takes effect until it does", zap.Error(err))
	}
}

// back notes that the store took a write.
func (s *sight) back() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.since.IsZero() {
		s.log.Info("the evidence store answers again", zap.Duration("after", time.Since(s.since)))
		s.since = time.Time{}
	}
}

// pulseKey is the context key of an activity that must be heard of also while
// it waits for the store.
type pulseKey struct{}

// pulseEvery is less than half of the shortest heartbeat timeout of Watch.
const pulseEvery = 250 * time.Millisecond

// withPulse returns a context whose waits for the store are heard of.
func withPulse(ctx context.Context) context.Context {
	return context.WithValue(ctx, pulseKey{}, true)
}

// pulsing heartbeats until the returned function is called, if the context is
// one of withPulse. Only waits for the store are covered, which are bounded:
// whatever else hangs must be noticed by the heartbeat that is missing.
func pulsing(ctx context.Context) (stop func()) {
	if ctx.Value(pulseKey{}) == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(pulseEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return cancel
}

// patient calls begin, and again while the store does not answer, for as long
// as a step waits for a live lease. Each call begins at the beginning: what was
// verified before an outage need not hold after it.
func (s *Steps) patient(ctx context.Context, begin func() error) error {
	give := time.NewTimer(s.c.Wait)
	defer give.Stop()
	for {
		err := begin()
		if !away(err) {
			return err
		}
		s.sight.lost(err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-give.C:
			return err
		case <-time.After(s.c.Poll):
		}
	}
}

// Quick asks the quick probes of the control plane, for telling whether it is
// ready. It compares with what is in force, as a request that came now would.
func (c *Control) Quick(ctx context.Context) []evidence.Probe {
	return measure(ctx, c.c.Probes, Pinned{Policy: c.c.Policy.Ref().Digest, Catalogue: c.c.Catalogue.Digest()}, true)
}

// Quick asks the quick probes of the step worker, for telling whether it is
// ready.
func (s *Steps) Quick(ctx context.Context) []evidence.Probe {
	return measure(ctx, s.c.Probes, Pinned{Catalogue: s.c.Catalogue.Digest()}, true)
}
