package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/deploy/daemon"
	"github.com/interlock-run/interlock/deploy/devserver"
	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
	"github.com/interlock-run/interlock/starter"
)

// A stage is everything that runs.
type stage struct {
	ctx    context.Context // ends when one of interlockd's processes does
	fail   context.CancelCauseFunc
	folder folder

	cli, program string // the Temporal CLI, and interlockd
	temporal     *devserver.Server
	shop         *shop
	daemons      []*process
	client       client.Client
	agent        *starter.Starter // the support agent
}

// openStage makes the folder and starts everything. Nothing is left running
// after an error.
func openStage(ctx context.Context, o options, out *screen) (*stage, error) {
	s := &stage{}
	s.ctx, s.fail = context.WithCancelCause(ctx)
	for _, part := range []struct {
		name string
		open func(options, *screen) (string, error)
	}{
		{"folder", s.openFolder},
		{"Temporal CLI", s.findCLI},
		{"interlockd", s.build},
		{"Temporal", s.openTemporal},
		{"order desk", s.openShop},
		{"interlockd", s.openDaemons},
	} {
		err := out.during(part.name, func() (string, error) { return part.open(o, out) })
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", part.name, err), s.close())
		}
	}
	return s, nil
}

// close ends everything. What was never started is passed over.
func (s *stage) close() error {
	var err error
	s.stopDaemons()
	if s.client != nil {
		s.client.Close()
	}
	if s.shop != nil {
		err = errors.Join(err, s.shop.close())
	}
	if s.temporal != nil {
		err = errors.Join(err, s.temporal.Stop())
	}
	s.fail(nil)
	return err
}

func (s *stage) openFolder(o options, _ *screen) (said string, err error) {
	s.folder, err = makeFolder(o.dir)
	return relative(o.dir), err
}

func (s *stage) findCLI(_ options, out *screen) (said string, err error) {
	s.cli, err = devserver.Find(s.ctx, out)
	return relative(s.cli), err
}

func (s *stage) build(o options, _ *screen) (said string, err error) {
	s.program, err = daemon.Build(s.ctx, o.root, "", "")
	return relative(s.program), err
}

func (s *stage) openTemporal(o options, _ *screen) (said string, err error) {
	s.temporal, err = devserver.Start(s.ctx, devserver.Options{
		Binary: s.cli, Dir: s.folder.path("temporal"), DB: s.folder.path("temporal/temporal.db"), UIPort: o.uiPort,
	})
	if err != nil {
		return "", err
	}
	s.client, err = s.temporal.Client(s.ctx, client.Options{Identity: "demo", Logger: quiet()})
	return fmt.Sprintf("%s, UI %s", s.temporal.Address, s.temporal.UI), err
}

func (s *stage) openShop(options, *screen) (string, error) {
	token, err := s.folder.makeToken()
	if err != nil {
		return "", err
	}
	shop, err := openShop(s.ctx, s.folder.path("desk.db"), token)
	if err != nil {
		return "", err
	}
	s.shop = shop
	return "http://" + shop.address, nil
}

func (s *stage) openDaemons(options, *screen) (string, error) {
	if err := s.folder.configure(addresses{Temporal: s.temporal.Address, Desk: s.shop.address}); err != nil {
		return "", err
	}
	if err := s.startDaemons(s.ctx); err != nil {
		return "", err
	}
	return s.describeDaemons(), s.openAgent()
}

// openAgent makes the starter that the support agent uses, with its own key.
func (s *stage) openAgent() error {
	data, err := os.ReadFile(s.folder.path("trust.json"))
	if err != nil {
		return err
	}
	trust, err := evidence.ParseTrust(data)
	if err != nil {
		return err
	}
	key, err := keyfile.Load(s.folder.keyPath("agent", "support-agent"))
	if err != nil {
		return err
	}
	s.agent, err = starter.New(starter.Config{Client: s.client, Trust: trust, Queue: "interlock", Principal: key})
	return err
}
