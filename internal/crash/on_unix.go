//go:build trial && unix

package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Built says whether this build can strike.
const Built = true

// Point strikes, if the environment asks for it here and now.
func Point(name string) {
	if name != armed.point {
		return
	}
	armed.mu.Lock()
	defer armed.mu.Unlock()
	if armed.count != "" {
		armed.passTogether()
		return
	}
	if armed.left--; armed.left == 0 {
		armed.strike()
	}
}

// passTogether counts the pass in the file that several processes share, and
// holds it while it strikes, so that exactly one of them does.
func (c *charge) passTogether() {
	f, err := os.OpenFile(c.count, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		die(fmt.Sprintf("couldn't count: %v", err))
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		die(fmt.Sprintf("couldn't count: %v", err))
	}
	if _, err := f.Write([]byte{'.'}); err != nil {
		die(fmt.Sprintf("couldn't count: %v", err))
	}
	if info, err := f.Stat(); err != nil {
		die(fmt.Sprintf("couldn't count: %v", err))
	} else if info.Size() == int64(c.left) {
		c.strike()
	}
}

// A charge is what the environment asks for.
type charge struct {
	point string
	files []string // each holds the id of a process
	count string   // file with a byte for each pass, if several processes count
	log   string
	how   syscall.Signal

	mu   sync.Mutex // guards left, and is held while it strikes
	left int        // passes until the strike; of all processes if they count together
}

var armed = fromEnvironment()

// fromEnvironment ends a process that was asked for what cannot be done: it
// must not run as if nothing were to happen.
func fromEnvironment() *charge {
	name, count, counted := strings.Cut(os.Getenv("INTERLOCK_CRASH"), ":")
	c := &charge{point: name, left: 1, log: os.Getenv("INTERLOCK_CRASH_LOG"),
		count: os.Getenv("INTERLOCK_CRASH_COUNT"), how: syscall.SIGKILL}
	if name == "" {
		return c
	}
	if kill := os.Getenv("INTERLOCK_CRASH_KILL"); kill != "" {
		c.files = strings.Split(kill, ",")
	}
	if os.Getenv("INTERLOCK_CRASH_FREEZE") != "" {
		c.how = syscall.SIGSTOP
	}
	var err error
	if counted {
		c.left, err = strconv.Atoi(count)
	}
	if err != nil || c.left < 1 || c.log == "" || len(c.files) == 0 {
		die("INTERLOCK_CRASH needs POINT[:N], INTERLOCK_CRASH_KILL and INTERLOCK_CRASH_LOG")
	}
	return c
}

// settle is the time in which a signal to this process is sure to arrive. It
// is sent to the process, and may reach another thread of it first.
const settle = 100 * time.Millisecond

// strike writes to the log, and signals the others and then this process.
func (c *charge) strike() {
	if err := c.note(); err != nil {
		die(fmt.Sprintf("couldn't log the strike: %v", err))
	}
	self := false
	for _, file := range c.files {
		pid, err := pidIn(file)
		if err != nil {
			die(fmt.Sprintf("whom to strike: %v", err))
		}
		if pid == os.Getpid() {
			self = true
			continue
		}
		if err := syscall.Kill(pid, c.how); err != nil {
			die(fmt.Sprintf("couldn't strike process %d: %v", pid, err))
		}
	}
	if self {
		_ = syscall.Kill(os.Getpid(), c.how)
		time.Sleep(settle)
	}
}

func (c *charge) note() error {
	f, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, c.point); err != nil {
		return err
	}
	return f.Sync()
}

func pidIn(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err == nil && pid <= 1 {
		err = fmt.Errorf("%s holds the process id %d", file, pid)
	}
	return pid, err
}

func die(why string) {
	fmt.Fprintln(os.Stderr, "crash:", why)
	os.Exit(1)
}
