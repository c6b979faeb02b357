package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second // for interlockd to start working
	stopTime  = 5 * time.Second  // to stop, before it is killed
	tailSize  = 2000             // bytes of a log that an error quotes
)

// working is what interlockd prints when it is about to work.
const working = "interlockd is working"

// errEnded means that interlockd ended and nobody had asked it to.
var errEnded = errors.New("interlockd ended")

func logOf(role string) string { return "interlockd-" + role + ".log" }

// A daemon is one process of interlockd.
type daemon struct {
	role    string
	cmd     *exec.Cmd
	log     *os.File
	wanted  atomic.Bool   // that it ends
	done    chan struct{} // closed when it has
	err     error         // how it ended; set before done is closed
	started int64         // size of the log when it did
}

// startDaemon starts interlockd in one role. Its output is appended to a log.
func startDaemon(program, dir, role, logPath string) (*daemon, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("couldn't open the log of interlockd: %w", err)
	}
	d := &daemon{role: role, log: log, done: make(chan struct{})}
	if info, err := log.Stat(); err == nil {
		d.started = info.Size()
	}
	d.cmd = exec.Command(program, "worker", "--config", dir, "--roles", role)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = childAttr()
	begun := make(chan error)
	go d.run(begun)
	if err := <-begun; err != nil {
		return nil, errors.Join(fmt.Errorf("couldn't start interlockd: %w", err), log.Close())
	}
	return d, nil
}

// run starts the process and waits for its end.
func (d *daemon) run(begun chan<- error) {
	// Linux takes the end of the thread that started a child for the end of
	// its parent, so that thread is reserved for as long as the child runs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := d.cmd.Start()
	begun <- err
	if err != nil {
		return
	}
	d.err = d.cmd.Wait()
	close(d.done)
}

// ready waits until the process works.
func (d *daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it was given %v", startTime))
	defer cancel()
	err := until(ctx, "interlockd works as "+d.role, func() (bool, error) {
		select {
		case <-d.done:
			return false, d.ended()
		default:
			return bytes.Contains(d.said(), []byte(working)), nil
		}
	})
	if err != nil && !errors.Is(err, errEnded) {
		return fmt.Errorf("%w\n%s", err, d.tail())
	}
	return err
}

// said is what the process has printed so far. A log that cannot be read is an
// empty one.
func (d *daemon) said() []byte {
	data, err := os.ReadFile(d.log.Name())
	if err != nil || int64(len(data)) < d.started {
		return nil
	}
	return data[d.started:]
}

// tail is the end of what the process printed, indented.
func (d *daemon) tail() string {
	said := strings.TrimSpace(string(d.said()))
	if len(said) > tailSize {
		said = "… " + said[len(said)-tailSize:]
	}
	return "  the end of " + relative(d.log.Name()) + ":\n    " + strings.ReplaceAll(said, "\n", "\n    ")
}

func (d *daemon) ended() error {
	how := "exit status 0"
	if d.err != nil {
		how = d.err.Error()
	}
	return fmt.Errorf("%w: role %s: %s\n%s", errEnded, d.role, how, d.tail())
}

// end asks the process to stop, and kills it if that takes too long.
func (d *daemon) end(sig syscall.Signal) {
	d.wanted.Store(true)
	_ = d.cmd.Process.Signal(sig) // an error means that it has ended already
	select {
	case <-d.done:
	case <-time.After(stopTime):
		_ = d.cmd.Process.Kill()
		<-d.done
	}
	_ = d.log.Close() // nothing of ours was written to it
}
