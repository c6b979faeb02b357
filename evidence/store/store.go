package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A Store is an open evidence store. Its methods are safe for concurrent use.
//
// What a method wrote, every later call sees, in every process. A write waits
// for its turn and for its commit; if its context ends before its turn it is
// not made, and once it is being made it is not interrupted.
type Store struct {
	writer *writer   // nil: opened for reading only
	read   *prepared // over readDB

	groups  []string // whose work it is opened for
	addSlot string   // the statement that adds a slot

	writeDB *sql.DB // nil as writer is
	readDB  *sql.DB

	// anchor is a connection that nobody uses; nil over PostgreSQL. SQLite deletes its side files
	// with the last connection; on a disk that refuses writes it could not
	// make them again, and then not even read.
	anchor *sql.Conn
}

// write runs do in a transaction and returns after its commit.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	if s.writer == nil {
		return unavailable("write", errReadOnly)
	}
	return s.writer.write(ctx, do)
}

// Runs returns the runs of a workflow in all named namespaces, the newest first;
// none if there are none. A run is known from the first write that names it,
// so one with a slot or a lease and no records is listed too, and so is each
// run that continues another: those of one chain all have its records.
func (s *Store) Runs(ctx context.Context, workflow string) ([]Run, error) {
	return s.runs(ctx, sqlRuns, workflow)
}

// List returns the newest runs of all workflows, the newest first, at most
// limit of them; none for a limit below one. Runs of the empty namespace, such
// as [Orders], it does not show, and neither does Runs.
func (s *Store) List(ctx context.Context, limit int) ([]Run, error) {
	return s.runs(ctx, sqlList, max(limit, 0))
}

func (s *Store) runs(ctx context.Context, query string, arg any) ([]Run, error) {
	var runs []Run
	err := s.read.scan(ctx, func(r *sql.Rows) error {
		var run Run
		err := r.Scan(&run.Namespace, &run.Workflow, &run.Run)
		runs = append(runs, run)
		return unavailable("read", err)
	}, query, arg)
	if err != nil {
		return nil, err
	}
	return runs, nil
}

// tries are what the work of a group takes.
var tries = map[string][]string{
	GroupControl: {sqlTryRuns, sqlTryRecords, sqlTryNonces, sqlTryHandovers, sqlTryLeases, sqlTryRenewal, sqlTrySlots},
	GroupSteps:   {sqlTrySlots, sqlTryOutcomes, sqlTryAttestations, sqlTryAttesting},
}

// Ping proves that a write would reach the disk, by making one, and that the
// work that the store was opened for ([For]) can be written.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		for _, group := range s.groups {
			work, ok := tries[group]
			if !ok {
				return fmt.Errorf("%w: nobody knows what %.60q writes", ErrUnavailable, group)
			}
			for _, try := range work {
				if _, err := t.exec(context.Background(), try); err != nil {
					return unavailable("write what "+group+" has to", err)
				}
			}
		}
		return t.one("write a pulse", sqlPulse)
	})
}

// Close finishes the writes that are waiting and closes the files or the
// connections. Whoever
// calls the store afterwards gets [ErrUnavailable]. A second Close does
// nothing.
func (s *Store) Close() error {
	var err error
	if s.writer != nil {
		s.writer.close()
		err = errors.Join(s.closeAnchor(), s.writeDB.Close())
	}
	return unavailable("close", errors.Join(err, s.readDB.Close()))
}

func (s *Store) closeAnchor() error {
	if s.anchor == nil {
		return nil
	}
	err := s.anchor.Close()
	if errors.Is(err, sql.ErrConnDone) {
		return nil // closed before
	}
	return err
}
