package evidence

import "fmt"

// Request returns the request, or nil if there is none in the chain.
func (l *Lineage) Request() *Request {
	if l.request == nil {
		return nil
	}
	return l.request.Predicate.(*Request)
}

// Grant returns the grant, or nil if there is none.
func (l *Lineage) Grant() *Grant {
	if l.grant == nil {
		return nil
	}
	return l.grant.Predicate.(*Grant)
}

// GrantDigest returns the record digest of the grant, or none.
func (l *Lineage) GrantDigest() Digest {
	if l.grant == nil {
		return Digest{}
	}
	return l.grant.Digest
}

// Subject returns the subject that every further record must have.
func (l *Lineage) Subject() Subject { return l.about() }

// Count returns the number of records.
func (l *Lineage) Count() int { return l.count }

// Last returns the time of the control plane's newest record. The next one
// must not be older.
func (l *Lineage) Last() Time { return l.last }

// Signals returns how many signals the chain holds.
func (l *Lineage) Signals() uint64 { return l.signals }

// Lease returns the newest lease that a grant or decision states.
func (l *Lineage) Lease() Lease { return l.lease }

// Renewed returns the number of the newest lease that a signal or takeover
// states, 0 if there is none.
func (l *Lineage) Renewed() uint64 { return l.renewed }

// Stopped returns why no step may be allowed any more, or "" if one may.
func (l *Lineage) Stopped() string { return l.stopped }

// Tripped returns the failed check that the records show and that a halt must
// follow, or "" if there is none.
func (l *Lineage) Tripped() string { return l.tripped }

// Refusal returns the denial of the request, or nil.
func (l *Lineage) Refusal() *Decision { return l.refusal }

// Halted returns the halt, or nil.
func (l *Lineage) Halted() *Halt { return l.halt }

// Sealed returns the seal, or nil.
func (l *Lineage) Sealed() *Seal { return l.seal }

// Decided returns the decision on a step and its record, or nils.
func (l *Lineage) Decided(step string) (*Decision, *Record) {
	s := l.steps[step]
	if s == nil || s.decision == nil {
		return nil, nil
	}
	return s.decision.Predicate.(*Decision), s.decision
}

// Ended returns the outcome of a step, or nil.
func (l *Lineage) Ended(step string) *Outcome {
	if s := l.steps[step]; s != nil {
		return s.outcome
	}
	return nil
}

// Past returns the steps that have ended, in the order of the plan.
func (l *Lineage) Past() []Past {
	past := []Past{}
	req := l.Request()
	if req == nil {
		return past
	}
	for _, p := range req.Steps {
		if o := l.steps[p.ID].outcome; o != nil {
			past = append(past, Past{
				Step: p.ID, Action: p.Action, Args: p.Args,
				Status: o.Status, Result: o.Result, At: o.At,
			})
		}
	}
	return past
}

// Binding returns the run that the grant or the denial is bound to, or the one
// that took over last.
func (l *Lineage) Binding() Binding { return l.bound }

// HandedOver returns the handover that nobody has taken over yet, or nil.
func (l *Lineage) HandedOver() *Record { return l.handed }

// ReadUnverified returns what records say that were only decoded: for showing,
// and for finding what to ask for next. It believes everybody, and as it does
// not know whose key is whose, it does not ask whether enough different people
// approved. It returns [ErrEnvelope], [ErrStatement], [ErrJSON] or
// [ErrUngoverned].
func ReadUnverified(records []Envelope) (*Lineage, error) {
	l := &Lineage{unverified: true}
	for i, e := range records {
		r, err := e.Decode()
		if err == nil {
			err = l.Add(r)
		}
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
	}
	return l, nil
}
