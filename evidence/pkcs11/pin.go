//go:build cgo

package pkcs11

import (
	"fmt"
	"os"
	"strings"

	"github.com/interlock-run/interlock/evidence/keyfile"
)

// pin reads the PIN, without the line feed at its end.
func (u URI) pin() (string, error) {
	if u.PINSource == "" {
		if pin := os.Getenv(PINVariable); pin != "" {
			return pin, nil
		}
		return "", fmt.Errorf("%w: name a file with pin-source, or set %s", ErrPIN, PINVariable)
	}
	info, err := os.Stat(u.PINSource)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPIN, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%w: %s has mode %v; run chmod 600 on it, and consider the PIN known", ErrPIN, u.PINSource, info.Mode())
	}
	if err := keyfile.CheckReplaceable(u.PINSource); err != nil {
		return "", fmt.Errorf("%w: %w", ErrPIN, err)
	}
	data, err := os.ReadFile(u.PINSource)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrPIN, err)
	}
	pin := strings.TrimRight(string(data), "\r\n")
	if pin == "" || len(pin) > 256 {
		return "", fmt.Errorf("%w: %s has %d bytes", ErrPIN, u.PINSource, len(data))
	}
	return pin, nil
}
