package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/config"
	"github.com/interlock-run/interlock/workflows/contract"
)

// TestCodeOf pins the table in DESIGN.md: exit codes are interface.
func TestCodeOf(t *testing.T) {
	verdict := func(v evidence.Verdict) error {
		return &starter.VerdictError{Receipt: &contract.Receipt{Verdict: v}}
	}
	tests := []struct {
		err  error
		want int
	}{
		{errors.New("anything"), 1},
		{starter.ErrUnanswered, 1},
		{starter.ErrOtherRequest, 1},
		{starter.ErrNoReceipt, 1},
		{starter.ErrForgedReceipt, 1},
		{fmt.Errorf("%w: %w", starter.ErrForgedReceipt, evidence.ErrUntrusted), 1},
		{fmt.Errorf("%w: %w", starter.ErrUnproven, evidence.ErrUngoverned), 1},
		{&starter.RefusedError{Err: starter.ErrNotCounted}, 1},
		{&starter.RefusedError{Err: starter.ErrOrderRefused}, 1},
		{starter.ErrNotPending, 2},
		{starter.ErrNotAsked, 2},
		{starter.ErrNoApprover, 2},
		{starter.ErrNoRevoker, 2},
		{starter.ErrNoOrder, 2},
		{verdict(""), 1},
		{usage("x"), 2},
		{config.ErrConfig, 2},
		{evidence.ErrTrust, 2},
		{verdict(evidence.Denied), 10},
		{verdict(evidence.Halted), 11},
		{verdict(evidence.Failed), 12},
		{verdict(evidence.Unresolved), 13},
		{verdict(evidence.Cancelled), 14},
		{evidence.ErrNotAuthentic, 20},
		{evidence.ErrIncomplete, 21},
		{evidence.ErrUngoverned, 22},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, codeOf(fmt.Errorf("around it: %w", tt.err)), "%v", tt.err)
	}
}

// TestWriteFile leaves a whole file, or what was there before.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "proof.json")
	require.NoError(t, writeFile(path, []byte("one"), false))
	require.ErrorIs(t, writeFile(path, []byte("two"), false), os.ErrExist)
	requireFile(t, path, "one")
	require.NoError(t, writeFile(path, []byte("three"), true))
	requireFile(t, path, "three")
	require.Error(t, writeFile(filepath.Join(dir, "none", "x"), nil, true))

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "a temporary file was left behind")
	info, err := left[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func requireFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestFileName(t *testing.T) {
	for id, want := range map[string]string{
		"refund-0042": "refund-0042", "a/b:c": "a_b_c", "../../etc": "_.._etc", "-rf": "rf", "a\x00b": "a_b",
	} {
		require.Equal(t, want, fileName(id))
	}
}
