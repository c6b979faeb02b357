//go:build !unix

package rig

import "errors"

var errFreeze = errors.New("this system cannot freeze a process")

// Freeze cannot be done on this system.
func (p *Proc) Freeze() error { return errFreeze }

// Thaw cannot be done on this system.
func (p *Proc) Thaw() error { return errFreeze }
