//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The users of a server. Nobody is asked for a password but Asked, whom whoever
// needs him creates.
const (
	Superuser = "postgres"
	Asked     = "asked"

	port = "5432" // in the name of the socket
)

// Disk is a parent for servers that flush to a disk.
const Disk = "/tmp"

// settings are those of a server that loses nothing, and is small.
const settings = `listen_addresses = ''
unix_socket_permissions = 0777
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 200
shared_buffers = 64MB
max_wal_size = 512MB
autovacuum_naptime = 30s
log_min_messages = warning
`

// access lets everyone on this machine in, as anyone.
const access = "local all " + Asked + " scram-sha-256\nlocal all all trust\n"

// A Server is a PostgreSQL server. Its methods are safe for concurrent use.
type Server struct {
	dir string // holds data, sock and log
	bin string
	as  *syscall.Credential // nil: as this process

	mu     sync.Mutex     // held while the server starts, stops or is killed; guards:
	keeper *exec.Cmd      // waits for this process to end; nil while the server is down
	alive  io.WriteCloser // what it waits for

	databases atomic.Int64
}

// New makes a server, in a folder in parent, and starts it. The name of parent
// must be short, or that of the socket is too long. It returns [ErrMissing]
// where PostgreSQL is not installed.
func New(ctx context.Context, parent string) (*Server, error) {
	programs, err := bin()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: programs}
	if s.as, err = credential(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(parent, "interlock-pg-"); err != nil {
		return nil, err
	}
	if err = s.init(ctx); err == nil {
		err = s.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// credential is the user to run as: nil if this process is not root.
func credential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err, err2)
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

func (s *Server) init(ctx context.Context) error {
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	cmd := s.command(ctx, filepath.Join(s.bin, "initdb"), "--pgdata", s.data(), "--username", Superuser,
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("couldn't make a PostgreSQL cluster: %w\n%s", err, out)
	}
	return errors.Join(appendTo(s.data()+"/postgresql.conf", settings), os.WriteFile(s.data()+"/pg_hba.conf", []byte(access), 0o600))
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.as}
	return cmd
}

// keep runs the server until this process lets go of its standard input, which
// it does however it ends, and then removes the folder, unless it says "leave".
const keep = `"$1/postgres" -D "$2/data" -k "$2" >>"$2/log" 2>&1 &
server=$!
read -r word
kill -INT $server 2>/dev/null
wait $server
[ "$word" = leave ] || rm -rf "$2"`

// Start starts the server, new or after [Server.Kill], and waits until it
// answers.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keeper := s.command(context.WithoutCancel(ctx), "/bin/sh", "-c", keep, "sh", s.bin, s.dir)
	alive, err := keeper.StdinPipe()
	if err != nil {
		return err
	}
	if err := keeper.Start(); err != nil {
		return err
	}
	s.keeper, s.alive = keeper, alive
	for began := time.Now(); ; {
		if s.SQL(ctx, "postgres", "SELECT 1") == nil {
			return nil
		}
		if ctx.Err() != nil || time.Since(began) > time.Minute {
			log, _ := os.ReadFile(s.dir + "/log")
			return errors.Join(fmt.Errorf("PostgreSQL does not start:\n%s", log), s.letGo("leave"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.letGo("")
	return errors.Join(err, os.RemoveAll(s.dir))
}

// letGo lets the keeper end.
func (s *Server) letGo(word string) error {
	keeper, alive := s.keeper, s.alive
	s.keeper, s.alive = nil, nil
	if keeper == nil {
		return nil
	}
	_, err := io.WriteString(alive, word+"\n")
	return errors.Join(err, alive.Close(), keeper.Wait())
}

// PID returns the id of the server's first process, the parent of all others.
func (s *Server) PID() (int, error) {
	data, err := os.ReadFile(s.data() + "/postmaster.pid")
	if err != nil {
		return 0, fmt.Errorf("PostgreSQL does not run: %w", err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	return strconv.Atoi(strings.TrimSpace(first))
}

// Kill kills every process of the server with SIGKILL, as a power failure would,
// and waits until they are gone. What was on disk is on disk. A server of which
// somebody else has killed a part, it kills the rest of.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.kill(), s.letGo("leave"))
}

// URL returns the URL of a database for a user.
func (s *Server) URL(user, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + database,
		RawQuery: url.Values{"host": {s.dir}, "port": {port}}.Encode()}
	return u.String()
}

// SQL runs statements in a database, as superuser.
func (s *Server) SQL(ctx context.Context, database, statements string) error {
	cmd := s.command(ctx, filepath.Join(s.bin, "psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", statements, s.URL(Superuser, database))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// CreateDatabase makes a database, empty or as a copy of template, and returns
// its name.
func (s *Server) CreateDatabase(ctx context.Context, template string) (string, error) {
	name := fmt.Sprintf("interlock_%d", s.databases.Add(1))
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	return name, s.SQL(ctx, "postgres", statement)
}

// DropDatabase removes a database, also from under those who use it.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	return s.SQL(ctx, "postgres", "DROP DATABASE "+name+" WITH (FORCE)")
}
