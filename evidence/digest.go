package evidence

import (
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// DigestSize is the length of a [Digest] in bytes.
const DigestSize = 64

// The domains that keep one use of a hash from being taken for another.
const (
	domainRecord = "interlock.run/record/v1"
	domainLink   = "interlock.run/link/v1"
	domainValue  = "interlock.run/value/v1"
	domainKey    = "interlock.run/key/v1"
)

// ErrDigest means that a text is not a digest: 128 lower-case hexadecimal
// digits.
var ErrDigest = errors.New("not a digest of 128 lower-case hexadecimal digits")

// A Digest is a 512 bit hash: SHA3-512 of a record, a value or a file, or
// BLAKE2b-512 of a chain link. The zero Digest stands for "none".
type Digest [DigestSize]byte

// String returns d in lower-case hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short returns the first 12 digits of d, for people. It identifies nothing.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }

// IsZero reports whether d stands for "none".
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText returns d in lower-case hexadecimal, or nothing for none.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return []byte{}, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes and nothing else, or
// [ErrDigest].
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	var got Digest
	if n, err := hex.Decode(got[:], textOf(text)); err != nil || n != DigestSize {
		return fmt.Errorf("%w: %.20q", ErrDigest, text)
	}
	if got.String() != string(text) || got.IsZero() {
		return fmt.Errorf("%w: %.20q", ErrDigest, text)
	}
	*d = got
	return nil
}

// textOf keeps hex.Decode from writing past a digest: a text of another
// length is replaced by one that does not decode.
func textOf(text []byte) []byte {
	if len(text) != 2*DigestSize {
		return []byte("?")
	}
	return text
}

// FileDigest identifies a file, such as a policy bundle or a catalogue, by
// its exact bytes: plain SHA3-512, as `openssl dgst -sha3-512` prints it.
func FileDigest(data []byte) Digest { return sha3.Sum512(data) }

// ValueDigest identifies a JSON value, such as the arguments of a step, by
// the bytes that stand for it in the statement that carries it.
func ValueDigest(value []byte) Digest {
	h := newHash(domainValue)
	h.bytes(value)
	return h.sum()
}

// hasher writes unambiguous input to SHA3-512: every part is preceded by its
// length, so no two lists of parts have the same bytes.
type hasher struct{ h *sha3.SHA3 }

func newHash(domain string) hasher {
	h := hasher{sha3.New512()}
	h.bytes([]byte(domain))
	return h
}

func (h hasher) bytes(b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.h.Write(n[:])
	h.h.Write(b)
}

func (h hasher) sum() (d Digest) {
	h.h.Sum(d[:0])
	return d
}
