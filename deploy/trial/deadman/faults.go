package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/interlock-run/interlock/deploy/trial/rig"
)

// A fault is something that takes control away from a step that runs.
type fault struct {
	name string
	what string
	// inject makes it happen, and returns what undoes it.
	inject func(*lane) (heal func() error, err error)
}

var faults = []fault{
	{"frozen", "the control plane is frozen (SIGSTOP)", freeze},
	{"cut", "the step worker is cut off from Temporal", cut},
	{"store", "the evidence store takes no writes", refuseWrites},
}

func freeze(l *lane) (func() error, error) {
	p := l.stage.Proc(rig.Control)
	return p.Thaw, p.Freeze()
}

func cut(l *lane) (func() error, error) {
	l.proxy.Cut()
	return func() error { l.proxy.Heal(); return nil }, nil
}

// refuseWrites does it to both processes: they have the same store.
func refuseWrites(l *lane) (func() error, error) {
	var allows []func() error
	heal := func() error {
		var err error
		for _, allow := range allows {
			err = errors.Join(err, allow())
		}
		return err
	}
	for _, role := range []string{rig.Control, rig.Steps} {
		allow, err := l.stage.Proc(role).RefuseWrites()
		if err != nil {
			return nil, errors.Join(err, heal())
		}
		allows = append(allows, allow)
	}
	return heal, nil
}

func chosen(name string) ([]fault, error) {
	var some []fault
	for _, f := range faults {
		if strings.HasPrefix(f.name, name) {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("no fault starts with %q", name)
	}
	return some, nil
}
