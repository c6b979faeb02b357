//go:build unix

package evidence_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
)

// TestT21DecodeProofTooLarge gives DecodeProof a file that it must not even
// look at: the memory behind it cannot be read.
func TestT21DecodeProofTooLarge(t *testing.T) {
	data, err := syscall.Mmap(-1, 0, MaxProof+1, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Munmap(data)
	if _, err := DecodeProof(data); !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}
