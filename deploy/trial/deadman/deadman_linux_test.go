package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
)

// TestDeadman measures each fault twice: make deadman does it 20 times. What
// it tests besides the bound is that the step ended for the reason that is
// tried, as far as its outcome is in the evidence.
func TestDeadman(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var said bytes.Buffer
	const lease = 2 * time.Second
	o := options{
		dir: filepath.Join(t.TempDir(), "deadman"), lease: lease, runs: 2, parallel: 1,
		allowance: lease, // other packages are tested at the same time
	}
	all, err := run(ctx, o, &said)
	require.NoError(t, err, said.String())
	require.Len(t, all, len(faults))
	for fault, cause := range map[string]string{"frozen": evidence.CauseLapsed, "cut": evidence.CauseCutOff} {
		require.True(t, slices.ContainsFunc(all[fault], func(r result) bool { return r.verdict == evidence.Unresolved && r.cause == cause }),
			"%s: no step ended for %s: %+v\n%s", fault, cause, all[fault], said.String())
	}
}
