package starter

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// Life is how long a request is good for that does not say when it expires.
const Life = time.Hour

// Sign fills in what is empty in r, and signs it: the id is random, such as
// exec-0123456789abcdef; the audience is the domain of the trust root, the
// principal the name of the key; the request is issued now and expires after
// [Life]; the nonce is random.
//
// What is filled in stays in r, so that signing r again gives the same bytes,
// and starting it again starts nothing new. r must not be in use elsewhere.
//
// Sign returns [ErrNoPrincipal], [evidence.ErrField] or [evidence.ErrJSON] if
// r cannot be signed, and [evidence.ErrUntrusted] if the trust root would not
// believe it. A signature does not mean that the request will be admitted.
func (s *Starter) Sign(r *evidence.Request) (evidence.Envelope, error) {
	if s.c.Principal == nil {
		return evidence.Envelope{}, ErrNoPrincipal
	}
	s.fill(r)
	signed, err := s.c.Principal.SignRequest(r)
	if err != nil {
		return evidence.Envelope{}, fmt.Errorf("couldn't sign the request: %w", err)
	}
	// Better here than as a denial of an execution that had to be started.
	if _, err := s.c.Trust.Open(signed); err != nil {
		return evidence.Envelope{}, fmt.Errorf("couldn't sign the request so that it is believed: %w", err)
	}
	return signed, nil
}

func (s *Starter) fill(r *evidence.Request) {
	set(&r.ID, func() string { return "exec-" + random(8) })
	set(&r.Audience, s.c.Trust.Domain)
	set(&r.Principal, func() string { return s.name })
	set(&r.Issued, func() evidence.Time { return evidence.TimeOf(s.c.Now()) })
	set(&r.Expires, func() evidence.Time { return r.Issued.Add(Life) })
	set(&r.Nonce, func() string { return random(16) })
}

func set[T comparable](field *T, to func() T) {
	var zero T
	if *field == zero {
		*field = to()
	}
}

// random returns n random bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: without randomness the program ends
	return hex.EncodeToString(b)
}
