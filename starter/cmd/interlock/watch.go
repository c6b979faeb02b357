package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/workflows/contract"
)

// look is how often the progress of an execution is asked for.
const look = 200 * time.Millisecond

func (a *app) watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch ID",
		Short: "Show the progress of an execution until its verdict",
		Long: `Shows the progress of an execution and waits for the verdict, which is the exit
code. Progress is what the control plane says; the verdict is believed only
with a seal that the trust root believes, for the request that Temporal says
the execution was started with.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, x, _, err := a.attach(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer s.client.Close()
			return a.follow(cmd.Context(), s, x, a.screen())
		},
	}
	a.configFlag(cmd)
	return cmd
}

// attach finds an execution.
func (a *app) attach(ctx context.Context, id string) (*session, *starter.Execution, *starter.Found, error) {
	s, err := a.connect(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	found, err := s.Find(ctx, id)
	if err != nil {
		s.client.Close()
		return nil, nil, nil, err
	}
	x, err := s.Attach(ctx, id, found.Request.Digest())
	if err != nil {
		s.client.Close()
		return nil, nil, nil, err
	}
	return s, x, found, nil
}

// follow shows progress until the verdict is there, and then that.
func (a *app) follow(ctx context.Context, s *session, x *starter.Execution, v view) error {
	var receipt *contract.Receipt
	var err error
	waiting, over := context.WithCancel(ctx)
	defer over()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer over()
		receipt, err = x.Wait(ctx)
	}()
	for waiting.Err() == nil {
		p, asked := s.Progress(waiting, x.ID())
		switch {
		case asked == nil:
			v.show(p)
		case errors.Is(asked, starter.ErrUnanswered):
			v.silent()
		}
		select {
		case <-waiting.Done():
		case <-time.After(look):
		}
	}
	<-done
	if receipt != nil {
		v.end(resultOf(receipt).Steps)
		a.verdict(ctx, s, receipt)
	}
	return interrupted(ctx, x, err)
}

// interrupted explains that the execution goes on.
func interrupted(ctx context.Context, x *starter.Execution, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return withHint(err, "the execution goes on; wait for it again: interlock watch "+plain(x.ID()))
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status ID",
		Short: "Say where an execution stands",
		Long: `Says where an execution stands. The exit code is the verdict's if there is one,
and 0 while the execution runs.`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.status(cmd.Context(), args[0]) },
	}
	a.configFlag(cmd)
	return cmd
}

func (a *app) status(ctx context.Context, id string) error {
	s, x, found, err := a.attach(ctx, id)
	if err != nil {
		return err
	}
	defer s.client.Close()
	if !found.Open {
		if !a.json() {
			a.standing(x, found)
		}
		receipt, err := x.Wait(ctx)
		if receipt != nil {
			a.verdict(ctx, s, receipt)
		}
		return err
	}
	p, err := s.Progress(ctx, id)
	if a.json() && err == nil {
		a.encode(a.out, p)
		return nil
	}
	if !a.json() {
		a.standing(x, found)
	}
	if err != nil {
		return err
	}
	a.rows(row{"phase", p.Phase}, row{"records", fmt.Sprintf("%d, of them %d signals", p.Records, p.Signals)})
	if wrong := rejectedText(p); wrong != "" {
		a.rows(row{"rejected", wrong})
	}
	for _, line := range stepLines(p) {
		fmt.Fprintln(a.out, line)
	}
	return nil
}

// standing writes what Temporal says of an execution.
func (a *app) standing(x *starter.Execution, found *starter.Found) {
	state := "ended"
	if found.Open {
		state = "open"
	}
	a.rows(
		row{"execution", x.ID()},
		row{"run", x.Run()},
		row{"request", x.Request().Short()},
		row{"started", evidence.TimeOf(found.Started).String() + ", " + state},
	)
}
