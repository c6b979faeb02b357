package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/store"
)

// TestT22PingTriesTheWork has a row for each reason for which a process could
// write its pulse, and not what it is there for. It is not ready then, and does
// not start; a step worker takes no slot that it could not finish.
func TestT22PingTriesTheWork(t *testing.T) {
	as, owner := prepared(t)
	plane := openAt(t, as[control], store.For(store.GroupControl))
	_, err := plane.Begin(ctx, runOf("a"), nil, envelopes("request", "grant")...)
	require.NoError(t, err)
	worker := openAt(t, as[steps], store.For(store.GroupSteps))
	both := openAt(t, owner, store.For(store.GroupControl, store.GroupSteps))
	require.NoError(t, both.Ping(ctx))

	for user, group := range map[string]string{control: store.GroupSteps, steps: store.GroupControl} {
		_, err := store.Open(ctx, as[user], store.For(group))
		require.ErrorIs(t, err, store.ErrUnavailable, "%s for %s", user, group)
		require.ErrorContains(t, err, group)
	}
	db := rawServer(t, owner)
	for _, tt := range []struct {
		right, group string
		store        *store.Store
	}{
		{"INSERT ON interlock.outcomes", store.GroupSteps, worker},
		{"INSERT ON interlock.attestations", store.GroupSteps, worker},
		{"INSERT ON interlock.records", store.GroupControl, plane},
		{"INSERT ON interlock.nonces", store.GroupControl, plane},
		{"INSERT ON interlock.handovers", store.GroupControl, plane},
		{"UPDATE (until) ON interlock.leases", store.GroupControl, plane},
	} {
		t.Run(tt.right, func(t *testing.T) {
			require.NoError(t, tt.store.Ping(ctx))
			mustExec(t, db, `REVOKE `+tt.right+` FROM `+tt.group)
			require.ErrorIs(t, tt.store.Ping(ctx), store.ErrUnavailable)
			if tt.store == worker {
				_, err := worker.Take(ctx, slotOf(runOf("a"), tt.right))
				require.ErrorIs(t, err, store.ErrUnavailable)
				slots, err := plane.Slots(ctx, runOf("a"))
				require.NoError(t, err)
				require.Empty(t, slots, "it stays free")
			}
			mustExec(t, db, `GRANT `+tt.right+` TO `+tt.group)
			require.NoError(t, tt.store.Ping(ctx))
		})
	}
	t.Run("locked", func(t *testing.T) {
		tx, err := db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec(`LOCK TABLE interlock.records IN ACCESS EXCLUSIVE MODE`)
		require.NoError(t, err)
		require.ErrorIs(t, plane.Ping(ctx), store.ErrUnavailable)
		require.NoError(t, tx.Rollback())
		require.NoError(t, plane.Ping(ctx))
	})
	_, err = worker.Take(ctx, slotOf(runOf("a"), "1"))
	require.NoError(t, err)
	require.NoError(t, worker.Finish(ctx, runOf("a"), "1", envelope("outcome")))
}
