package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// How long things may take over PostgreSQL. The server enforces the first four
// on the writer's sessions, so that a process that is frozen, or gone without a
// word, cannot keep the others waiting; this program waits a little longer for
// each answer, and then takes the server for one that does not answer.
const (
	idleLimit      = 2 * time.Second // in an open transaction, between two statements
	lockLimit      = 4 * time.Second // for the write lock
	statementLimit = 5 * time.Second
	readLimit      = 30 * time.Second // of a statement that only reads
	slack          = 2 * time.Second
	connectLimit   = 5 * time.Second
)

// errSilent is why the store gave a server up.
var errSilent = errors.New("the server did not answer in time")

// A server is a PostgreSQL database that a store is in.
type server struct {
	config *pgx.ConnConfig
	name   string                 // for people
	id     atomic.Pointer[string] // of the database that was met first
	warned atomic.Bool            // the writer's session was sent a warning
}

// isURL reports whether target is a PostgreSQL database, and not a path.
func isURL(target string) bool {
	return strings.HasPrefix(target, "postgres://") || strings.HasPrefix(target, "postgresql://")
}

// shown is target for people. It has neither user nor password in it, and
// nothing at all of what cannot be taken apart for sure.
func shown(target string) string {
	u, err := parse(target)
	if err != nil {
		return "the PostgreSQL evidence store"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// parse takes a URL apart. One that others might take apart in another way is
// refused: what is no password here could be part of one there.
func parse(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	at := strings.Count(target, "@")
	if err != nil || at > 1 || at == 1 && u.User == nil || strings.Contains(target, "#") {
		return nil, fmt.Errorf("%w: the URL of the evidence store cannot be read (want postgres://user@host:5432/database?sslmode=verify-full; "+
			"in a password, which belongs into PGPASSFILE or PGPASSWORD and not here, characters such as @ / ? # are written %%40 %%2F %%3F %%23)", ErrUnavailable)
	}
	return u, nil
}

// serverAt reads a URL. It does not connect.
func serverAt(target string) (*server, error) {
	u, err := parse(target)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(target)
	if err != nil {
		// The library hides passwords as well as it can, which is not always.
		if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") {
			err = errors.New("its settings are wrong; without a password in it this message says which")
		}
		return nil, unavailable("read the URL of "+shown(target), err)
	}
	if err := guarded(config, u); err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectLimit
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	config.RuntimeParams["search_path"] = "interlock"
	config.RuntimeParams["client_encoding"] = "UTF8"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "interlock"
	}
	return &server{config: config, name: shown(target)}, nil
}

// guarded refuses a connection over a network of which nobody has said how it
// is protected: what answers there could say that a slot is free, to everyone.
func guarded(config *pgx.ConnConfig, u *url.URL) error {
	if u.Query().Has("sslmode") || os.Getenv("PGSSLMODE") != "" {
		return nil
	}
	hosts := []string{config.Host}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); !strings.HasPrefix(host, "/") && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%w: the evidence store is on another machine, and nothing says how the connection is protected: "+
				"add sslmode=verify-full to its URL (or another sslmode, if the network is trusted)", ErrUnavailable)
		}
	}
	return nil
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// pool returns a pool of at most n connections of a mode.
func (s *server) pool(m mode, n int) *sql.DB {
	config := s.config.Copy()
	switch m {
	case modeWrite:
		maps.Copy(config.RuntimeParams, map[string]string{
			"idle_in_transaction_session_timeout": milliseconds(idleLimit),
			"lock_timeout":                        milliseconds(lockLimit),
			"statement_timeout":                   milliseconds(statementLimit),
		})
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
			if n.SeverityUnlocalized != "NOTICE" && n.SeverityUnlocalized != "INFO" {
				s.warned.Store(true)
			}
		}
	default:
		maps.Copy(config.RuntimeParams, map[string]string{
			"default_transaction_read_only": "on",
			"statement_timeout":             milliseconds(readLimit),
		})
	}
	db := sql.OpenDB(patient{s.connector(config)})
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}

// plain connects without time limits of its own, to bring the schema up to
// date. Whoever does that has the rights of an administrator, so no name means
// anything but PostgreSQL's own: a function that somebody put into the schema
// would run with them.
func (s *server) plain() driver.Connector {
	config := s.config.Copy()
	config.RuntimeParams["search_path"] = "pg_catalog, pg_temp"
	return s.connector(config)
}

func (s *server) connector(config *pgx.ConnConfig) driver.Connector {
	return stdlib.GetConnector(*config, stdlib.OptionAfterConnect(s.meet))
}

// meet looks at a new connection before it is used. All of them must lead to
// one and the same database, for as long as the store is open: writes to
// another one would reach a place where nobody looks, and slots that are taken
// here would be free there.
func (s *server) meet(ctx context.Context, conn *pgx.Conn) error {
	var id, encoding string
	var standby bool
	err := conn.QueryRow(ctx, `SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()),
		current_setting('server_encoding'), pg_is_in_recovery() FROM pg_control_system()`).Scan(&id, &encoding, &standby)
	switch {
	case err != nil:
		return err
	case standby:
		return fmt.Errorf("%s is a standby, which lags behind; name the primary", s.name)
	case encoding != "UTF8":
		return fmt.Errorf("%s has the encoding %s; create the database with UTF8", s.name, encoding)
	case !s.id.CompareAndSwap(nil, &id) && *s.id.Load() != id:
		return fmt.Errorf("%s is another database than the one that was opened; start this program again if it is meant to be", s.name)
	}
	return nil
}

// openServer returns a store over the database at target, brought up to date.
func openServer(ctx context.Context, target string, o options) (*Store, error) {
	s, err := serverAt(target)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.checked(ctx); err != nil {
		return nil, err
	}
	writeDB, readDB := s.pool(modeWrite, 1), s.pool(modeRead, readers)
	add := sqlAddSlot
	if slices.Contains(o.groups, GroupSteps) {
		add = pgAddSlot
	}
	return &Store{
		writer: newWriter(s.sessions(writeDB), o.clock), writeDB: writeDB, groups: o.groups, addSlot: add,
		read: newPrepared(readDB, reading), readDB: readDB,
	}, nil
}

// readServer is [OpenReadOnly] for a database.
func readServer(ctx context.Context, target string) (*Store, error) {
	s, err := serverAt(target)
	if err != nil {
		return nil, err
	}
	have, err := s.version(ctx)
	if err == nil && have != newest(postgresFiles) {
		err = fmt.Errorf("%w: %s has schema %d, this program knows %d", ErrVersion, s.name, have, newest(postgresFiles))
	}
	if err != nil {
		return nil, err
	}
	db := s.pool(modeOnly, readers)
	return &Store{readDB: db, read: newPrepared(db, reading)}, nil
}
