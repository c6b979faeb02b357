package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/store"
	"github.com/interlock-run/interlock/evidence/store/pgtest"
)

// childJob tells a child process what to do, childPath to which file.
const (
	childJob  = "INTERLOCK_STORE_TEST_JOB"
	childPath = "INTERLOCK_STORE_TEST_PATH"
)

// jobs are what a child process can do.
var jobs = map[string]func(path string) error{
	"append":   appendForever,
	"continue": continueOnce,
	"contend":  contend,
	"open": func(path string) error {
		_, err := store.Open(ctx, path)
		return err
	},
}

// runChild does the job of a child process, if this is one.
func runChild() bool {
	job := os.Getenv(childJob)
	if job == "" {
		return false
	}
	if err := jobs[job](os.Getenv(childPath)); err != nil {
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
func TestKilled(t *testing.T) { onEach(t, testKilled) }

func testKilled(t *testing.T, temp tempStore) {
	for _, lines := range []int{1, 50, 200, 500} {
		path := temp(t) // each round starts its chains anew
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
	t.Run("SQLite", func(t *testing.T) { testOpenedByManyAtOnce(t, tempPath(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { testOpenedByManyAtOnce(t, pgtest.Database(t)) })
}

func testOpenedByManyAtOnce(t *testing.T, path string) {
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

// TestManyProcessesWrite has processes grow the same chains at once, each from
// what it reads; one of them is killed. There is one order, nothing that was
// acknowledged is missing, and nothing is there twice.
func TestManyProcessesWrite(t *testing.T) { onEach(t, testManyProcessesWrite) }

func testManyProcessesWrite(t *testing.T, temp tempStore) {
	path := temp(t)
	s := openAt(t, path)
	const writers, each = 4, 150
	acknowledged := make([]map[string]bool, writers)
	var wg sync.WaitGroup
	for i := range writers {
		cmd := child("contend", path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		acknowledged[i] = map[string]bool{}
		wg.Go(func() {
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				if len(acknowledged[i]) == each && i > 0 {
					_ = cmd.Process.Signal(syscall.SIGTERM)
				} else if len(acknowledged[i]) == each/2 && i == 0 {
					_ = cmd.Process.Kill()
				}
				if text := lines.Text(); strings.HasSuffix(text, ".") { // not cut off
					acknowledged[i][text] = true
				}
			}
			_ = cmd.Wait() // it was told to end
		})
	}
	wg.Wait()
	stored := map[string]int{}
	for chain := range 2 {
		run := runOf(strconv.Itoa(chain))
		records, err := s.Records(ctx, run, 0)
		require.NoError(t, err)
		checkChain(t, s, run, len(records))
		for _, r := range records {
			text, _, _ := strings.Cut(string(r.Envelope.Payload), "\x00")
			stored[text]++
		}
	}
	for i := range writers {
		require.GreaterOrEqual(t, len(acknowledged[i]), each/2)
		for text := range acknowledged[i] {
			require.Equal(t, 1, stored[text], text)
		}
	}
}

// contend appends to two chains that others append to as well, and prints what
// was acknowledged.
func contend(path string) error {
	s, err := store.Open(context.Background(), path)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for chain := range 2 {
		go func() {
			run := runOf(strconv.Itoa(chain))
			for n := 0; ; {
				head, err := s.Head(ctx, run)
				text := fmt.Sprintf("%d-%d-%d.", os.Getpid(), chain, n)
				if err == nil {
					_, err = s.Append(ctx, run, head, envelope(text))
				}
				switch {
				case err == nil:
					fmt.Println(text)
					n++
				case !errors.Is(err, store.ErrConflict):
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}
