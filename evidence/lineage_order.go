package evidence

// sign notes who signed r.
func (l *Lineage) sign(r *Record) {
	if l.signers == nil {
		l.signers = map[string]bool{}
	}
	for _, s := range r.Envelope.Signatures {
		l.signers[s.KeyID] = true
	}
}

// Signed reports whether the key with the given id signed a record.
func (l *Lineage) Signed(key string) bool { return l.signers[key] }

// Concerns reports whether o stops this execution, or would have kept it from
// beginning. A scope of an unknown kind is about every execution. Whether the
// order was meant for this trust domain is for the caller to ask.
func (l *Lineage) Concerns(o *Order) bool {
	if o.Does == Restore {
		return false
	}
	req := l.Request()
	switch o.Scope.Kind {
	case ScopeExecution:
		return l.about().Execution == o.Scope.Value
	case ScopePrincipal:
		return req != nil && (l.unverified || req.Principal == o.Scope.Value || l.request.Holder == o.Scope.Value)
	case ScopePolicy:
		return req != nil && req.Policy == o.Scope.Value
	case ScopeAction:
		return l.stillDoes(o.Scope.Value)
	case ScopeKey:
		return l.signers[o.Scope.Value]
	}
	return true
}

// stillDoes reports whether a step with the action has not ended.
func (l *Lineage) stillDoes(action string) bool {
	for _, s := range l.steps {
		if s.plan.Action == action && s.outcome == nil {
			return true
		}
	}
	return false
}

func (l *Lineage) addOrder(r *Record, o *Order) error {
	switch {
	case l.grant == nil:
		return ungoverned(r, "there is no grant")
	case l.halt != nil:
		return ungoverned(r, "it comes after the halt")
	case l.order != nil:
		return ungoverned(r, "an order has stopped the execution before")
	case r.Subject != o.Subject():
		return ungoverned(r, "its subject is not its scope")
	case !l.Concerns(o):
		return ungoverned(r, "it does not stop this execution: it is to %s %s", o.Does, o.Scope)
	}
	l.order = r
	l.stop("an order stopped it")
	l.trip(o.Check())
	return nil
}

// Ordered returns the order that stopped the execution, or nil.
func (l *Lineage) Ordered() *Record { return l.order }

// Orders returns how many orders the newest grant, takeover, or decision that
// does not deny knew.
func (l *Lineage) Orders() uint64 { return l.orders.Seq }

// follows reports whether an authority that knew the chain of orders up to old
// can know it up to p: it is the same chain, or a longer one. A denial needs
// to know nothing.
func (p Position) follows(old Position) bool { return p == old || p.Seq > old.Seq }

func (l *Lineage) addRejection(r *Record, p *Rejection) error {
	if err := l.belongs(r, p.Grant, p.Binding); err != nil {
		return err
	}
	if p.Cause == "" || p.Message.IsZero() || p.At < l.last {
		return ungoverned(r, "it has no cause or names no message, or is older than the record before it")
	}
	if l.rejected[p.Message] {
		return ungoverned(r, "the message was rejected before")
	}
	if l.rejected == nil {
		l.rejected = map[Digest]bool{}
	}
	l.rejected[p.Message] = true
	return nil
}

// Rejected reports whether a message was rejected, and how many were.
func (l *Lineage) Rejected(message Digest) (bool, int) { return l.rejected[message], len(l.rejected) }
