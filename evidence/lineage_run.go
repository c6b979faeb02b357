package evidence

// BindingOf returns the run that a record is bound to; false for a request,
// which is made before there is one, and an order, which is about many.
func BindingOf(p Predicate) (Binding, bool) {
	switch p := p.(type) {
	case *Grant:
		return p.Binding, true
	case *Decision:
		return p.Binding, true
	case *Outcome:
		return p.Binding, true
	case *Signal:
		return p.Binding, true
	case *Handover:
		return p.Binding, true
	case *Takeover:
		return p.Binding, true
	case *Halt:
		return p.Binding, true
	case *Seal:
		return p.Binding, true
	case *Resolution:
		return p.Binding, true
	case *Attestation:
		return p.Binding, true
	case *Approval:
		return p.Binding, true
	case *Rejection:
		return p.Binding, true
	}
	return Binding{}, false
}

// A chain passes from one run of a workflow to the next by two records: the
// handover is the last of the one run, the takeover the first of the other.

// afterHandover reports whether a record may follow a handover: as long as
// nobody has taken over, the run that handed over may still end the execution.
// That is how it ends if somebody asks it to stop in the same moment.
func afterHandover(k Kind) bool { return k == KindTakeover || k == KindHalt || k == KindSeal }

func (l *Lineage) addHandover(r *Record, h *Handover) error {
	if err := l.belongs(r, h.Grant, h.Binding); err != nil {
		return err
	}
	switch {
	case l.stopped != "":
		return ungoverned(r, "nothing is left to hand over: %s", l.stopped)
	case h.Epoch != h.Binding.Epoch+1:
		return ungoverned(r, "epoch %d does not follow epoch %d", h.Epoch, h.Binding.Epoch)
	case h.At < l.last:
		return ungoverned(r, "it is older than the record before it")
	}
	for id, s := range l.steps {
		if s.decision != nil && s.outcome == nil {
			return ungoverned(r, "step %q has not ended", id)
		}
	}
	l.handed = r
	return nil
}

func (l *Lineage) addTakeover(r *Record, t *Takeover) error {
	next := l.bound
	next.Run, next.Epoch = t.Binding.Run, l.bound.Epoch+1
	good := probesOK(t.Probes)
	switch {
	case l.handed == nil || t.Handover != l.handed.Digest:
		return ungoverned(r, "it takes over what was not handed over")
	case t.Grant != l.grant.Digest:
		return ungoverned(r, "it names another grant")
	case t.Binding != next || t.Binding.Run == "" || t.Binding.Run == l.bound.Run:
		return ungoverned(r, "it is not bound to another run in epoch %d", next.Epoch)
	case t.At < l.last:
		return ungoverned(r, "it is older than the record before it")
	case !t.Orders.follows(l.orders) || !t.Orders.follows(l.watched):
		return ungoverned(r, "it knows fewer or other orders than the records before it")
	case good && (t.Lease.Number <= max(l.lease.Number, l.renewed) || !leaseFits(t.Lease, t.At, l.Grant().Terms)):
		return ungoverned(r, "its lease is too long, or no renewal")
	case !good && t.Lease != Lease{}:
		return ungoverned(r, "it renews the lease although a probe failed")
	}
	l.handed, l.bound = nil, t.Binding
	l.orders, l.watched = t.Orders, t.Orders
	if good {
		l.lease, l.renewed = t.Lease, t.Lease.Number
		return nil
	}
	l.stop("an integrity probe failed")
	l.trip("probe." + firstBad(t.Probes))
	return nil
}
