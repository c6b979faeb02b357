//go:build !cgo

package pkcs11

import (
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// Open returns [ErrToken]: this program was built without cgo, and cannot load
// the library of a token.
func Open(uri string) (*evidence.Signer, error) {
	if _, err := ParseURI(uri); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: this program was built without tokens; build it with a C compiler and CGO_ENABLED=1 (make build CGO_ENABLED=1)", ErrToken)
}
