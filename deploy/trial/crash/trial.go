package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/interlock-run/interlock/deploy/trial/rig"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/internal/crash"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

const (
	lease    = 2 * time.Second
	interval = 250 * time.Millisecond
	slowly   = lease + lease/4 // longer than the first lease

	// shortest is the least number of events after which an execution goes on
	// in a new run, and lookups are how many steps get there.
	shortest = 40
	lookups  = 7

	// patience bounds the time until the strike, and again until the seal. A
	// workflow task that died with its worker is given out again after 10 s.
	patience = 2 * time.Minute
)

// A result is what became of one trial.
type result struct {
	trial
	facts   rig.Facts
	books   rig.Books
	effects int
	took    time.Duration
	wrong   []string // every violation
	err     error    // why the trial could not be made
}

func (r *result) bad() bool { return r.err != nil || len(r.wrong) > 0 }

// stageTrial runs one trial on a stage of its own. The folder of one that went
// well is removed, unless it is to be kept.
func stageTrial(ctx context.Context, r *rig.Rig, t trial, o options) result {
	res := result{trial: t}
	began := time.Now()
	set := rig.Options{Lease: lease, Interval: interval, Heartbeat: time.Second, Store: t.where()}
	if t.long {
		set.MaxEvents = shortest
	}
	s, err := r.Stage(ctx, t.name(), set)
	if err != nil {
		res.err = err
		return res
	}
	d := &director{t: t, s: s, pause: o.pause}
	res.err = d.perform(ctx, &res)
	res.took = time.Since(began)
	res.err = errors.Join(res.err, s.Close())
	if !res.bad() && !o.keep {
		res.err = s.Remove()
	}
	return res
}

// A director runs one trial.
type director struct {
	t trial
	s *rig.Stage

	pause  time.Duration
	asleep []*rig.Proc // the frozen process, and its twin, once it is
	strike sync.Once   // of the world
}

// perform lets the execution run into the strike, starts again what was
// killed, waits for the seal, and compares.
func (d *director) perform(ctx context.Context, res *result) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	x, err := d.s.Agent.Start(ctx, request(d.t))
	if err != nil {
		return err
	}
	end := d.wait(ctx, x)
	if d.t.unmade {
		if err := d.cancelOnceOrdered(ctx, x); err != nil {
			return err
		}
	}
	if err := d.struck(ctx, end); err != nil {
		return err
	}
	time.Sleep(d.pause)
	if d.t.victim == database {
		if err := d.s.RestartPostgres(ctx); err != nil {
			return err
		}
	}
	if err := d.s.Start(ctx, nil, d.missing()...); err != nil {
		return err
	}
	<-end.over
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if end.receipt == nil {
		res.wrong = append(res.wrong, fmt.Sprintf("no seal: %v", end.err))
		return nil
	}
	if d.t.victim == frozen {
		if err := d.wake(ctx, res); err != nil {
			return err
		}
	}
	return d.compare(ctx, x, res)
}

