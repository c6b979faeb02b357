//go:build !cgo

package pkcs11_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/pkcs11"
)

func TestWithoutTokens(t *testing.T) {
	_, err := pkcs11.Open("pkcs11:token=t;object=a?module-path=/m.so")
	require.ErrorIs(t, err, pkcs11.ErrToken)
	require.ErrorContains(t, err, "CGO_ENABLED=1", "it does not say how to build one that can")
}
