// Package pkcs11 signs with an Ed25519 key in a PKCS #11 token: a hardware
// security module, a smart card, or SoftHSM. The key never leaves the token.
//
// It calls the token's library, which is C. A program that is built without
// cgo, as `make build` builds it, has this package and no tokens: [Open] says
// how to build one that has.
package pkcs11

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// Scheme begins the URI of a key in a token (RFC 7512).
const Scheme = "pkcs11:"

// PINVariable is the environment variable with the PIN, where the URI names no
// pin-source.
const PINVariable = "INTERLOCK_PKCS11_PIN"

// The errors of this package.
var (
	// ErrURI means that a URI does not say which key is meant.
	ErrURI = errors.New("not the PKCS #11 URI of a key")
	// ErrToken means that the token, or the key in it, cannot be used.
	ErrToken = errors.New("unusable PKCS #11 token")
	// ErrPIN means that the token does not take the PIN, or that there is none.
	ErrPIN = errors.New("no PIN for the PKCS #11 token")
)

// A URI names a key in a token, as RFC 7512 has it. Empty members match
// everything.
type URI struct {
	Token, Manufacturer, Model, Serial string // of the token
	Object, ID                         string // label and id of the key
	Module                             string // absolute path of the token's library
	PINSource                          string // absolute path of the file with the PIN
}

// ParseURI reads a URI such as
//
//	pkcs11:token=interlock;object=authority?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/interlock/pin
//
// or returns [ErrURI]. It wants a token, an object or an id, and a module-path;
// it refuses attributes that it does not know, because they would choose
// another key elsewhere, and pin-value, because a PIN is no configuration.
func ParseURI(s string) (URI, error) {
	path, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return URI{}, fmt.Errorf("%w: it does not begin with %s", ErrURI, Scheme)
	}
	path, query, _ := strings.Cut(path, "?")
	var u URI
	kind := ""
	err := errors.Join(
		attributes(path, ";", map[string]*string{
			"token": &u.Token, "manufacturer": &u.Manufacturer, "model": &u.Model, "serial": &u.Serial,
			"object": &u.Object, "id": &u.ID, "type": &kind,
		}),
		attributes(query, "&", map[string]*string{"module-path": &u.Module, "pin-source": &u.PINSource}),
	)
	if err != nil {
		return URI{}, err
	}
	u.PINSource = strings.TrimPrefix(u.PINSource, "file:")
	switch {
	case u.Token == "" && u.Serial == "":
		return URI{}, fmt.Errorf("%w: token (or serial) is missing", ErrURI)
	case u.Object == "" && u.ID == "":
		return URI{}, fmt.Errorf("%w: object (or id) is missing", ErrURI)
	case kind != "" && kind != "private":
		return URI{}, fmt.Errorf("%w: type %.40q, want private", ErrURI, kind)
	case !filepath.IsAbs(u.Module):
		return URI{}, fmt.Errorf("%w: module-path: want the absolute path of the token's library", ErrURI)
	case u.PINSource != "" && !filepath.IsAbs(u.PINSource):
		return URI{}, fmt.Errorf("%w: pin-source: want file: and an absolute path", ErrURI)
	}
	return u, nil
}

// attributes reads name=value pairs into the fields of those names.
func attributes(s, separator string, fields map[string]*string) error {
	if s == "" {
		return nil
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(s, separator) {
		name, value, ok := strings.Cut(pair, "=")
		field := fields[name]
		switch {
		case name == "pin-value":
			return fmt.Errorf("%w: pin-value: a PIN does not stand in a configuration; use pin-source, or the environment variable %s", ErrURI, PINVariable)
		case !ok || field == nil:
			return fmt.Errorf("%w: attribute %.40q", ErrURI, name)
		case seen[name]:
			return fmt.Errorf("%w: %s stands there twice", ErrURI, name)
		}
		decoded, err := url.PathUnescape(value)
		if err != nil || decoded == "" {
			return fmt.Errorf("%w: %s is empty, or badly escaped", ErrURI, name)
		}
		seen[name], *field = true, decoded
	}
	return nil
}

// String returns u for people and error texts.
func (u URI) String() string {
	name := u.Object
	if name == "" {
		name = fmt.Sprintf("id %x", u.ID)
	}
	token := u.Token
	if token == "" {
		token = "serial " + u.Serial
	}
	return fmt.Sprintf("object %q in the token %q", name, token)
}
