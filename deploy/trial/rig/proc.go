package rig

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

// trialBuild is what an interlockd prints first that can be made to kill.
const trialBuild = "TRIAL BUILD"

// A Proc is one process of interlockd.
type Proc struct {
	role string
	cmd  *exec.Cmd
	log  *logFile
	done chan struct{} // closed when it has ended
}

// startProc starts interlockd in one role. What it prints goes through a pipe
// into a log of ours: a process that may not write to files can still talk.
func startProc(program, dir, role, logPath string, env []string) (*Proc, error) {
	log, err := openLog(logPath)
	if err != nil {
		return nil, err
	}
	p := &Proc{role: role, log: log, done: make(chan struct{})}
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

// run starts the process and waits for its end.
func (p *Proc) run(begun chan<- error) {
	// Linux takes the end of the thread that started a child for the end of
	// its parent, so that thread is reserved for as long as the child runs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	begun <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // how it ended is its log's to say
	_ = p.log.close()
	close(p.done)
}

// PID is the id of the process.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended, for whatever reason.
func (p *Proc) Done() <-chan struct{} { return p.done }

// Ended reports whether the process has ended.
func (p *Proc) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill ends the process with SIGKILL and waits until it has ended.
func (p *Proc) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended already
	<-p.done
}

// Stop asks the process to stop, and kills it if that takes too long.
func (p *Proc) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.Kill()
	}
}

// ready waits until the process works.
func (p *Proc) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !p.log.has(working) {
		select {
		case <-p.done:
			return fmt.Errorf("interlockd (%s) ended\n%s", p.role, p.log.tail())
		case <-ctx.Done():
			return fmt.Errorf("interlockd (%s) does not work: %w\n%s", p.role, ctx.Err(), p.log.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
	if !p.log.has(trialBuild) {
		return fmt.Errorf("interlockd (%s) was not built for trials", p.role)
	}
	return nil
}

// Tail is the end of what the process printed.
func (p *Proc) Tail() string { return p.log.tail() }

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

func (l *logFile) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.said.Bytes(), []byte(text))
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