// open starts the processes, those of one role with the charge.
func (d *director) open(ctx context.Context) error {
	d.s.World.Meet(d.before, d.after)
	for _, role := range []string{rig.Control, rig.Steps} {
		if d.t.unmade && role == rig.Steps {
			continue
		}
		for _, name := range d.t.names(role) {
			var env []string
			if role == string(d.t.Process) {
				env = d.charge(name)
			}
			if err := d.s.Start(ctx, env, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// charge is the environment of a process that passes the point. Of a pair, the
// one that passes it for the n-th time is the victim.
func (d *director) charge(name string) []string {
	var files []string
	for _, role := range d.t.roles() {
		if role == rig.RoleOf(name) {
			role = name
		}
		files = append(files, d.s.PIDFile(role))
	}
	if d.t.victim == database {
		files = append(files, d.s.PIDFile(rig.Postgres))
	}
	env := []string{
		fmt.Sprintf("INTERLOCK_CRASH=%s:%d", d.t.Name, d.t.pass),
		"INTERLOCK_CRASH_KILL=" + strings.Join(files, ","),
		"INTERLOCK_CRASH_LOG=" + d.log(),
	}
	if d.t.pairs {
		env = append(env, "INTERLOCK_CRASH_COUNT="+d.s.Path("passes"))
	}
	if d.t.victim == frozen {
		env = append(env, "INTERLOCK_CRASH_FREEZE=1")
	}
	return env
}

func (d *director) log() string { return d.s.Path("strike.log") }

// before strikes when a call has arrived. A caller that was killed has its
// connection reset: nothing of what it asked for is done.
func (d *director) before(ctx context.Context, c rig.Call) error {
	if d.t.slow && strings.HasSuffix(c.Path, "/refund") && c.N == 1 {
		time.Sleep(slowly)
	}
	if d.t.Name == crash.WorldArrived && d.meant(c) {
		d.strike.Do(d.kill)
		if d.t.victim != rig.Control {
			return errors.New("the caller is dead")
		}
	}
	return nil
}

// after strikes when a call was applied and not answered.
func (d *director) after(c rig.Call) {
	if d.t.Name == crash.WorldApplied && d.meant(c) {
		d.strike.Do(d.kill)
	}
}

// meant reports whether the strike is meant for this call.
func (d *director) meant(c rig.Call) bool {
	return c.N == 1 && (d.t.pass == letter) == c.Letter() && (c.Letter() || strings.HasSuffix(c.Path, "/refund"))
}

// kill kills the victims, from here, and logs that as they would.
func (d *director) kill() {
	if err := os.WriteFile(d.log(), []byte(d.t.Name+"\n"), 0o600); err != nil {
		return // then the point was not hit, which fails the trial
	}
	for _, role := range d.t.roles() {
		d.s.Proc(role).Kill()
	}
	if d.t.victim == database {
		_ = d.s.KillPostgres() // if it could not be done, it is not down, which fails the trial
	}
}

// struck waits until the victims are dead, and makes sure that the point was
// hit and nobody else died.
func (d *director) struck(ctx context.Context, end *ending) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if d.t.victim == frozen {
		return d.froze(ctx, end)
	}
	// The execution may end at the very moment of the strike.
	var late <-chan time.Time
	over := end.over
	for !d.dead() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s was not killed: %w", d.t.victim, d.notHit())
		case <-over:
			late, over = time.After(5*time.Second), nil
		case <-late:
			return fmt.Errorf("the execution ended and %s was not killed: %w", d.t.victim, d.notHit())
		}
	}
	return d.notHit()
}

// dead reports whether every victim is: one process of each role, or the
// database.
func (d *director) dead() bool {
	if d.t.victim == database {
		return d.s.PostgresDown()
	}
	for _, role := range d.t.roles() {
		if !slices.ContainsFunc(d.t.names(role), func(name string) bool { return d.s.Proc(name).Ended() }) {
			return false
		}
	}
	return true
}

// errNotHit means that the trial proves nothing.
var errNotHit = errors.New("the point was not hit")

func (d *director) notHit() error {
	said, err := os.ReadFile(d.log())
	if err != nil || strings.TrimSpace(string(said)) != d.t.Name {
		return fmt.Errorf("%w: the log says %q", errNotHit, said)
	}
	return nil
}

// missing are the processes that are not there. The twin of a frozen one does
// its work; without a twin another one is started.
func (d *director) missing() []string {
	var names []string
	for _, role := range []string{rig.Control, rig.Steps} {
		for _, name := range d.t.names(role) {
			p := d.s.Proc(name)
			if p == nil || p.Ended() || d.t.victim == frozen && !d.t.pairs && slices.Contains(d.t.roles(), role) {
				names = append(names, name)
			}
		}
	}
	return names
}

// An ending is how an execution ended.
type ending struct {
	over    chan struct{} // closed when it has; what follows is set before
	receipt *contract.Receipt
	err     error // why there is no receipt: a violation
}

// wait waits for the end of x.
func (d *director) wait(ctx context.Context, x *starter.Execution) *ending {
	e := &ending{over: make(chan struct{})}
	go func() {
		ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, fmt.Errorf("it was given %v", 2*patience))
		defer cancel()
		defer close(e.over)
		receipt, err := x.Wait(ctx)
		var verdict *starter.VerdictError
		if err == nil || errors.As(err, &verdict) {
			e.receipt = receipt
			return
		}
		e.err = err
	}()
	return e
}

// cancelOnceOrdered cancels the execution when its first step was handed out
// and there is nobody to do it.
func (d *director) cancelOnceOrdered(ctx context.Context, x *starter.Execution) error {
	for {
		p, err := d.s.Agent.Progress(ctx, x.ID())
		if err == nil && len(p.Steps) > 0 && p.Steps[0].State == contract.StepRunning {
			return x.Cancel(ctx)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// compare holds the world's books against the proof, when nothing runs any
// more.
func (d *director) compare(ctx context.Context, x *starter.Execution, res *result) error {
	proof, err := d.s.Agent.Proof(ctx, x.ID())
	if err != nil {
		return err
	}
	data, err := proof.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.s.Path("proof.json"), data, 0o600); err != nil {
		return err
	}
	d.s.StopProcs()
	if err := d.s.World.Settle(); err != nil {
		return err
	}
	if res.books, err = d.s.World.Books(ctx); err != nil {
		return err
	}
	res.effects = len(res.books.Effects)
	if res.facts, err = rig.FactsOf(d.s.Trust, proof); err != nil {
		res.wrong = append(res.wrong, err.Error())
		return nil
	}
	res.wrong = append(res.wrong, rig.Compare(res.facts, res.books)...)
	return nil
}

// request is what is asked for: something to read, something that can be
// repeated, and something that cannot.
func request(t trial) *evidence.Request {
	steps := []evidence.Step{rig.Lookup("lookup")}
	last := "lookup"
	for i := range lookups {
		if t.long {
			id := fmt.Sprintf("lookup%d", i)
			steps = append(steps, rig.Lookup(id, last))
			last = id
		}
	}
	steps = append(steps, rig.Refund("refund", last), rig.Letter("letter", "refund"))
	return rig.Request(t.name(), "to be killed at "+t.Name, steps...)
}
