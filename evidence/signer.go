package evidence

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
)

// ErrSigner means that a key cannot be signed with.
var ErrSigner = errors.New("unusable signing key")

// A Signer signs statements with one Ed25519 key. It is safe for concurrent
// use if its crypto.Signer is. The zero Signer signs nothing.
type Signer struct {
	key crypto.Signer
	pub ed25519.PublicKey
	id  string
}

// NewSigner returns a signer that uses key, which may be in a file, a KMS or
// an HSM, or [ErrSigner] if key is not an Ed25519 key.
func NewSigner(key crypto.Signer) (*Signer, error) {
	if private, ok := key.(ed25519.PrivateKey); key == nil || ok && len(private) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: there is none", ErrSigner)
	}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: %T, want Ed25519", ErrSigner, key.Public())
	}
	return &Signer{key: key, pub: pub, id: KeyID(pub)}, nil
}

// KeyID returns the id of the signer's key.
func (s *Signer) KeyID() string { return s.id }

// Public returns the signer's public key.
func (s *Signer) Public() ed25519.PublicKey { return s.pub }

// Origin returns the path of the file that the signer's key is in, if its
// crypto.Signer says so with a method Origin() string, and "" if not.
func (s *Signer) Origin() string {
	if s == nil {
		return ""
	}
	if kept, ok := s.key.(interface{ Origin() string }); ok {
		return kept.Origin()
	}
	return ""
}

// SignRequest checks r, fixes the bytes of its arguments, and signs it. r's
// arguments may hold white space; the signed ones do not, and are written
// back to r.
func (s *Signer) SignRequest(r *Request) (Envelope, error) {
	for i := range r.Steps {
		args, err := Compact(r.Steps[i].Args)
		if err != nil {
			return Envelope{}, fmt.Errorf("step %q: args: %w", r.Steps[i].ID, err)
		}
		r.Steps[i].Args = args
	}
	if err := r.Check(); err != nil {
		return Envelope{}, err
	}
	plan, err := PlanDigest(r.Steps)
	if err != nil {
		return Envelope{}, err
	}
	return s.Sign(Subject{Execution: r.ID, Digest: plan}, r)
}

// Sign signs p about subject. The bytes it returns are final: they are what
// verifiers see. It fails rather than sign a statement that could not be read
// back.
func (s *Signer) Sign(subject Subject, p Predicate) (Envelope, error) {
	switch {
	case s == nil || s.key == nil:
		return Envelope{}, fmt.Errorf("%w: there is none", ErrSigner)
	case p == nil:
		return Envelope{}, fmt.Errorf("%w: nothing to sign", ErrStatement)
	}
	body, err := payload(subject, p)
	if err != nil {
		return Envelope{}, err
	}
	e := Envelope{PayloadType: PayloadType, Payload: body, Signatures: []Signature{{KeyID: s.id}}}
	if e.Signatures[0].Sig, err = s.sign(e.message()); err != nil {
		return Envelope{}, err
	}
	if _, err := e.Decode(); err != nil {
		return Envelope{}, fmt.Errorf("couldn't sign a %s that could not be read back: %w", p.Kind(), err)
	}
	return e, nil
}

// sign signs a message that only this package makes: nobody can have a key
// sign bytes of their choice.
func (s *Signer) sign(message []byte) ([]byte, error) {
	sig, err := s.key.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("%w: couldn't sign: %w", ErrSigner, err)
	}
	if len(sig) != ed25519.SignatureSize {
		return nil, fmt.Errorf("%w: a signature of %d bytes", ErrSigner, len(sig))
	}
	return sig, nil
}
