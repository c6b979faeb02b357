//go:build !linux

package rig

import "errors"

// RefuseWrites cannot be done on this system.
func (p *Proc) RefuseWrites() (allow func() error, err error) {
	return nil, errors.New("only Linux can refuse the writes of another process")
}
