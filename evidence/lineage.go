package evidence

import (
	"errors"
	"fmt"
)

// ErrUngoverned means that records do not show a governed execution.
var ErrUngoverned = errors.New("not governed")

// A Lineage is what an execution's records say, read one by one in the order
// of their chain. [Lineage.Add] refuses a record that a governed execution
// could not have: the control plane adds each record before it is stored, the
// verifier adds each record of a proof, and both hold it to the same rules.
//
// A Lineage neither verifies signatures nor computes links; see [Trust.Open]
// and [Chain]. Who is who it knows from [Record.Holder], so its records must
// have been opened; [ReadUnverified] is for the others. The zero Lineage is
// empty and ready. It is not safe for concurrent use.
type Lineage struct {
	count    int
	subject  Subject
	request  *Record
	grant    *Record
	bound    Binding   // the run that the next record must be bound to
	handed   *Record   // the handover that nobody has taken over yet
	refusal  *Decision // the denial of the request
	steps    map[string]*lineageStep
	signals  uint64
	stopped  string // why no step may be allowed any more; empty if one may
	tripped  string // the failed check that a halt must follow; empty if none
	halt     *Halt
	seal     *Seal
	sealed   Digest // record digest of the seal
	last     Time   // of the control plane's records
	lease    Lease
	renewed  uint64   // number of the lease of the newest good signal
	orders   Position // of the chain of orders, as decisions knew it
	watched  Position // the same, as signals knew it
	order    *Record
	rejected map[Digest]bool // messages
	signers  map[string]bool // ids of the keys that signed records

	unverified bool // see ReadUnverified
}

// lineageStep is what the records say of one step of the plan.
type lineageStep struct {
	plan     *Step
	decision *Record // the one that stands
	wait
	outcome  *Outcome
	resolved *Resolution
}

// Add reads the next record, or returns [ErrUngoverned] and leaves l as it
// was.
func (l *Lineage) Add(r *Record) error {
	if l.seal != nil && r.Kind() != KindResolution {
		return ungoverned(r, "it comes after the seal")
	}
	if l.count > 0 && r.Kind() != KindRequest && r.Kind() != KindOrder && r.Subject != l.about() {
		return ungoverned(r, "it is about another execution")
	}
	if l.handed != nil && !afterHandover(r.Kind()) {
		return ungoverned(r, "the run has handed over, and no other has taken over")
	}
	if err := l.add(r); err != nil {
		return err
	}
	if l.count == 0 {
		l.subject = r.Subject
	}
	l.count++
	l.sign(r)
	if RoleFor(r.Kind()) == RoleAuthority || r.Kind() == KindSeal {
		l.last = max(l.last, r.Predicate.When())
	}
	return nil
}

func (l *Lineage) add(r *Record) error {
	switch p := r.Predicate.(type) {
	case *Request:
		return l.addRequest(r, p)
	case *Grant:
		return l.addGrant(r, p)
	case *Decision:
		return l.addDecision(r, p)
	case *Outcome:
		return l.addOutcome(r, p)
	case *Signal:
		return l.addSignal(r, p)
	case *Handover:
		return l.addHandover(r, p)
	case *Takeover:
		return l.addTakeover(r, p)
	case *Halt:
		return l.addHalt(r, p)
	case *Seal:
		return l.addSeal(r, p)
	case *Resolution:
		return l.addResolution(r, p)
	case *Approval:
		return l.addApproval(r, p)
	case *Order:
		return l.addOrder(r, p)
	case *Rejection:
		return l.addRejection(r, p)
	}
	return ungoverned(r, "its kind is unknown")
}

// about is the subject that every record after the first must have.
func (l *Lineage) about() Subject {
	if l.request != nil {
		return Subject{Execution: l.request.Subject.Execution, Digest: l.request.Digest}
	}
	return l.subject
}

func (l *Lineage) addRequest(r *Record, p *Request) error {
	plan, err := PlanDigest(p.Steps)
	switch {
	case l.count != 0:
		return ungoverned(r, "a request comes first")
	case err != nil || r.Subject != Subject{Execution: p.ID, Digest: plan}:
		return ungoverned(r, "its subject is not its plan")
	}
	l.request = r
	l.steps = make(map[string]*lineageStep, len(p.Steps))
	for i := range p.Steps {
		l.steps[p.Steps[i].ID] = &lineageStep{plan: &p.Steps[i]}
	}
	return nil
}

