package evidence

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// A Chain is the running head of an execution's records. The zero Chain is
// empty. It is deterministic and safe in workflow code; it is not safe for
// concurrent use.
type Chain struct {
	head Position
}

// ChainAt returns a chain that goes on from p.
func ChainAt(p Position) Chain { return Chain{head: p} }

// Append adds the record with the given digest and returns its link:
// BLAKE2b-512 over the domain, the record's sequence number, the previous
// link and the digest.
func (c *Chain) Append(record Digest) Digest {
	var b [len(domainLink) + 8 + 8 + 2*DigestSize]byte
	n := 0
	binary.BigEndian.PutUint64(b[n:], uint64(len(domainLink)))
	n += 8
	n += copy(b[n:], domainLink)
	binary.BigEndian.PutUint64(b[n:], c.head.Seq)
	n += 8
	n += copy(b[n:], c.head.Prev[:])
	copy(b[n:], record[:])
	c.head = Position{Seq: c.head.Seq + 1, Prev: blake2b.Sum512(b[:])}
	return c.head.Prev
}

// Next returns the position of the record that is appended next: the number
// of records so far, and the link of the last one.
func (c *Chain) Next() Position { return c.head }
