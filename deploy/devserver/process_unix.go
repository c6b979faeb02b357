//go:build unix

package devserver

import (
	"os"
	"syscall"
)

// terminateGroup asks p and all it started to end. Errors mean that they have
// ended already.
func terminateGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }

// killGroup ends p and all it started. Errors mean that they have ended
// already.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// lockFile locks f for this process, until f is closed or the process ends. It
// reports false if another process has the lock.
func lockFile(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}
