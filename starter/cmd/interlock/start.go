package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

// startFlags are the flags of start.
type startFlags struct {
	id       string
	signed   string
	signOnly bool
	wait     bool
	detach   bool
}

func (a *app) startCommand() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use:   "start [REQUEST.yaml | -]",
		Short: "Sign a request, start its execution, and wait for the verdict",
		Long: `Signs a request with the principal's key, starts its execution, and waits for
the verdict, which is the exit code. Interrupting it does not stop the
execution: interlock watch ID goes on waiting.

A request is YAML:

  id: refund-0042             # optional: random if it is left out
  purpose: refund order o-1   # why, for people and rules
  policy: refunds             # the bundle to be judged by
  context: {ticket: "42"}     # optional facts for rules
  expires_in: 10m             # optional, 1h by default
  steps:
    - id: lookup
      action: orders.read
      args: {order: o-1}
    - id: refund
      action: orders.refund
      needs: [lookup]         # optional: earlier steps that must be done
      args: {order: o-1, cents: 1250}`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.start(cmd.Context(), f, args) },
	}
	a.configFlag(cmd)
	cmd.Flags().StringVar(&f.id, "id", "", "id of the execution, in place of the request's")
	cmd.Flags().StringVar(&f.signed, "signed", "", "submit the envelope in this file as it is, whatever it is; needs --id")
	cmd.Flags().BoolVar(&f.signOnly, "sign-only", false, "write the signed request, and start nothing")
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait for the verdict")
	cmd.Flags().BoolVar(&f.detach, "detach", false, "do not wait for the verdict")
	return cmd
}

func (a *app) start(ctx context.Context, f startFlags, args []string) error {
	s, id, signed, err := a.request(f, args)
	if err != nil {
		return err
	}
	defer s.client.Close()
	if f.signOnly {
		a.encode(a.out, signed)
		return nil
	}
	if err := s.reach(ctx); err != nil {
		return err
	}
	x, err := s.Submit(ctx, id, signed)
	if err != nil {
		return err
	}
	if f.detach || !f.wait {
		a.started(x)
		return nil
	}
	if !a.json() {
		a.started(x)
	}
	return a.follow(ctx, s, x, a.quietly())
}

// request returns the signed request that the command line is about.
func (a *app) request(f startFlags, args []string) (*session, string, evidence.Envelope, error) {
	fail := func(err error) (*session, string, evidence.Envelope, error) { return nil, "", evidence.Envelope{}, err }
	if f.signed != "" {
		return a.signedElsewhere(f, args)
	}
	if err := exactly("REQUEST.yaml")(a.startUsage(), args); err != nil {
		return fail(err)
	}
	data, name, err := a.readInput(args[0])
	if err != nil {
		return fail(err)
	}
	r, err := parseRequest(name, data)
	if err != nil {
		return fail(err)
	}
	if f.id != "" {
		r.ID = f.id
	}
	s, err := a.open(true)
	if err != nil {
		return fail(err)
	}
	signed, err := s.Sign(r)
	if err != nil {
		s.client.Close()
		return fail(fmt.Errorf("%s: %w", name, err))
	}
	return s, r.ID, signed, nil
}

// startUsage is the command that messages about arguments name.
func (a *app) startUsage() *cobra.Command { return &cobra.Command{Use: "start REQUEST.yaml"} }

func (a *app) signedElsewhere(f startFlags, args []string) (*session, string, evidence.Envelope, error) {
	var none evidence.Envelope
	switch {
	case len(args) > 0:
		return nil, "", none, usage("--signed and %q: want one request", args[0])
	case f.id == "":
		return nil, "", none, usage("--signed needs --id: an envelope is submitted without being read")
	}
	data, name, err := a.readInput(f.signed)
	if err != nil {
		return nil, "", none, err
	}
	signed, err := parseEnvelope(name, data)
	if err != nil {
		return nil, "", none, err
	}
	s, err := a.open(false)
	return s, f.id, signed, err
}

// started says that an execution has begun.
func (a *app) started(x *starter.Execution) {
	if a.json() {
		a.encode(a.out, struct {
			Execution string          `json:"execution"`
			Run       string          `json:"run"`
			Request   evidence.Digest `json:"request"`
		}{x.ID(), x.Run(), x.Request()})
		return
	}
	a.rows(
		row{"execution", x.ID()},
		row{"run", x.Run()},
		row{"request", x.Request().Short()},
	)
}
