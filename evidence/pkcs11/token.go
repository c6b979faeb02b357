//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/keyfile"
)

// What PKCS #11 3.0 has of Edwards curves, and the binding not yet.
const (
	keyEdwards = 0x40   // CKK_EC_EDWARDS
	signEdDSA  = 0x1057 // CKM_EDDSA, without parameters: Ed25519 as RFC 8032 has it
)

// maxSessions bounds how many signatures are made at once; who comes later
// waits.
const maxSessions = 8

// Open returns a signer that uses the key that uri names. It tries the key
// once, so that a process that starts can sign. It returns [ErrURI], [ErrPIN]
// or [ErrToken].
//
// The signer is safe for concurrent use. A token that is taken away fails each
// signature with [ErrToken]; one that comes back is used again, if its library
// notices.
func Open(uri string) (*evidence.Signer, error) {
	u, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	if err := keyfile.CheckReplaceable(u.Module); err != nil {
		return nil, fmt.Errorf("%w: the library: %w", ErrToken, err)
	}
	m, err := load(u.Module)
	if err != nil {
		return nil, err
	}
	k := &key{uri: u, module: m, idle: make(chan *session, maxSessions), turns: make(chan struct{}, maxSessions)}
	s, err := k.open()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", u, err)
	}
	if k.public, err = s.publicKey(); err != nil {
		s.close()
		return nil, fmt.Errorf("%v: %w", u, err)
	}
	k.idle <- s
	if err := k.try(); err != nil {
		return nil, err
	}
	return evidence.NewSigner(k)
}

// The libraries that are loaded. Each is loaded once, and never unloaded.
var (
	loading sync.Mutex
	loaded  = map[string]*pkcs11.Ctx{}
)

func load(path string) (*pkcs11.Ctx, error) {
	loading.Lock()
	defer loading.Unlock()
	if m := loaded[path]; m != nil {
		return m, nil
	}
	m := pkcs11.New(path)
	if m == nil {
		return nil, fmt.Errorf("%w: couldn't load the library %s", ErrToken, path)
	}
	if err := m.Initialize(); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		m.Destroy()
		return nil, fmt.Errorf("%w: couldn't initialise the library %s: %w", ErrToken, path, err)
	}
	loaded[path] = m
	return m, nil
}

// is reports whether a token answered with code.
func is(err error, code uint) bool {
	var e pkcs11.Error
	return errors.As(err, &e) && uint(e) == code
}

// A key is a crypto.Signer over a key in a token.
type key struct {
	uri    URI
	module *pkcs11.Ctx
	public ed25519.PublicKey
	turns  chan struct{} // one token for each session that is in use
	idle   chan *session // those that are not
}

// A session is a session with a token, and the private key in it. One
// signature at a time is made in it.
type session struct {
	module  *pkcs11.Ctx
	handle  pkcs11.SessionHandle
	private pkcs11.ObjectHandle
}

// Public returns the key's public half.
func (k *key) Public() crypto.PublicKey { return k.public }

// Sign signs a message, whole and not hashed before.
func (k *key) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil && opts.HashFunc() != 0 {
		return nil, fmt.Errorf("%w: Ed25519 signs messages, not hashes", ErrToken)
	}
	k.turns <- struct{}{}
	defer func() { <-k.turns }()
	select {
	case s := <-k.idle:
		sig, err := s.sign(message)
		if err == nil {
			k.idle <- s
			return sig, nil
		}
		s.close() // it may have ended with a token that has come back since
	default:
	}
	s, err := k.open()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", k.uri, err)
	}
	sig, err := s.sign(message)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%v: %w: %w", k.uri, ErrToken, err)
	}
	k.idle <- s
	return sig, nil
}

// try makes a signature that is none of a record: private and public key must
// belong together.
func (k *key) try() error {
	message := make([]byte, 32)
	_, _ = rand.Read(message) // never fails, see crypto/rand
	message = append([]byte("interlock.run/pkcs11/try/v1 "), message...)
	sig, err := k.Sign(nil, message, crypto.Hash(0))
	if err != nil {
		return err
	}
	if !ed25519.Verify(k.public, message, sig) {
		return fmt.Errorf("%v: %w: its signature is not one of its public key", k.uri, ErrToken)
	}
	return nil
}

