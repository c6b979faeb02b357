package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDeadman measures each fault twice: make deadman does it 20 times. What
// it tests besides the bound is that the step did not end too early, which
// would be another reason than the one that is tried.
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
	for _, r := range all["frozen"] {
		require.Greater(t, r.took, lease/2, "the lease was not what ended it: %s", said.String())
	}
}
