//go:build !linux

package rig

import (
	"errors"
	"syscall"
)

func childAttr() *syscall.SysProcAttr { return nil }

// RefuseWrites cannot be done on this system.
func (p *Proc) RefuseWrites() (allow func() error, err error) {
	return nil, errors.New("only Linux can refuse the writes of another process")
}