func (s *session) sign(message []byte) ([]byte, error) {
	if err := s.module.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(signEdDSA, nil)}, s.private); err != nil {
		return nil, err
	}
	return s.module.Sign(s.handle, message)
}

func (s *session) close() { _ = s.module.CloseSession(s.handle) }

// open logs in to the token and finds the key.
func (k *key) open() (*session, error) {
	slot, err := k.slot()
	if err != nil {
		return nil, err
	}
	pin, err := k.uri.pin()
	if err != nil {
		return nil, err
	}
	handle, err := k.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, fmt.Errorf("%w: couldn't open a session: %w", ErrToken, err)
	}
	s := &session{module: k.module, handle: handle}
	if err := k.module.Login(handle, pkcs11.CKU_USER, pin); err != nil && !is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		s.close()
		return nil, fmt.Errorf("%w: %w", ErrPIN, err)
	}
	if s.private, err = s.find(k.uri, pkcs11.CKO_PRIVATE_KEY, "private key"); err == nil {
		err = s.checkType()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// slot finds the one token that the URI names.
func (k *key) slot() (uint, error) {
	slots, err := k.module.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("%w: couldn't list the tokens: %w", ErrToken, err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := k.module.GetTokenInfo(slot)
		if err != nil {
			continue // it was taken away meanwhile
		}
		if matches(k.uri.Token, info.Label) && matches(k.uri.Serial, info.SerialNumber) &&
			matches(k.uri.Manufacturer, info.ManufacturerID) && matches(k.uri.Model, info.Model) {
			found = append(found, slot)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%w: %d tokens match, want one", ErrToken, len(found))
	}
	return found[0], nil
}

// matches compares with a text that tokens fill up with blanks.
func matches(want, got string) bool { return want == "" || want == strings.TrimRight(got, " \x00") }

// find finds the one object of a class that the URI names.
func (s *session) find(u URI, class uint, what string) (pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.Object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object))
	}
	if u.ID != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(u.ID)))
	}
	if err := s.module.FindObjectsInit(s.handle, template); err != nil {
		return 0, fmt.Errorf("%w: couldn't look for the %s: %w", ErrToken, what, err)
	}
	found, _, err := s.module.FindObjects(s.handle, 2)
	if err := errors.Join(err, s.module.FindObjectsFinal(s.handle)); err != nil {
		return 0, fmt.Errorf("%w: couldn't look for the %s: %w", ErrToken, what, err)
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%w: there is no such %s", ErrToken, what)
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("%w: more than one %s has that name; say which with id=", ErrToken, what)
}

func (s *session) attribute(object pkcs11.ObjectHandle, name uint) ([]byte, error) {
	got, err := s.module.GetAttributeValue(s.handle, object, []*pkcs11.Attribute{pkcs11.NewAttribute(name, nil)})
	if err != nil || len(got) != 1 {
		return nil, fmt.Errorf("%w: couldn't read the key's attribute %#x: %w", ErrToken, name, err)
	}
	return got[0].Value, nil
}

// checkType refuses a key that is not on an Edwards curve. That it is on the
// right one, the public key says.
func (s *session) checkType() error {
	kind, err := s.attribute(s.private, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return err
	}
	if !bytes.Equal(kind, pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, uint(keyEdwards)).Value) {
		return fmt.Errorf("%w: it is not an Ed25519 key", ErrToken)
	}
	return nil
}

// publicKey reads the public key that has the id of the private one.
func (s *session) publicKey() (ed25519.PublicKey, error) {
	id, err := s.attribute(s.private, pkcs11.CKA_ID)
	if err != nil {
		return nil, err
	}
	if len(id) == 0 {
		return nil, fmt.Errorf("%w: the private key has no id, by which its public key could be found", ErrToken)
	}
	object, err := s.find(URI{ID: string(id)}, pkcs11.CKO_PUBLIC_KEY, "public key")
	if err != nil {
		return nil, err
	}
	point, err := s.attribute(object, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner // a DER octet string, as before PKCS #11 3.0
	}
	if len(point) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: it is not an Ed25519 key: its public key has %d bytes", ErrToken, len(point))
	}
	return bytes.Clone(point), nil
}
