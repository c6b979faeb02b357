package desk

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
)

// DefaultPackTime is how long shipping or weighing an order takes if [Config]
// does not say.
const DefaultPackTime = 5 * time.Second

// The errors returned by [Open] for a configuration it will not run with.
var (
	// ErrNoToken means that the token is empty or could not be sent in a header.
	ErrNoToken = errors.New("the desk needs a bearer token")
	// ErrNoFile means that there is no file to keep the desk's records in.
	ErrNoFile = errors.New("the desk needs a database file")
)

// Config holds what [Open] needs.
type Config struct {
	// Path is the SQLite file. It is created, and filled with the embedded
	// orders, if it is not there. Required: a desk without a file could not
	// prove anything after a restart.
	Path string
	// Token is the bearer token that callers must present. Required, printable
	// ASCII without spaces.
	Token string
	// PackTime is how long shipping takes before anything of it happens, and
	// how long an order is on the scale.
	// 0 means [DefaultPackTime].
	PackTime time.Duration
	// Log gets what callers are not told: why an answer was 500. nil means
	// nothing is logged.
	Log *zap.Logger
}

// A Desk is an open order desk. Its methods are safe for concurrent use; after
// [Desk.Close] they return errors.
type Desk struct {
	db       *sql.DB
	token    [sha256.Size]byte // of the bearer token: compared, never shown
	packTime time.Duration
	grace    time.Duration // for requests at work when Serve is told to stop
	log      *zap.Logger
	faults   faults
	keys     keyLocks

	// pack returns when the order is packed or weighed, or with ctx's error.
	// Tests replace it, and shorten grace, before the first request.
	pack func(ctx context.Context, orderID string) error
}

// Open opens the desk kept in c.Path, creating it if it is empty. It refuses a
// configuration with a hole in it, with [ErrNoToken] or [ErrNoFile].
//
// Several desks, in several processes, may have the same file open: whatever
// must happen once is enforced by the database. ctx bounds the opening only.
func Open(ctx context.Context, c Config) (*Desk, error) {
	c, err := c.complete()
	if err != nil {
		return nil, fmt.Errorf("opening the order desk: %w", err)
	}
	db, err := openStore(ctx, c.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the order desk in %s: %w", c.Path, err)
	}
	d := &Desk{
		db: db, log: c.Log,
		token:    sha256.Sum256([]byte(c.Token)),
		packTime: c.PackTime,
		grace:    c.PackTime + headerTime,
	}
	d.pack = d.packSlowly
	return d, nil
}

func (c Config) complete() (Config, error) {
	switch {
	case c.Token == "" || !printable(c.Token) || strings.Contains(c.Token, " "):
		return c, fmt.Errorf("%w: set one of printable characters without spaces", ErrNoToken)
	case c.Path == "" || strings.HasPrefix(c.Path, ":memory:"):
		return c, fmt.Errorf("%w: %q is none", ErrNoFile, c.Path)
	case c.PackTime < 0:
		return c, fmt.Errorf("pack time %v is negative: use 0 for %v", c.PackTime, DefaultPackTime)
	}
	if c.PackTime == 0 {
		c.PackTime = DefaultPackTime
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c, nil
}

// Close closes the database. Requests still being served fail, and commit
// nothing.
func (d *Desk) Close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("closing the order desk: %w", err)
	}
	return nil
}

func (d *Desk) packSlowly(ctx context.Context, _ string) error {
	timer := time.NewTimer(d.packTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// printable reports whether s is ASCII that can stand in a header as it is.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
