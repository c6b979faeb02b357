package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
)

// roles are the processes of interlockd: the one that decides and the one
// that acts are apart, each with a folder of its own, named like its role.
var roles = []string{"control", "steps"}

// startDaemons starts interlockd, in one process for each role, and waits
// until all of them work. From then on, the end of one ends the stage.
func (s *stage) startDaemons(ctx context.Context) error {
	for _, role := range roles {
		d, err := startDaemon(s.program, s.folder.path(role), role, s.folder.path(logOf(role)))
		if err != nil {
			return err
		}
		s.daemons = append(s.daemons, d)
	}
	for _, d := range s.daemons {
		if err := d.ready(ctx); err != nil {
			return err
		}
		go s.watch(d)
	}
	return nil
}

func (s *stage) watch(d *daemon) {
	<-d.done
	if !d.wanted.Load() {
		s.fail(d.ended())
	}
}

func (s *stage) describeDaemons() string {
	var all []string
	for _, d := range s.daemons {
		all = append(all, fmt.Sprintf("%s (process %d)", d.role, d.cmd.Process.Pid))
	}
	return strings.Join(all, ", ")
}

func (s *stage) stopDaemons() { s.endDaemons(syscall.SIGTERM) }
func (s *stage) killDaemons() { s.endDaemons(syscall.SIGKILL) }

// endDaemons ends all of interlockd at the same time.
func (s *stage) endDaemons(sig syscall.Signal) {
	var ending sync.WaitGroup
	for _, d := range s.daemons {
		ending.Go(func() { d.end(sig) })
	}
	ending.Wait()
	s.daemons = nil
}
