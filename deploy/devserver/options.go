package devserver

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Options says how [Start] runs a server. The zero value is a server with a UI,
// on free ports, that forgets everything when it stops.
type Options struct {
	// Binary is the temporal CLI to run. Empty: the one that [Find] returns,
	// with its progress discarded.
	Binary string

	// Dir holds the server's log, temporal.log, which is appended to, and
	// whatever else the server writes. It is created if it does not exist.
	// Empty: a temporary folder, which [Server.Stop] removes.
	Dir string

	// DB is the SQLite file that keeps workflows over a restart. Its folder is
	// created if it does not exist. One server at a time may use it. Empty:
	// everything is in memory.
	DB string

	// Namespace is created beside "default", which always exists, and is the
	// one that [Server.Client] uses. Empty: "default".
	Namespace string

	// Port, UIPort and MetricsPort are TCP ports on 127.0.0.1. Zero: any free
	// port. Start fails if a given port is taken. UIPort is not used when
	// Headless.
	Port, UIPort, MetricsPort int

	// Headless leaves the web UI out.
	Headless bool

	// DynamicConfig holds Temporal's dynamic configuration, as JSON values by
	// key, in addition to that of this package; the values given here win.
	DynamicConfig map[string]string
}

// loopback is the only address that a server listens on.
const loopback = "127.0.0.1"

// defaultNamespace is the one that the CLI creates whatever it is told.
const defaultNamespace = "default"

// searchAttributes are those by which executions can be found, all of type
// Keyword.
var searchAttributes = []string{
	"InterlockVerdict", "InterlockPrincipal", "InterlockPolicy", "InterlockHaltCause",
}

// tuning is the dynamic configuration of every server, as JSON values by key.
//
// A development server has one history shard, and the stock limit of 20 polls
// a second and queue makes every hop of a task take 50 ms.
// BenchmarkFiveSteps, BenchmarkTimer and TestLongPollIsShort show what each
// value does.
var tuning = map[string]string{
	"history.transferProcessorMaxPollRPS":   "5000",
	"history.timerProcessorMaxPollRPS":      "5000",
	"history.visibilityProcessorMaxPollRPS": "5000",
	// Timers fire when they are due, not on the next whole second.
	"history.timerProcessorMaxTimeShift": `"1ms"`,
	// An activity is handed to the worker that scheduled it, without a poll.
	"system.enableActivityEagerExecution": "true",
	// A client that misses the end of a workflow asks again after 2 s, not 20.
	"history.longPollExpirationInterval": `"2s"`,
}

// complete returns o with its defaults filled in, its paths absolute and its
// folders made. It reports whether Dir is a temporary one.
func (o Options) complete() (Options, bool, error) {
	if o.Namespace == "" {
		o.Namespace = defaultNamespace
	}
	if o.Headless {
		o.UIPort = 0 // whether it is free does not matter
	}
	// The server runs in Dir; the caller's paths are relative to elsewhere.
	for _, path := range []*string{&o.Binary, &o.Dir, &o.DB} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return o, false, fmt.Errorf("couldn't resolve %s: %w", *path, err)
		}
		*path = absolute
	}
	if o.DB != "" {
		if err := os.MkdirAll(filepath.Dir(o.DB), 0o700); err != nil {
			return o, false, fmt.Errorf("couldn't make the database's folder: %w", err)
		}
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return o, false, fmt.Errorf("couldn't make the server's folder: %w", err)
		}
		return o, false, nil
	}
	dir, err := os.MkdirTemp("", "interlock-temporal-")
	if err != nil {
		return o, false, fmt.Errorf("couldn't make a folder for the server: %w", err)
	}
	o.Dir = dir
	return o, true, nil
}

// args is the server's command line. o must be complete.
func (o Options) args(p ports) []string {
	args := []string{
		"server", "start-dev",
		"--ip", loopback,
		"--port", strconv.Itoa(p.frontend),
		"--metrics-port", strconv.Itoa(p.metrics),
	}
	if o.Headless {
		args = append(args, "--headless")
	} else {
		args = append(args, "--ui-ip", loopback, "--ui-port", strconv.Itoa(p.ui))
	}
	if o.Namespace != defaultNamespace {
		args = append(args, "--namespace", o.Namespace)
	}
	if o.DB != "" {
		args = append(args, "--db-filename", o.DB)
	}
	for _, name := range searchAttributes {
		args = append(args, "--search-attribute", name+"=Keyword")
	}
	config := maps.Clone(tuning)
	maps.Copy(config, o.DynamicConfig)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		args = append(args, "--dynamic-config-value", key+"="+config[key])
	}
	return args
}
