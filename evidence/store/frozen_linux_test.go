package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

func init() { jobs["freeze"] = freezeInside }

// freezeInside stops this process while it has a transaction open: the store
// asks for the time just before the commit.
func freezeInside(path string) error {
	stop := false
	s, err := store.Open(context.Background(), path, store.WithClock(func() evidence.Time {
		if stop {
			stop = false
			fmt.Println("frozen")
			freeze()
		}
		return 1
	}))
	if err != nil {
		return err
	}
	stop = true
	_, err = s.Begin(ctx, runOf("frozen"), nil, envelope("of the frozen one"))
	fmt.Println("thawed:", err)
	_, err = s.Begin(ctx, runOf("frozen"), nil, envelope("of the thawed one"))
	fmt.Println("again:", err)
	return nil
}

// freeze stops this process and returns once somebody has let it go on. The
// signal may reach another thread first: this one must not get to its commit
// in the meantime, so it waits to be thawed.
func freeze() {
	thawed := make(chan os.Signal, 1)
	signal.Notify(thawed, syscall.SIGCONT)
	defer signal.Stop(thawed)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-thawed
}

// TestT19FrozenInATransaction: a process that stops in the middle of a batch
// holds the write lock. The server takes it away, and the others go on; the
// frozen one learns that it wrote nothing, and can write again. (Over SQLite
// nobody can take the lock away: one machine's processes share its fate.)
func TestT19FrozenInATransaction(t *testing.T) {
	url := tempDatabase(t)
	w := newWorld(t, openAt(t, url))
	cmd := child("freeze", url)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if the test fails while it is frozen
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, "frozen", lines.Text())

	_, err = w.Append(ctx, w.a, w.head, envelope("2"))
	require.NoError(t, err, "it waits for the server to end the other's session")
	checkChain(t, w, runOf("frozen"), 0)
	w.check(3)

	thaw(t, cmd)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), store.ErrUnavailable.Error())
	require.True(t, lines.Scan())
	require.Equal(t, "again: <nil>", lines.Text())
	require.NoError(t, cmd.Wait())
	records, err := w.Records(ctx, runOf("frozen"), 0)
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.True(t, strings.HasPrefix(string(records[0].Envelope.Payload), "of the thawed one"))
}

// thaw lets a process go on, once it has stopped.
func thaw(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
}
