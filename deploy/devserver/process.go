package devserver

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// A process is a child that leads its own process group: a signal reaches
// everything it started, and a Ctrl-C in a terminal reaches only us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the process is gone
	err  error         // how it ended; set before done is closed
}

// startProcess starts cmd. On Linux the process is killed when ours ends, in
// whatever way; elsewhere it outlives a parent that could not call stop.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttr()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("couldn't start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run starts the process, reports that on started, and waits for its end.
func (p *process) run(started chan<- error) {
	// Linux takes the end of the *thread* that started a child for the end of
	// its parent. So that thread is reserved for as long as the child runs; on
	// any other, an unrelated goroutine could end it, and with it the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	killGroup(p.cmd.Process) // what a wrapper script may have left behind
	close(p.done)
}

// stop asks the process to end, kills it if that takes longer than grace, and
// returns when it is gone. It may be called more than once.
func (p *process) stop(grace time.Duration) error {
	if p.endsWithin(0) {
		return nil
	}
	terminateGroup(p.cmd.Process)
	if p.endsWithin(grace) {
		return nil
	}
	killGroup(p.cmd.Process)
	if p.endsWithin(grace) {
		return nil
	}
	return fmt.Errorf("process %d did not end, even when killed: end it by hand", p.cmd.Process.Pid)
}

// endsWithin reports whether the process is gone, now or after waiting up to d.
func (p *process) endsWithin(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}
