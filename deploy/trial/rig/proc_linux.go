package rig

import (
	"fmt"
	"syscall"
	"unsafe"
)

// RefuseWrites makes the system refuse every write of the process to a file,
// until allow is called. It works against root too.
func (p *Proc) RefuseWrites() (allow func() error, err error) {
	var old syscall.Rlimit
	if err := limitFileSize(p.PID(), nil, &old); err != nil {
		return nil, err
	}
	if err := limitFileSize(p.PID(), &syscall.Rlimit{Cur: 0, Max: old.Max}, nil); err != nil {
		return nil, err
	}
	return func() error { return limitFileSize(p.PID(), &old, nil) }, nil
}

func limitFileSize(pid int, set, old *syscall.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 0, 0)
	if errno != 0 {
		return fmt.Errorf("couldn't change the file size limit of process %d: %w", pid, errno)
	}
	return nil
}
