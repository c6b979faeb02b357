package rig

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Books are what the outside world has written down.
type Books struct {
	Calls   []Arrival
	Effects []Effect
}

// An Arrival is a call that reached the outside world.
type Arrival struct {
	Key    string
	What   string // method and path
	At     time.Time
	Status int // of the answer; 0 if nothing was done
}

// An Effect is something that really happened.
type Effect struct {
	Key  string // as the caller sent it
	Kind string // refund, notify or letter
}

// Books returns the calls so far, and the effects of the desk's own ledger.
func (w *World) Books(ctx context.Context) (Books, error) {
	w.mu.Lock()
	b := Books{Calls: slices.Clone(w.calls)}
	w.mu.Unlock()
	entries, err := w.desk.Ledger(ctx)
	for _, e := range entries {
		key, _, letter := strings.Cut(e.IdempotencyKey, keyMark)
		if letter {
			e.Kind = "letter"
		}
		b.Effects = append(b.Effects, Effect{Key: key, Kind: e.Kind})
	}
	return b, err
}

// Of returns what the books say about one idempotency key.
func (b Books) Of(key string) Books {
	return Books{
		Calls:   slices.DeleteFunc(slices.Clone(b.Calls), func(c Arrival) bool { return c.Key != key }),
		Effects: slices.DeleteFunc(slices.Clone(b.Effects), func(e Effect) bool { return e.Key != key }),
	}
}
