package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
)

// childJob tells a child process what to do, childPath to which file.
const (
	childJob  = "INTERLOCK_STORE_TEST_JOB"
	childPath = "INTERLOCK_STORE_TEST_PATH"
)

// runChild does the job of a child process, if this is one.
func runChild() bool {
	job, path := os.Getenv(childJob), os.Getenv(childPath)
	var err error
	switch job {
	case "":
		return false
	case "append":
		err = appendForever(path)
	case "continue":
		err = continueOnce(path)
	case "open":
		_, err = store.Open(ctx, path)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
	return true
}

// child returns this test binary as a process that does job.
func child(job, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childJob+"="+job, childPath+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// appendForever grows eight chains and prints "chain seq" for each record that
// was acknowledged.
func appendForever(path string) error {
	s, err := store.Open(context.Background(), path)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for i := range 8 {
		go func() {
			var head evidence.Position
			for {
				next, err := s.Append(context.Background(), runOf(strconv.Itoa(i)), head,
					envelope("first"), envelope("second"))
				if err != nil {
					failed <- err
					return
				}
				head = next
				fmt.Printf("%d %d\n", i, head.Seq)
			}
		}()
	}
	return <-failed
}

// TestKilled kills a process in the middle of writing. Whatever it had
// acknowledged is there, pairs that were appended together are whole, and the
// chains are intact. (What a power failure leaves is up to synchronous=FULL and
// the disk; no process can test that.)
func TestKilled(t *testing.T) {
	path := tempPath(t)
	for round, lines := range []int{1, 50, 200, 500} {
		if round > 0 { // each round starts its chains anew
			path = tempPath(t)
		}
		acknowledged := killAfter(t, path, lines)
		s := openAt(t, path)
		for i := range 8 {
			run := runOf(strconv.Itoa(i))
			records, err := s.Records(ctx, run, 0)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(records), acknowledged[i])
			require.Zero(t, len(records)%2, "half of an append")
			checkChain(t, s, run, len(records))
		}
	}
}

// killAfter starts a child that appends, kills it after it has printed n
// lines, and returns how many records of each chain it acknowledged.
func killAfter(t *testing.T, path string, n int) (acknowledged [8]int) {
	t.Helper()
	cmd := child("append", path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for seen := 0; lines.Scan(); seen++ {
		if seen == n {
			require.NoError(t, cmd.Process.Kill())
		}
		chain, seq, ok := strings.Cut(lines.Text(), " ")
		i, err := strconv.Atoi(chain)
		if !ok || err != nil {
			break // the line that was cut off
		}
		if acknowledged[i], err = strconv.Atoi(seq); err != nil {
			break
		}
	}
	require.ErrorContains(t, cmd.Wait(), "killed")
	return acknowledged
}

// TestOpenedByManyAtOnce has eight processes create one store.
func TestOpenedByManyAtOnce(t *testing.T) {
	path := tempPath(t)
	var children []*exec.Cmd
	for range 8 {
		cmd := child("open", path)
		cmd.Stdout = os.Stderr
		require.NoError(t, cmd.Start())
		children = append(children, cmd)
	}
	for _, cmd := range children {
		require.NoError(t, cmd.Wait())
	}
	newWorld(t, openAt(t, path)).check(2)
}
