package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keysource"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/config"
)

const (
	// configVariable names the configuration where no flag does.
	configVariable = "INTERLOCK_CONFIG"
	// dialFor is how long a server may take to answer the first call.
	dialFor = 5 * time.Second
)

func (a *app) configFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.config, "config", "c", "", "interlock.yaml, or the folder it is in (default: $"+configVariable+", or ./"+config.Name+")")
}

// load reads the configuration.
func (a *app) load() (*config.File, error) {
	path := a.config
	if path == "" {
		path = a.env(configVariable)
	}
	if path == "" {
		path = config.Name
	}
	return config.Load(path)
}

// A session is what the commands that talk to Temporal have in common.
type session struct {
	*starter.Starter
	file   *config.File
	client client.Client
}

// open prepares a session without talking to anybody. Sign says whether the
// principal's key is needed.
func (a *app) open(sign bool) (*session, error) {
	return a.openWith(func(f *config.File, s *starter.Config) (err error) {
		if sign {
			s.Principal, err = loadKey(f, "principal", f.Keys.Principal)
		}
		return err
	})
}

// loadKey reads a key that the configuration names.
func loadKey(f *config.File, role, path string) (*evidence.Signer, error) {
	if path == "" {
		return nil, usage("%s: keys.%s is missing: want the path of the key to sign with", f.Source(), role)
	}
	return oneKey("keys."+role, f.Key(path))
}

// oneKey reads the key to sign with from where name says that it is.
func oneKey(name, source string) (*evidence.Signer, error) {
	keys, err := keysource.Load(source)
	switch {
	case err != nil:
		return nil, usage("%s: %w", name, err)
	case len(keys) > 1:
		return nil, usage("%s: %d keys are there: want one to sign with", name, len(keys))
	}
	return keys[0], nil
}

// openWith is open with the keys that the caller needs.
func (a *app) openWith(keys func(*config.File, *starter.Config) error) (*session, error) {
	f, err := a.load()
	if err != nil {
		return nil, err
	}
	trust, err := f.ReadTrust()
	if err != nil {
		return nil, err
	}
	c, err := client.NewLazyClient(client.Options{
		HostPort: f.Temporal.Address, Namespace: f.Temporal.Namespace,
		Identity: "interlock", // the default names the host and its user
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, fmt.Errorf("couldn't prepare a client for Temporal at %s: %w", f.Temporal.Address, err)
	}
	s := starter.Config{Client: c, Trust: trust, Queue: f.Queues.Control, Namespace: f.Temporal.Namespace}
	if err := keys(f, &s); err != nil {
		c.Close()
		return nil, err
	}
	opened := &session{file: f, client: c}
	if opened.Starter, err = starter.New(s); err != nil {
		c.Close()
		return nil, err
	}
	return opened, nil
}

// reach makes sure that Temporal answers.
func (s *session) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	if _, err := s.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return withHint(
			fmt.Errorf("couldn't reach Temporal at %s: %w", s.file.Temporal.Address, err),
			"is it running? for development: interlockd dev; else correct temporal.address in "+config.Name)
	}
	return nil
}

// connect is open and reach.
func (a *app) connect(ctx context.Context) (*session, error) {
	s, err := a.open(false)
	if err != nil {
		return nil, err
	}
	if err := s.reach(ctx); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}
