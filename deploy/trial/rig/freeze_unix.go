//go:build unix

package rig

import "syscall"

// Freeze stops the process where it stands. It does not notice.
func (p *Proc) Freeze() error { return p.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Proc) Thaw() error { return p.Signal(syscall.SIGCONT) }
