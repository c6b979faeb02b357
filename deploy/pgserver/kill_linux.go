package pgserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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

// killChildren kills the processes that pid has left behind, and those alone:
// they work in the folder of the server's data, and were started by its program.
func killChildren(_ int, data string) error {
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