func (l *Lineage) addGrant(r *Record, g *Grant) error {
	req := l.Request()
	switch {
	case req == nil || l.count != 1:
		return ungoverned(r, "a grant comes right after the request")
	case g.Request != l.request.Digest:
		return ungoverned(r, "it grants another request")
	case g.Principal != req.Principal || g.Policy.Name != req.Policy:
		return ungoverned(r, "its principal or policy is not the request's")
	case g.Binding.Workflow != req.ID || g.Binding.Run == "" || g.Binding.Namespace == "" || g.Binding.Queue == "":
		return ungoverned(r, "it is not bound to a run of workflow %q", req.ID)
	case g.Policy.Digest.IsZero() || g.Policy.Version == 0 || g.Catalogue.IsZero():
		return ungoverned(r, "it pins no policy or no catalogue")
	case g.Expires > req.Expires || g.Expires <= g.At:
		return ungoverned(r, "it outlives the request")
	case !rulesAllow(g.Rules):
		return ungoverned(r, "its rules do not allow")
	case !probesOK(g.Probes):
		return ungoverned(r, "a probe failed")
	case g.Lease.Number != 1 || !leaseFits(g.Lease, g.At, g.Terms):
		return ungoverned(r, "its lease is not the first, or too long")
	}
	l.grant, l.bound, l.lease = r, g.Binding, g.Lease
	l.orders, l.watched = g.Orders, g.Orders
	return nil
}

func (l *Lineage) addSignal(r *Record, s *Signal) error {
	g := l.Grant()
	if err := l.belongs(r, s.Grant, s.Binding); err != nil {
		return err
	}
	good := probesOK(s.Probes)
	switch {
	case s.Number != l.signals+1:
		return ungoverned(r, "it is signal %d after signal %d", s.Number, l.signals)
	case s.Measured == 0 || s.From <= 0 || s.At < s.From:
		return ungoverned(r, "it measured nothing")
	case good && (s.Lease.Number <= max(1, l.renewed) || !leaseFits(s.Lease, s.At, g.Terms)):
		return ungoverned(r, "its lease is too long, or no renewal")
	case !good && s.Lease != Lease{}:
		return ungoverned(r, "it renews the lease although a probe failed")
	case !s.Orders.follows(l.watched):
		return ungoverned(r, "it knows fewer or other orders than the signal before it")
	}
	for _, w := range s.Workers {
		if d, _ := l.Decided(w.Step); d == nil || !d.Effect.Allows() {
			return ungoverned(r, "a worker attested to step %.60q, which was not allowed", w.Step)
		}
	}
	l.signals++
	l.watched = s.Orders
	if good {
		l.renewed = s.Lease.Number
		return nil
	}
	l.stop("an integrity probe failed")
	l.trip("probe." + firstBad(s.Probes))
	return nil
}

func (l *Lineage) addHalt(r *Record, h *Halt) error {
	if err := l.belongs(r, h.Grant, h.Binding); err != nil {
		return err
	}
	if h.Check == "" || h.At < l.last {
		return ungoverned(r, "it names no check, or is older than the record before it")
	}
	l.halt, l.handed = h, nil
	l.stop("the execution was halted")
	return nil
}

// belongs reports whether a record belongs to the run that has the execution
// now, and may still come.
func (l *Lineage) belongs(r *Record, grant Digest, b Binding) error {
	switch {
	case l.grant == nil:
		return ungoverned(r, "there is no grant")
	case grant != l.grant.Digest:
		return ungoverned(r, "it names another grant")
	case b != l.bound:
		return ungoverned(r, "it is bound to another run")
	case l.halt != nil:
		return ungoverned(r, "it comes after the halt")
	}
	return nil
}

// rulesAllow reports whether at least one rule allows and none denies or
// failed.
func rulesAllow(rules []RuleResult) bool {
	allowed := false
	for _, r := range rules {
		if !r.Effect.Allows() || r.Error != "" || !r.complete() {
			return false
		}
		allowed = true
	}
	return allowed
}

// probesOK reports whether at least one probe was asked and all answered ok.
func probesOK(probes []Probe) bool {
	for _, p := range probes {
		if p.Status != ProbeOK {
			return false
		}
	}
	return len(probes) > 0
}

// firstBad returns the name of the first probe that is not ok.
func firstBad(probes []Probe) string {
	for _, p := range probes {
		if p.Status != ProbeOK {
			return p.Name
		}
	}
	return "none"
}

// stop notes the first reason why no step may be allowed any more.
func (l *Lineage) stop(why string) {
	if l.stopped == "" {
		l.stopped = why
	}
}

// trip notes the first failed check.
func (l *Lineage) trip(check string) {
	if l.tripped == "" {
		l.tripped = check
	}
}

// leaseFits reports whether l, signed at the given time, is live then, no
// longer than the terms say, and has a nonce.
func leaseFits(l Lease, at Time, t Terms) bool {
	return l.Until > at && int64(l.Until-at) <= t.LeaseMS && nonceForm.MatchString(l.Nonce)
}

// renews reports whether l can follow old: it is the same lease, or a later
// one that does not end sooner. A lease never gets longer under its number.
func (l Lease) renews(old Lease) bool {
	if l.Number == old.Number {
		return l == old
	}
	return l.Number > old.Number && l.Until >= old.Until && l.Nonce != old.Nonce
}

func ungoverned(r *Record, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrUngoverned, r.Kind(), fmt.Sprintf(format, args...))
}
