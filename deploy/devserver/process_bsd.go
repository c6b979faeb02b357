//go:build unix && !linux

package devserver

import "syscall"

// childAttr makes a child lead its own process group. Only Linux can also tie
// its life to ours.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
