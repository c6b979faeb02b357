package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

// preparer is a connection, or a pool of them.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// A dialect is how a database reads the statements of this package.
type dialect struct {
	rewrite func(query string) string // nil: as they stand
	opaque  func(opaque) any          // how such a text is handed over
	// limit is how long a statement may take, answer included; 0: as long as it
	// likes. Who waits for a server must not wait for ever.
	limit time.Duration
	// lost reports whether an error means that the connection is gone, and the
	// same query may go well over another one. Nil: there is no other one.
	lost func(error) bool
}

// prepared runs the statements of this package, preparing each once. It is
// safe for concurrent use if its preparer is.
type prepared struct {
	db      preparer
	dialect dialect

	mu         sync.Mutex // guards statements, also while one is being prepared
	statements map[string]*sql.Stmt
}

func newPrepared(db preparer, d dialect) *prepared {
	return &prepared{db: db, dialect: d, statements: map[string]*sql.Stmt{}}
}

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.statements[query]; s != nil {
		return s, nil
	}
	read := query
	if p.dialect.rewrite != nil {
		read = p.dialect.rewrite(query)
	}
	s, err := p.db.PrepareContext(ctx, read)
	if err == nil {
		p.statements[query] = s
	}
	return s, err
}

// close closes the statements.
func (p *prepared) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.statements {
		_ = s.Close()
	}
	clear(p.statements)
}

// limited is ctx for one statement.
func (p *prepared) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.dialect.limit == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.dialect.limit, errSilent)
}

// handed returns args as the database takes them.
func (p *prepared) handed(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(opaque); ok {
			args[i] = p.dialect.opaque(text)
		}
	}
	return args
}

func (p *prepared) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, cancel := p.limited(ctx)
	defer cancel()
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, p.handed(args)...)
}

// one runs a statement that writes exactly one row. One that the database took,
// and then did something else, as a trigger can make it, is no write.
func (p *prepared) one(what, query string, args ...any) error {
	result, err := p.exec(context.Background(), query, args...)
	if err != nil {
		return unavailable(what, err)
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("%w: %d rows", errNotWritten, n)
	}
	return unavailable(what, err)
}

// retries is how often a query is sent again whose connection was lost.
const retries = 2

// scan runs query and calls row for each row of its answer. It returns the
// first error of the database, wrapped as [ErrUnavailable], or of row, as it
// is.
func (p *prepared) scan(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	args = p.handed(args)
	for try := 0; ; try++ {
		told, err := p.scanOnce(ctx, row, query, args)
		if told || try == retries || p.dialect.lost == nil || !p.dialect.lost(err) {
			return err
		}
	}
}

// scanOnce also says whether row was called.
func (p *prepared) scanOnce(ctx context.Context, row func(*sql.Rows) error, query string, args []any) (told bool, err error) {
	ctx, cancel := p.limited(ctx)
	defer cancel()
	s, err := p.statement(ctx, query)
	if err != nil {
		return false, unavailable("read", err)
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return false, unavailable("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		told = true
		if err := row(rows); err != nil {
			return told, err
		}
	}
	return told, unavailable("read", rows.Err())
}
