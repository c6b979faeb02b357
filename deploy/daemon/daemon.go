// Package daemon builds interlockd and runs it as a process, for the demo and
// the trials: programs that show and try Interlock as it is deployed.
package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTime = 60 * time.Second // for interlockd to start working, on a busy machine
	stopTime  = 15 * time.Second // to stop, before it is killed
	tailSize  = 2000             // bytes of a log that an error quotes
)

// working is what interlockd prints when it is about to work.
const working = "interlockd is working"

// ErrEnded means that interlockd ended and nobody had asked it to.
var ErrEnded = errors.New("interlockd ended")

// A Process is one process of interlockd. Its methods are safe for concurrent
// use.
type Process struct {
	role string
	cmd  *exec.Cmd
	log  *logFile
	done chan struct{} // closed when it has ended
	err  error         // how it ended; set before done is closed
}

// Start starts interlockd in one role, with env added to the environment. What
// it prints is appended to the file at logPath; it goes through a pipe, so that
// a process that may not write to files can still talk.
func Start(program, dir, role, logPath string, env ...string) (*Process, error) {
	log, err := openLog(logPath)
	if err != nil {
		return nil, err
	}
	p := &Process{role: role, log: log, done: make(chan struct{})}
	p.cmd = exec.Command(program, "worker", "--config", dir, "--roles", role)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = childAttr()
	begun := make(chan error)
	go p.run(begun)
	if err := <-begun; err != nil {
		return nil, errors.Join(fmt.Errorf("couldn't start interlockd: %w", err), log.close())
	}
	return p, nil
}

// run starts the process and waits for its end. It dies with the thread that
// started it, which therefore must not end before it does.
func (p *Process) run(begun chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	begun <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	_ = p.log.close() // what matters of it is in memory
	close(p.done)
}

// Role is the role that the process has.
func (p *Process) Role() string { return p.role }

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended, as [ErrEnded]. It waits for that.
func (p *Process) Err() error {
	<-p.done
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%w: role %s: %s\n%s", ErrEnded, p.role, how, p.log.tail())
}

// Signal sends a signal to the process.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill ends the process with SIGKILL and waits until it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended already
	<-p.done
}

// Stop asks the process to stop, kills it if that takes too long, and waits
// until it has ended.
func (p *Process) Stop() {
	_ = p.Signal(syscall.SIGTERM) // as above
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.Kill()
	}
}

// Ready waits until the process works. If it ends instead, the error is
// [ErrEnded].
func (p *Process) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it was given %v", startTime))
	defer cancel()
	for !p.Said(working) {
		select {
		case <-p.done:
			return p.Err()
		case <-ctx.Done():
			return fmt.Errorf("interlockd (%s) does not work: %w\n%s", p.role, context.Cause(ctx), p.log.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// Said reports whether the process has printed text.
func (p *Process) Said(text string) bool {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return bytes.Contains(p.log.said.Bytes(), []byte(text))
}

// Tail is the end of what the process printed, indented.
func (p *Process) Tail() string { return p.log.tail() }

// A logFile keeps what a process prints, in a file and in memory.
type logFile struct {
	mu   sync.Mutex // guards both, for moments
	file *os.File
	said bytes.Buffer
}

func openLog(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("couldn't open the log of interlockd: %w", err)
	}
	return &logFile{file: f}, nil
}

// Write implements [io.Writer].
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said.Write(b)
	return l.file.Write(b)
}

func (l *logFile) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := strings.TrimSpace(l.said.String())
	if len(said) > tailSize {
		said = "… " + said[len(said)-tailSize:]
	}
	return "  the end of " + l.file.Name() + ":\n    " + strings.ReplaceAll(said, "\n", "\n    ")
}

func (l *logFile) close() error { return l.file.Close() }
