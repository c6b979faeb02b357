package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/interlock-run/interlock/deploy/daemon"
)

// roles are the processes of interlockd: the one that decides and the one
// that acts are apart, each with a folder of its own, named like its role.
var roles = []string{"control", "steps"}

func logOf(role string) string { return "interlockd-" + role + ".log" }

// A process is one of interlockd's.
type process struct {
	*daemon.Process
	wanted atomic.Bool // that it ends
}

// startDaemons starts interlockd, in one process for each role, and waits
// until all of them work. From then on, the end of one ends the stage.
func (s *stage) startDaemons(ctx context.Context) error {
	for _, role := range roles {
		d, err := daemon.Start(s.program, s.folder.path(role), role, s.folder.path(logOf(role)))
		if err != nil {
			return err
		}
		s.daemons = append(s.daemons, &process{Process: d})
	}
	for _, d := range s.daemons {
		if err := d.Ready(ctx); err != nil {
			return err
		}
		go s.watch(d)
	}
	return nil
}

func (s *stage) watch(d *process) {
	if err := d.Err(); !d.wanted.Load() {
		s.fail(err)
	}
}

func (s *stage) describeDaemons() string {
	var all []string
	for _, d := range s.daemons {
		all = append(all, fmt.Sprintf("%s (process %d)", d.Role(), d.PID()))
	}
	return strings.Join(all, ", ")
}

func (s *stage) stopDaemons() { s.endDaemons((*daemon.Process).Stop) }
func (s *stage) killDaemons() { s.endDaemons((*daemon.Process).Kill) }

// endDaemons ends all of interlockd at the same time.
func (s *stage) endDaemons(end func(*daemon.Process)) {
	var ending sync.WaitGroup
	for _, d := range s.daemons {
		d.wanted.Store(true)
		ending.Go(func() { end(d.Process) })
	}
	ending.Wait()
	s.daemons = nil
}
