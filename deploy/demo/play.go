package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

// patience bounds one execution. It is far more than one takes on a busy
// machine.
const patience = 3 * time.Minute

// A cast is one execution while it is played.
type cast struct {
	execution *starter.Execution
	steps     map[string]string // idempotency key to step
	since     mark              // where the desk's books stood before
	turned    time.Time         // when something happened to it; zero if nothing did
	notes     []string
}

// play plays one scene.
func (s *stage) play(sc scene) (*account, error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, patience, fmt.Errorf("it was given %v", patience))
	defer cancel()
	c := &cast{}
	var err error
	if c.since, err = s.shop.mark(ctx); err != nil {
		return nil, err
	}
	if err := sc.before.take(ctx, s, c); err != nil {
		return nil, err
	}
	began := time.Now()
	receipt, err := s.execute(ctx, sc, c)
	if err != nil {
		return nil, err
	}
	ended := time.Now()
	if err := sc.after.take(ctx, s, c); err != nil {
		return nil, err
	}
	proof, err := s.save(ctx, sc.name, c.execution)
	if err != nil {
		return nil, err
	}
	a := &account{name: sc.name, receipt: receipt, took: ended.Sub(began), notes: c.notes, url: s.urlOf(c.execution)}
	if !c.turned.IsZero() {
		a.notes = append(a.notes, fmt.Sprintf("%s after that, it was sealed as %s", round(ended.Sub(c.turned)), receipt.Verdict))
	}
	if a.facts, err = s.gather(ctx, c, receipt, proof); err != nil {
		return nil, err
	}
	a.compare(sc.want)
	return a, nil
}

// execute asks for the execution and waits for its verdict, whatever that is.
func (s *stage) execute(ctx context.Context, sc scene, c *cast) (*contract.Receipt, error) {
	x, err := s.agent.Start(ctx, &evidence.Request{
		ID: sc.name, Purpose: sc.title, Policy: "order-desk", Steps: sc.plan,
		Context: map[string]string{"ticket": "T-1041", "customer": sc.ticket},
	})
	if err != nil {
		return nil, err
	}
	c.execution, c.steps = x, map[string]string{}
	for _, p := range sc.plan {
		c.steps[evidence.IdempotencyKey(x.Request(), p.ID)] = p.ID
	}
	if err := sc.during.take(ctx, s, c); err != nil {
		return nil, err
	}
	receipt, err := x.Wait(ctx)
	var verdict *starter.VerdictError
	if err != nil && !errors.As(err, &verdict) {
		return nil, err
	}
	return receipt, nil
}

// save writes the proof and the history of an execution that ended.
func (s *stage) save(ctx context.Context, name string, x *starter.Execution) (*evidence.Proof, error) {
	proof, err := s.agent.Proof(ctx, x.ID())
	if err != nil {
		return nil, err
	}
	data, err := proof.Encode()
	if err != nil {
		return nil, err
	}
	history, err := s.agent.History(ctx, x.ID(), x.Run())
	if err != nil {
		return nil, err
	}
	return proof, errors.Join(s.folder.write(s.folder.proof(name), data), s.folder.write(s.folder.history(name), history))
}

func (s *stage) urlOf(x *starter.Execution) string {
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", s.temporal.UI, s.temporal.Namespace, x.ID())
}
