package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/interlock-run/interlock/deploy/daemon"
	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/starter"
)

// The roles of interlockd, each a process.
const (
	Control = "control"
	Steps   = "steps"
)

// twin is what the name of a second process in a role ends with.
const twin = "-2"

// Twin is the name of a second process in a role. It has the folder, the keys
// and the user of the first.
func Twin(role string) string { return role + twin }

// RoleOf is the role of a process with a name.
func RoleOf(name string) string { return strings.TrimSuffix(name, twin) }

// Where the evidence store of a stage is.
type Where int

// The kinds of store.
const (
	File         Where = iota // SQLite, in the stage's folder
	SharedServer              // a database of the PostgreSQL server that stages share
	OwnServer                 // a PostgreSQL server that only this stage uses, to be killed
)

// Options say how a stage is set.
type Options struct {
	// Lease and Interval are those of interlock.yaml.
	Lease, Interval time.Duration
	// Heartbeat is the actions' own: how soon Temporal takes a step worker for
	// dead, and gives the step to another.
	Heartbeat time.Duration
	// MaxEvents is that of interlock.yaml; 4000 by default.
	MaxEvents int
	// StepsVia is the address at which the step worker finds Temporal, such as
	// that of a [Proxy]. The server's own by default.
	StepsVia string
	// Store is a file by default.
	Store Where
}

// A Stage is everything that one trial needs. Processes are started by Start.
type Stage struct {
	Name  string
	World *World
	Agent *starter.Starter // asks for executions, and stops them
	Trust *evidence.Trust

	rig    *Rig
	dir    string
	store  string           // the target for whoever reads
	server *pgserver.Server // the stage's own; nil without one
	procs  map[string]*Proc // by name; the one started last
	all    []*Proc
}

// Stage sets a stage, on which nothing runs but the outside world.
func (r *Rig) Stage(ctx context.Context, name string, o Options) (*Stage, error) {
	s := &Stage{Name: name, rig: r, dir: r.dir + "/" + name, procs: map[string]*Proc{}}
	if o.StepsVia == "" {
		o.StepsVia = r.temporal.Address
	}
	if o.MaxEvents == 0 {
		o.MaxEvents = 4000
	}
	token, err := s.makeFolders()
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", name, err)
	}
	if s.World, err = openWorld(ctx, s.Path("desk.db"), token); err != nil {
		return nil, fmt.Errorf("stage %s: %w", name, err)
	}
	v, err := s.makeStore(ctx, o.Store)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stage %s: %w", name, err), s.closeStore(), s.World.Close())
	}
	err = s.configure(settings{
		ControlStore: v.control, StepsStore: v.steps,
		Temporal: r.temporal.Address, StepsTemporal: o.StepsVia, Namespace: r.temporal.Namespace,
		Queue: name, Shared: s.Path("shared"), World: s.World.Address,
		Lease: o.Lease.String(), Interval: o.Interval.String(), Heartbeat: o.Heartbeat.String(), MaxEvents: o.MaxEvents,
	})
	if err == nil {
		err = s.openAgent()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stage %s: %w", name, err), s.closeStore(), s.World.Close())
	}
	return s, nil
}

// Temporal is the address of the Temporal server.
func (s *Stage) Temporal() string { return s.rig.temporal.Address }

// Namespace is that of the executions.
func (s *Stage) Namespace() string { return s.rig.temporal.Namespace }

// PutOrder puts an order into the evidence store, and tells nobody.
func (s *Stage) PutOrder(ctx context.Context, signed evidence.Envelope) error {
	st, err := store.Open(ctx, s.store)
	if err != nil {
		return err
	}
	defer st.Close()
	for {
		head, err := st.Head(ctx, store.Orders)
		if err != nil {
			return err
		}
		if _, err = st.Append(ctx, store.Orders, head, signed); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Temporal is the address of the Temporal server.
func (r *Rig) Temporal() string { return r.temporal.Address }

func (s *Stage) openAgent() error {
	key, err := keyfile.Load(s.Path("agent/keys/trial.pem"))
	if err != nil {
		return err
	}
	revoker, err := keyfile.Load(s.Path("agent/keys/trial-revoker.pem"))
	if err != nil {
		return err
	}
	s.Agent, err = starter.New(starter.Config{Client: s.rig.client, Trust: s.Trust, Queue: s.Name, Principal: key, Revoker: revoker})
	return err
}

// Start starts processes of interlockd, with env added to the environment, and
// waits until all of them work. Their names are roles, or those of [Twin].
func (s *Stage) Start(ctx context.Context, env []string, names ...string) error {
	for _, name := range names {
		role := RoleOf(name)
		started, err := daemon.Start(s.rig.program, s.Path(role), role, s.Path(name+".log"), env...)
		if err != nil {
			return err
		}
		p := &Proc{started}
		s.procs[name], s.all = p, append(s.all, p)
		if err := os.WriteFile(s.PIDFile(name), []byte(strconv.Itoa(p.PID())), 0o600); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := s.procs[name].ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Proc is the process that was started last under a name.
func (s *Stage) Proc(name string) *Proc { return s.procs[name] }

// PIDFile is the file with the id of the process with a name, or of the stage's
// own PostgreSQL.
func (s *Stage) PIDFile(name string) string { return s.Path(name + ".pid") }

// StopProcs ends every process of the stage.
func (s *Stage) StopProcs() {
	var ending sync.WaitGroup
	for _, p := range s.all {
		ending.Go(p.Stop)
	}
	ending.Wait()
}

// Close ends everything on the stage.
func (s *Stage) Close() error {
	s.StopProcs()
	return errors.Join(s.World.Close(), s.closeStore())
}

// Remove removes the stage's folder.
func (s *Stage) Remove() error { return os.RemoveAll(s.dir) }

// Renewed waits until the first lease of an execution was renewed.
func (s *Stage) Renewed(ctx context.Context, x *starter.Execution) error {
	st, err := store.OpenReadOnly(ctx, s.store)
	if err != nil {
		return err
	}
	defer st.Close()
	run := store.Run{Namespace: s.rig.temporal.Namespace, Workflow: x.ID(), Run: x.Run()}
	for {
		if _, _, err := st.Lease(ctx, run); !errors.Is(err, store.ErrNone) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no lease was renewed: %w", context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}
