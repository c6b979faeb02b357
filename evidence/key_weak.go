package evidence

import (
	"encoding/hex"
	"slices"
)

// weakPoints are the Ed25519 points of small order, sign bit cleared, in
// every encoding that crypto/ed25519 reads. For such a "public key" there are
// signatures that are good for many messages and that anybody can make; the
// key of 32 zero bytes, which a mistake produces, is one of them.
var weakPoints = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// weak reports whether k, a key of the right length, is a point of small
// order.
func (k PublicKey) weak() bool {
	point := slices.Clone(k)
	point[len(point)-1] &= 0x7f
	return slices.Contains(weakPoints, hex.EncodeToString(point))
}
