//go:build unix && !linux

package pgserver

import (
	"syscall"
	"time"
)

// Memory is [Disk] on this system.
func Memory() string { return Disk }

// kill kills the first process, and waits a while: the others end by themselves
// when it is gone.
func (s *Server) kill() error {
	first, err := s.PID()
	if err == nil {
		err = syscall.Kill(first, syscall.SIGKILL)
	}
	time.Sleep(2 * time.Second)
	return err
}

// Down reports whether the server's first process is gone.
func (s *Server) Down() bool {
	first, err := s.PID()
	return err != nil || syscall.Kill(first, 0) != nil
}
