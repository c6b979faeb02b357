package store

import (
	"context"
	"database/sql"
	"sync"
)

// preparer is a connection, or a pool of them.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepared runs the statements of this package, preparing each once. It is
// safe for concurrent use if its preparer is.
type prepared struct {
	db preparer

	mu         sync.Mutex // guards statements, also while one is being prepared
	statements map[string]*sql.Stmt
}

func newPrepared(db preparer) *prepared {
	return &prepared{db: db, statements: map[string]*sql.Stmt{}}
}

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.statements[query]; s != nil {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, query)
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

func (p *prepared) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// scan runs query and calls row for each row of its answer. It returns the
// first error of the database, wrapped as [ErrUnavailable], or of row, as it
// is.
func (p *prepared) scan(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	s, err := p.statement(ctx, query)
	if err != nil {
		return unavailable("read", err)
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return unavailable("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return unavailable("read", rows.Err())
}
