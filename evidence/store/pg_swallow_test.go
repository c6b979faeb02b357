package store_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// TestT07SwallowedWrites: a trigger that makes nothing of a write does not make
// it a write. Two takers of one slot would both be told that they have it.
func TestT07SwallowedWrites(t *testing.T) {
	url := tempDatabase(t)
	w := newWorld(t, openAt(t, url))
	_, err := w.Take(ctx, slotOf(w.a, "quiet"))
	require.NoError(t, err)
	db := rawServer(t, url)
	mustExec(t, db, `CREATE SCHEMA mine`,
		`CREATE FUNCTION mine.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`)
	for _, tt := range []struct {
		on string
		do func() error
	}{
		{"INSERT ON interlock.slots", func() error { _, err := w.Take(ctx, slotOf(w.a, "new")); return err }},
		{"INSERT ON interlock.records", func() error { _, err := w.Append(ctx, w.a, w.head, envelope("x")); return err }},
		{"INSERT ON interlock.runs", func() error { _, err := w.Begin(ctx, runOf("n"), nil, envelope("x")); return err }},
		{"INSERT ON interlock.nonces", func() error {
			_, err := w.Begin(ctx, runOf("m"), &store.Nonce{Principal: "p", Value: "v"}, envelope("x"))
			return err
		}},
		{"INSERT ON interlock.attestations", func() error { return w.Attest(ctx, attestationOf(w.a, "quiet", 1, 1)) }},
		{"INSERT ON interlock.outcomes", func() error { return w.Finish(ctx, w.a, "quiet", envelope("x")) }},
		{"UPDATE ON interlock.attestations", func() error { return w.Attest(ctx, attestationOf(w.a, "open", 90, 1)) }},
		{"INSERT ON interlock.leases", func() error { return w.Renew(ctx, runOf("n"), evidence.Lease{Number: 1, Until: 1}, envelope("x")) }},
		{"UPDATE ON interlock.leases", func() error {
			return w.Renew(ctx, w.a, evidence.Lease{Number: 900, Until: math.MaxInt64}, envelope("x"))
		}},
		{"INSERT ON interlock.handovers", func() error {
			head, err := w.Head(ctx, w.a)
			require.NoError(t, err)
			_, err = w.Continue(ctx, w.a, runOf("b"), head, handoverOf("b"), envelope("x"))
			return err
		}},
		{"UPDATE ON interlock.pulse", func() error { return w.Ping(ctx) }},
	} {
		t.Run(tt.on, func(t *testing.T) {
			mustExec(t, db, `CREATE TRIGGER zz BEFORE `+tt.on+` FOR EACH ROW EXECUTE FUNCTION mine.swallow()`)
			require.ErrorIs(t, tt.do(), store.ErrUnavailable)
			_, err := store.Open(ctx, url)
			require.ErrorIs(t, err, store.ErrUnavailable)
			require.ErrorContains(t, err, ".zz", "the trigger has a name")
			require.ErrorContains(t, store.Prepare(ctx, url), ".zz")
			mustExec(t, db, `DROP TRIGGER zz `+tt.on[len("INSERT "):])
			require.NoError(t, tt.do())
		})
	}
	mustExec(t, db, `ALTER TABLE interlock.records DISABLE TRIGGER no_change`)
	_, err = store.Open(ctx, url)
	require.ErrorContains(t, err, "records.no_change", "one that is off")
}

// TestPingWithoutPulse: the row that Ping writes is gone.
func TestPingWithoutPulse(t *testing.T) {
	onEach(t, func(t *testing.T, target tempStore) {
		at := target(t)
		s := openAt(t, at)
		require.NoError(t, s.Ping(ctx))
		open, table := raw, "pulse"
		if strings.HasPrefix(at, "postgres:") {
			open, table = rawServer, "interlock.pulse"
		}
		mustExec(t, open(t, at), `DELETE FROM `+table)
		require.ErrorIs(t, s.Ping(ctx), store.ErrUnavailable)
	})
}
