package rig

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/interlock-run/interlock/deploy/pgserver"
	"github.com/interlock-run/interlock/evidence/store"
)

// Postgres is the name under which [Stage.PIDFile] has the id of the stage's own
// PostgreSQL.
const Postgres = "postgres"

// targets are the evidence store, as each role names it.
type targets struct{ control, steps string }

// users are created once for a server. Each has the rights of its role and no
// more.
const users = `DO $$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'trial_control') THEN
		CREATE ROLE trial_control LOGIN IN ROLE ` + store.GroupControl + `;
		CREATE ROLE trial_steps LOGIN IN ROLE ` + store.GroupSteps + `;
	END IF;
END $$`

// makeStore makes the evidence store of the stage.
func (s *Stage) makeStore(ctx context.Context, where Where) (targets, error) {
	s.store = s.Path("shared/evidence.db")
	server, err := s.serverFor(ctx, where)
	if server == nil || err != nil {
		return targets{s.store, s.store}, err
	}
	s.rig.mu.Lock() // users are the server's
	defer s.rig.mu.Unlock()
	database, err := server.CreateDatabase(ctx, "")
	if err != nil {
		return targets{}, err
	}
	s.store = server.URL(pgserver.Superuser, database)
	if err := store.Prepare(ctx, s.store); err != nil {
		return targets{}, err
	}
	if err := server.SQL(ctx, database, users); err != nil {
		return targets{}, err
	}
	return targets{server.URL("trial_control", database), server.URL("trial_steps", database)}, nil
}

// serverFor returns the server that a store is on; nil for a file.
func (s *Stage) serverFor(ctx context.Context, where Where) (server *pgserver.Server, err error) {
	switch where {
	case SharedServer:
		return s.rig.sharedServer(ctx)
	case OwnServer:
		if s.server, err = pgserver.New(ctx, pgserver.Disk); err == nil {
			err = s.notePostgres()
		}
		return s.server, err
	}
	return nil, nil
}

func (s *Stage) notePostgres() error {
	pid, err := s.server.PID()
	if err != nil {
		return err
	}
	return os.WriteFile(s.PIDFile(Postgres), []byte(strconv.Itoa(pid)), 0o600)
}

func (s *Stage) closeStore() error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// KillPostgres kills every process of the stage's own PostgreSQL.
func (s *Stage) KillPostgres() error { return s.server.Kill() }

// PostgresDown reports whether its first process is gone.
func (s *Stage) PostgresDown() bool { return s.server.Down() }

// RestartPostgres starts it again, on what is on its disk.
func (s *Stage) RestartPostgres(ctx context.Context) error {
	// What strikes from a point kills the first process; the rest is killed now.
	if err := s.server.Kill(); err != nil {
		return fmt.Errorf("couldn't kill the rest of PostgreSQL: %w", err)
	}
	return s.server.Start(ctx)
}

// sharedServer returns the server that stages share, which the first one starts.
func (r *Rig) sharedServer(ctx context.Context) (*pgserver.Server, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.postgres != nil {
		return r.postgres, nil
	}
	var err error
	r.postgres, err = pgserver.New(ctx, pgserver.Disk)
	return r.postgres, err
}
