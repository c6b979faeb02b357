package activities_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/policy/catalogue"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestT07RestoredBeforeTheDecision: a store that was restored to a state after
// the grant and before the decision has the slot of the step free. A step that
// cannot be repeated must not happen a second time.
func TestT07RestoredBeforeTheDecision(t *testing.T) {
	cat, err := catalogue.Parse("c", []byte(testCatalogue))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "evidence.db")
	open := func() *store.Store {
		st, err := store.Open(t.Context(), path)
		require.NoError(t, err)
		return st
	}
	grant := evidence.Envelope{PayloadType: evidence.PayloadType, Payload: []byte("grant")}
	st := open()
	head, err := st.Begin(t.Context(), testRun, nil, grant)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	backup, err := os.ReadFile(path)
	require.NoError(t, err)

	d := &desk{store: open()}
	tt := guardCase{action: "once", elsewhere: true, change: func(d *evidence.Decision) { d.Position = head }}
	in := d.decide(t, tt, cat)
	_, err = d.store.Append(t.Context(), testRun, head, d.decision)
	require.NoError(t, err)
	_, err = d.call(t, tt, cat, in)
	require.NoError(t, err)
	require.Equal(t, 1, d.calls)
	require.NoError(t, d.store.Close())

	require.NoError(t, os.WriteFile(path, backup, 0o600))
	d.store = open()
	defer d.store.Close()
	tt.attempt = 2
	_, err = d.call(t, tt, cat, in)
	requireRefusal(t, guardCase{errIs: contract.ErrTypeRefused, cause: "guard.store"}, err)
	require.Equal(t, 1, d.calls)
}
