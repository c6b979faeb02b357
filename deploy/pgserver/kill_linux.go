package pgserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// room is how many bytes of memory a server for tests may need.
const room = 2 << 30

// Memory is a parent for servers that flush to memory, which is several times
// quicker and survives a killed server, but not a machine without power. It is
// [Disk] where there is little memory to put files into.
func Memory() string {
	const dir = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || int64(fs.Bavail)*fs.Bsize < room {
		return Disk
	}
	return dir
}

// kill kills the processes that work in the folder of the server's data, and
// those alone: whatever a file says, a process of another program with the same
// number is not meant. The first process comes first, so that it replaces none
// of the others.
func (s *Server) kill() error {
	data := s.data()
	if first, err := s.PID(); err == nil && slices.Contains(workingIn(data), first) {
		_ = syscall.Kill(first, syscall.SIGKILL) // it may be gone by now
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		left := workingIn(data)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of PostgreSQL do not die", left)
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone by now
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Down reports whether the server's first process is gone.
func (s *Server) Down() bool {
	first, err := s.PID()
	return err != nil || !slices.Contains(workingIn(s.data()), first)
}

// workingIn returns the processes called postgres that work in a folder.
func workingIn(dir string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is good
	for _, link := range links {
		proc := filepath.Dir(link)
		if cwd, err := os.Readlink(link); err != nil || cwd != dir {
			continue
		}
		name, err := os.ReadFile(proc + "/comm")
		stat, err2 := os.ReadFile(proc + "/stat")
		if err != nil || err2 != nil || strings.TrimSpace(string(name)) != "postgres" || bytes.Contains(stat, []byte(") Z ")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(proc)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
