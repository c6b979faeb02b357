// Package pgtest gives the tests of a package one real PostgreSQL, and each test
// a database of its own.
//
//	func TestSomething(t *testing.T) {
//		url := pgtest.Database(t)
//		// …
//	}
//
// Where PostgreSQL is not installed, tests that need it are skipped, and say so.
// The server ends with the process, however that ends; [Run] waits for it.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/interlock-run/interlock/deploy/pgserver"
)

// shared is the server of this process, once it is needed.
var shared struct {
	sync.Mutex // held while the server starts: others wait for it
	tried      bool
	server     *pgserver.Server
	err        error
	template   string // the database that Copy copies
}

// Run runs the tests of a package, stops the server if there is one, and returns
// the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
func Run(m interface{ Run() int }) int {
	code := m.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Stop stops the server, if there is one.
func Stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	return shared.server.Stop()
}

// Server returns the server that the tests of this process share.
func Server(t testing.TB) *pgserver.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.tried {
		shared.tried = true
		shared.server, shared.err = pgserver.New(context.Background(), pgserver.Memory())
	}
	return usable(t, shared.server, shared.err)
}

// Own returns a server in parent that this test may kill; [pgserver.Disk] is for
// benchmarks. It ends with the test.
func Own(t testing.TB, parent string) *pgserver.Server {
	t.Helper()
	server, err := pgserver.New(context.Background(), parent)
	server = usable(t, server, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func usable(t testing.TB, server *pgserver.Server, err error) *pgserver.Server {
	t.Helper()
	if errors.Is(err, pgserver.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// Database returns the URL of a new, empty database, for its superuser.
func Database(t testing.TB) string {
	t.Helper()
	server := Server(t)
	return server.URL(pgserver.Superuser, temporary(t, server, ""))
}

// Copy is [Database] for a database in which prepare was run. It is run once,
// by the first test; the others get copies, which is quicker. Every call must
// give the same.
func Copy(t testing.TB, prepare func(url string) error) string {
	t.Helper()
	server := Server(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.template == "" {
		template := create(t, server, "")
		if err := prepare(server.URL(pgserver.Superuser, template)); err != nil {
			t.Fatal(err)
		}
		shared.template = template
	}
	return server.URL(pgserver.Superuser, temporary(t, server, shared.template))
}

// temporary creates a database for the time of the test.
func temporary(t testing.TB, server *pgserver.Server, template string) string {
	t.Helper()
	name := create(t, server, template)
	t.Cleanup(func() {
		if err := server.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func create(t testing.TB, server *pgserver.Server, template string) string {
	t.Helper()
	name, err := server.CreateDatabase(context.Background(), template)
	if err != nil {
		t.Fatal(err)
	}
	return name
}
