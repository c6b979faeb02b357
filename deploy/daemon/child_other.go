//go:build !linux

package daemon

import "syscall"

func childAttr() *syscall.SysProcAttr { return nil }
