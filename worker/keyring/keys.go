package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/interlock-run/interlock/evidence"
)

// A key is a private key that was found.
type key struct {
	id   string // [evidence.KeyID], or "" if it is not a readable Ed25519 key
	form string // of a key without an id
}

func (k key) String() string {
	if k.id != "" {
		return "key " + k.id
	}
	return k.form
}

// keysIn finds the private keys in data: PEM blocks wherever they stand,
// indented ones too, and PKCS #8 in DER. A block that calls itself a private
// key counts as one even if it cannot be read here: it may be encrypted, or of
// a kind that somebody else can read.
func keysIn(data []byte) []key {
	if k, ok := der(data); ok {
		return []key{k}
	}
	var keys []key
	for block, rest := pem.Decode(unindented(data)); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		k, ok := der(block.Bytes)
		if !ok {
			k = key{form: "a PEM block " + block.Type}
		}
		keys = append(keys, k)
	}
	return keys
}

func der(data []byte) (key, bool) {
	parsed, err := x509.ParsePKCS8PrivateKey(data)
	if err != nil {
		return key{}, false
	}
	if private, ok := parsed.(ed25519.PrivateKey); ok {
		return key{id: evidence.KeyID(private.Public().(ed25519.PublicKey))}, true
	}
	return key{form: "not an Ed25519 key"}, true
}

// unindented is data without the white space around its lines, which a key
// inside a YAML file has.
func unindented(data []byte) []byte {
	lines := bytes.Split(data, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimSpace(lines[i])
	}
	return bytes.Join(lines, []byte("\n"))
}
