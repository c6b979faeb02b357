//go:build !unix

package pgserver

import (
	"context"
	"errors"
)

// The users of a server.
const (
	Superuser = "postgres"
	Asked     = "asked"
)

// Disk is a folder.
const Disk = "."

// Memory is [Disk] on this system.
func Memory() string { return Disk }

// A Server cannot be run on this system.
type Server struct{}

var errUnix = errors.New("PostgreSQL is run for tests on Unix only")

// New cannot be done on this system.
func New(context.Context, string) (*Server, error) { return nil, errors.Join(ErrMissing, errUnix) }

// Start cannot be done on this system.
func (*Server) Start(context.Context) error { return errUnix }

// Stop does nothing on this system.
func (*Server) Stop() error { return nil }

// PID cannot be told on this system.
func (*Server) PID() (int, error) { return 0, errUnix }

// Kill cannot be done on this system.
func (*Server) Kill() error { return errUnix }

// Down is always true on this system.
func (*Server) Down() bool { return true }

// URL returns nothing on this system.
func (*Server) URL(string, string) string { return "" }

// SQL cannot be done on this system.
func (*Server) SQL(context.Context, string, string) error { return errUnix }

// CreateDatabase cannot be done on this system.
func (*Server) CreateDatabase(context.Context, string) (string, error) { return "", errUnix }

// DropDatabase cannot be done on this system.
func (*Server) DropDatabase(context.Context, string) error { return errUnix }
