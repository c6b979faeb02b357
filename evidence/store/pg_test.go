package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// tempDatabase is tempPath for PostgreSQL.
func tempDatabase(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, func(url string) error {
		// No time was seen in a new store.
		s, err := store.Open(ctx, url, store.WithClock(func() evidence.Time { return 0 }))
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func TestPostgres(t *testing.T) {
	conformance(t, func(t *testing.T) func(...store.Option) backend {
		url := tempDatabase(t)
		return func(opts ...store.Option) backend { return openAt(t, url, opts...) }
	})
}

func TestPostgresOpens(t *testing.T) {
	url := pgtest.Database(t)
	require.NoError(t, openAt(t, url).Close())
	newWorld(t, openAt(t, url)).check(2)
}
