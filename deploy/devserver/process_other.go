//go:build !unix

package devserver

import (
	"os"
	"syscall"
)

func childAttr() *syscall.SysProcAttr { return nil }

// There is no signal here that asks a process to end, so both of these kill it.
func terminateGroup(p *os.Process) { _ = p.Kill() }
func killGroup(p *os.Process)      { _ = p.Kill() }

// lockFile locks nothing here: two processes may build at once, which costs
// time and nothing else, as each puts a finished file in place.
func lockFile(*os.File) (bool, error) { return true, nil }
