package evidence

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// A Role says what a key may sign.
type Role string

// The roles. A key has one.
const (
	RolePrincipal Role = "principal" // requests
	RoleAuthority Role = "authority" // grants, decisions, signals, halts, rejections
	RoleWorker    Role = "worker"    // outcomes
	RoleRecorder  Role = "recorder"  // seals
	RoleOperator  Role = "operator"  // resolutions
	RoleApprover  Role = "approver"  // approvals
	RoleRevoker   Role = "revoker"   // orders
)

// RoleFor returns the role that may sign records of kind k, or "" for an
// unknown kind, which no key has.
func RoleFor(k Kind) Role {
	switch k {
	case KindRequest:
		return RolePrincipal
	case KindGrant, KindDecision, KindSignal, KindHandover, KindTakeover, KindHalt, KindRejection:
		return RoleAuthority
	case KindOutcome, KindAttestation:
		return RoleWorker
	case KindSeal:
		return RoleRecorder
	case KindResolution:
		return RoleOperator
	case KindApproval:
		return RoleApprover
	case KindOrder:
		return RoleRevoker
	}
	return ""
}

// KeyID returns the id of a public key: the first 32 hexadecimal digits of
// SHA3-512 over a domain and the key.
func KeyID(pub ed25519.PublicKey) string {
	h := newHash(domainKey)
	h.bytes(pub)
	d := h.sum()
	return hex.EncodeToString(d[:16])
}

// A PublicKey is an Ed25519 public key (RFC 8032); in JSON, standard base64.
type PublicKey ed25519.PublicKey

// MarshalText returns k in standard base64.
func (k PublicKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k)), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *PublicKey) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != ed25519.PublicKeySize {
		return fmt.Errorf("not an Ed25519 public key in base64: %.60q", text)
	}
	*k = b
	return nil
}
