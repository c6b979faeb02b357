package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// A turn is what happens to an execution from outside. It returns a note for
// the screen, or "".
type turn func(ctx context.Context, s *stage, c *cast) (string, error)

func (t turn) take(ctx context.Context, s *stage, c *cast) error {
	if t == nil {
		return nil
	}
	note, err := t(ctx, s, c)
	if note != "" {
		c.notes = append(c.notes, note)
	}
	return err
}

// The times that the desk takes to pack or weigh an order: longer than anybody waits,
// and quickly.
const (
	packSlowly  = 30 * time.Second
	packQuickly = time.Second
)

// editPolicyOnce adds a comment to the policy file when the desk has received
// a call.
func editPolicyOnce(call string) turn {
	return func(ctx context.Context, s *stage, c *cast) (string, error) {
		if err := s.shop.awaitCalls(ctx, c, call, 1); err != nil {
			return "", err
		}
		f, err := os.OpenFile(s.folder.path("policy.yaml"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return "", err
		}
		defer f.Close()
		c.turned = time.Now()
		_, err = f.WriteString("# a comment, added while an execution runs\n")
		return "when the order was on the scale, a comment was added to policy.yaml", err
	}
}

func restorePolicy(_ context.Context, s *stage, _ *cast) (string, error) {
	return "", s.folder.writePolicy()
}

// killOnce kills all of interlockd when the desk has received a call, and
// starts it again when every lease is over: nobody is there to renew one. The
// desk packs quickly from then on; it sees the call a second time.
func killOnce(call string) turn {
	return func(ctx context.Context, s *stage, c *cast) (string, error) {
		if err := s.shop.awaitCalls(ctx, c, call, 1); err != nil {
			return "", err
		}
		s.killDaemons()
		c.turned = time.Now()
		if err := s.shop.reopen(ctx, packQuickly); err != nil {
			return "", err
		}
		lease, err := s.folder.lease()
		if err != nil {
			return "", err
		}
		if err := pause(ctx, lease); err != nil {
			return "", err
		}
		if err := s.startDaemons(ctx); err != nil {
			return "", err
		}
		note := fmt.Sprintf("when the ship request was at the desk, interlockd was killed (both processes), "+
			"and started again %v later, when no lease was left", lease)
		return note, s.shop.awaitCalls(ctx, c, call, 2)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func breakDesk(path string, status int) turn {
	return func(ctx context.Context, s *stage, _ *cast) (string, error) {
		return "", s.shop.fail(ctx, path, status, -1)
	}
}

func repairDesk(path string) turn {
	return func(ctx context.Context, s *stage, _ *cast) (string, error) {
		return "", s.shop.fail(ctx, path, 500, 0)
	}
}
