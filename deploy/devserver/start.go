package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// portAttempts is how often Start tries other ports. Losing one is rare,
	// losing five in a row means something else is wrong.
	portAttempts = 5
	// startTimeout is how long a server may take to get ready. It takes a
	// second or two on an idle machine; a busy one is no reason to fail.
	startTimeout = time.Minute
)

// Start runs a server and returns when it serves: the namespace exists, the
// search attributes can be used, and the UI answers. That takes a second or
// two. It gives up after a minute, or when ctx ends; ctx has no influence on a
// server that was returned.
//
// If the server ends by itself or does not get ready, the error holds the end
// of its log. Nothing is left running after an error.
func Start(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, o, launcher{pick: pickPorts, timeout: startTimeout})
}

// A launcher holds what tests replace.
type launcher struct {
	pick    func(Options) (ports, error)
	timeout time.Duration // until a server that is not ready is given up
}

func start(ctx context.Context, o Options, l launcher) (*Server, error) {
	if o.Binary == "" {
		binary, err := Find(ctx, io.Discard)
		if err != nil {
			return nil, err
		}
		o.Binary = binary
	}
	o, temporary, err := o.complete()
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		s, err := l.launch(ctx, o)
		if err == nil {
			if temporary {
				s.tempDir = o.Dir
			}
			return s, nil
		}
		if attempt < portAttempts && errors.Is(err, errPortTaken) {
			continue
		}
		if temporary {
			err = errors.Join(err, os.RemoveAll(o.Dir))
		}
		return nil, fmt.Errorf("temporal development server: %w", err)
	}
}

// launch starts one process and waits until it is ready, or ends it.
func (l launcher) launch(ctx context.Context, o Options) (*Server, error) {
	p, err := l.pick(o)
	if err != nil {
		return nil, err
	}
	s := newServer(o, p)
	if err := s.run(o, p); err != nil {
		return nil, err
	}
	if err := s.waitReady(ctx, l.timeout); err != nil {
		return nil, errors.Join(err, s.proc.stop(stopGrace))
	}
	return s, nil
}

func newServer(o Options, p ports) *Server {
	at := func(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
	s := &Server{
		Address:   at(p.frontend),
		Metrics:   "http://" + at(p.metrics) + "/metrics",
		Namespace: o.Namespace,
		Log:       filepath.Join(o.Dir, "temporal.log"),
		port:      strconv.Itoa(p.frontend),

		attributes: slices.Clone(searchAttributes),
	}
	if !o.Headless {
		s.UI = "http://" + at(p.ui)
	}
	return s
}

// run starts the server's process, with its output appended to the log.
func (s *Server) run(o Options, p ports) error {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("couldn't open the server's log: %w", err)
	}
	defer log.Close() // the process has its own descriptor
	if s.log, err = tailOf(log); err != nil {
		return err
	}
	cmd := exec.Command(o.Binary, o.args(p)...)
	cmd.Dir = o.Dir
	cmd.Env = environment(o.Dir)
	cmd.Stdout, cmd.Stderr = log, log
	s.proc, err = startProcess(cmd)
	return err
}

// environment is ours without what configures the temporal CLI, and with dir as
// the home folder, because the CLI reads and writes its configuration there.
func environment(dir string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "TEMPORAL_") || strings.HasPrefix(v, "XDG_CONFIG_HOME=")
	})
	return append(env, "HOME="+dir)
}
