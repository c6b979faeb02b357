package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/interlock-run/interlock/deploy/demo/desk"
)

// lookEvery is how often the desk's books are looked at by who waits for an
// entry.
const lookEvery = 10 * time.Millisecond

// A mark is a place in the desk's books: the last access and the last effect.
type mark struct{ access, ledger int64 }

func (s *shop) mark(ctx context.Context) (mark, error) {
	var m mark
	access, err := s.desk.Access(ctx)
	if err != nil {
		return m, err
	}
	ledger, err := s.desk.Ledger(ctx)
	if err != nil {
		return m, err
	}
	for _, a := range access {
		m.access = max(m.access, a.ID)
	}
	for _, e := range ledger {
		m.ledger = max(m.ledger, e.ID)
	}
	return m, nil
}

// since returns every request since the scene began, whoever made it, but not
// the demo's own administration.
func (s *shop) since(ctx context.Context, c *cast) ([]desk.Access, error) {
	all, err := s.desk.Access(ctx)
	return slices.DeleteFunc(all, func(a desk.Access) bool {
		return a.ID <= c.since.access || strings.HasPrefix(a.Path, "/admin/")
	}), err
}

// stepOf names the step with an idempotency key.
func (c *cast) stepOf(key string) string {
	if step, ok := c.steps[key]; ok {
		return step
	}
	return "stranger"
}

func (c *cast) callOf(a desk.Access) string {
	return fmt.Sprintf("%s: %s %s", c.stepOf(a.IdempotencyKey), a.Method, a.Path)
}

// awaitCalls waits until the desk has received a call n times.
func (s *shop) awaitCalls(ctx context.Context, c *cast, call string, n int) error {
	return until(ctx, fmt.Sprintf("the desk has received %q %d times", call, n), func() (bool, error) {
		all, err := s.since(ctx, c)
		received := 0
		for _, a := range all {
			if c.callOf(a) == call {
				received++
			}
		}
		return received >= n, err
	})
}

// settled returns the calls once all of them are answered.
func (s *shop) settled(ctx context.Context, c *cast) (list, error) {
	var calls list
	err := until(ctx, "the desk has answered every call", func() (bool, error) {
		all, err := s.since(ctx, c)
		calls = nil
		for _, a := range all {
			calls = append(calls, fmt.Sprintf("%s %d", c.callOf(a), a.Status))
		}
		return !slices.ContainsFunc(all, func(a desk.Access) bool { return a.Status == 0 }), err
	})
	return calls, err
}

func (s *shop) effects(ctx context.Context, c *cast) (list, error) {
	all, err := s.desk.Ledger(ctx)
	var effects list
	for _, e := range all {
		if e.ID > c.since.ledger {
			effects = append(effects, fmt.Sprintf("%s: %s %s %d", c.stepOf(e.IdempotencyKey), e.Kind, e.OrderID, e.AmountMinor))
		}
	}
	return effects, err
}

// until waits for a condition, for as long as ctx lasts.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if ok && err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waited until %s: %w", what, context.Cause(ctx))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}
