package keyring_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestT23CheckDoesNotHang: nobody writes to the pipe.
func TestT23CheckDoesNotHang(t *testing.T) {
	dir := t.TempDir()
	p := control(t, dir)
	require.NoError(t, syscall.Mkfifo(dir+"/pipe", 0o600))
	p.Files = []string{dir + "/pipe"}
	require.NoError(t, p.Check())
}
