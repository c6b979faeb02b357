package main

import (
	"context"
	"fmt"
	"time"
)

// froze waits until the point was hit, and a moment for the signal to arrive.
func (d *director) froze(ctx context.Context, end *ending) error {
	for d.notHit() != nil {
		select {
		case <-ctx.Done():
			return d.notHit()
		case <-end.over:
			return d.notHit()
		case <-time.After(10 * time.Millisecond):
		}
	}
	time.Sleep(200 * time.Millisecond)
	for _, name := range d.t.names(string(d.t.Process)) {
		d.asleep = append(d.asleep, d.s.Proc(name))
	}
	return nil
}

// wake lets the frozen process go on when the last lease is over. Whatever it
// still does now, the world must not hear of it.
func (d *director) wake(ctx context.Context, res *result) error {
	time.Sleep(lease + lease/4)
	before, err := d.s.World.Books(ctx)
	if err != nil {
		return err
	}
	for _, p := range d.asleep { // to a process that is awake it is nothing
		if err := p.Thaw(); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	after, err := d.s.World.Books(ctx)
	for _, c := range after.Calls[len(before.Calls):] {
		res.wrong = append(res.wrong, fmt.Sprintf("the process that was frozen made the call %s, without a lease", c.What))
	}
	return err
}
