package rig

import (
	"context"
	"strings"
	"time"
)

// Books are what the outside world has written down.
type Books struct {
	Calls   []Arrival
	Effects []Effect
}

// An Arrival is a call that reached the desk.
type Arrival struct {
	Key    string
	What   string // method and path
	At     time.Time
	Status int // of the answer; 0 if there was none
}

// An Effect is something that really happened.
type Effect struct {
	Key  string // as the caller sent it
	Kind string // refund, notify or letter
}

// Books reads them.
func (w *World) Books(ctx context.Context) (Books, error) {
	var b Books
	calls, err := w.desk.Access(ctx)
	if err != nil {
		return b, err
	}
	for _, c := range calls {
		key, _, _ := strings.Cut(c.IdempotencyKey, keyMark)
		b.Calls = append(b.Calls, Arrival{Key: key, What: c.Method + " " + c.Path, At: c.At, Status: c.Status})
	}
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
