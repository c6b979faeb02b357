package activities

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/interlock-run/interlock/activities/executor"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// A sender calls the executor of one attempt, and lets it send nothing but
// what was compared with the decision.
type sender func(context.Context) (json.RawMessage, error)

// senderOf returns the sender of a call, and the digest of what it sends: of
// the request, for an action over HTTP, which is made here and once; and of
// the arguments for every other action, because those are what its code is
// handed.
func senderOf(a *catalogue.Action, e executor.Executor, c executor.Call) (sender, evidence.Digest, error) {
	if a.HTTP == nil {
		send := func(ctx context.Context) (json.RawMessage, error) { return e.Execute(ctx, c) }
		return send, evidence.ValueDigest(c.Args), nil
	}
	p, ok := e.(executor.Preparer)
	if !ok {
		return nil, evidence.Digest{}, fmt.Errorf("the executor of %s cannot say what it is about to send", a.Name)
	}
	prepared, err := p.Prepare(c)
	if err != nil {
		return nil, evidence.Digest{}, err
	}
	send := func(ctx context.Context) (json.RawMessage, error) { return p.Send(ctx, c, prepared) }
	return send, prepared.Digest(), nil
}

// requestsOf returns what makes the requests of the actions over HTTP. It
// knows no secrets: the control plane works out what a step worker will send.
func requestsOf(cat *catalogue.Catalogue) (map[string]*executor.Requests, error) {
	requests := map[string]*executor.Requests{}
	for _, name := range cat.Names() {
		a, _ := cat.Action(name)
		if a.HTTP == nil {
			continue
		}
		r, err := executor.NewRequests(a.HTTP)
		if err != nil {
			return nil, fmt.Errorf("%w: action %s: %w", ErrConfig, name, err)
		}
		requests[name] = r
	}
	return requests, nil
}

// sends returns the digest of what a step will send, or why that cannot be
// known.
func (c *Control) sends(s *evidence.Step, key string) (evidence.Digest, error) {
	r := c.requests[s.Action]
	if r == nil {
		return evidence.ValueDigest(s.Args), nil
	}
	p, err := r.Prepare(executor.Call{Step: s.ID, Action: s.Action, Args: s.Args, Key: key})
	if err != nil {
		return evidence.Digest{}, err
	}
	return p.Digest(), nil
}
