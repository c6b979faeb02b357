package daemon

import "syscall"

// childAttr makes a child lead its own process group, so that Ctrl-C reaches
// only us, and die with us.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
