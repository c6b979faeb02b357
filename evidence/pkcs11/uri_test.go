package pkcs11_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence/pkcs11"
)

func TestParseURI(t *testing.T) {
	got, err := pkcs11.ParseURI("pkcs11:token=My%20HSM;object=auth%3bority;id=%01%ff;type=private?module-path=/usr/lib/p11.so&pin-source=file:/etc/pin")
	require.NoError(t, err)
	require.Equal(t, pkcs11.URI{Token: "My HSM", Object: "auth;ority", ID: "\x01\xff", Module: "/usr/lib/p11.so", PINSource: "/etc/pin"}, got)
	require.Equal(t, `object "auth;ority" in the token "My HSM"`, got.String())
	require.Equal(t, `object "id 01" in the token "serial 7"`, pkcs11.URI{Serial: "7", ID: "\x01"}.String())

	const query = "?module-path=/m.so"
	for name, uri := range map[string]string{
		"a path":                   "/etc/key.pem",
		"no token":                 "pkcs11:object=a" + query,
		"no object":                "pkcs11:token=t" + query,
		"no library":               "pkcs11:token=t;object=a",
		"a library somewhere":      "pkcs11:token=t;object=a?module-path=m.so",
		"a PIN":                    "pkcs11:token=t;object=a" + query + "&pin-value=1234",
		"a PIN somewhere":          "pkcs11:token=t;object=a" + query + "&pin-source=pin",
		"a PIN of a program":       "pkcs11:token=t;object=a" + query + "&pin-source=%7Ccat",
		"a public key":             "pkcs11:token=t;object=a;type=public" + query,
		"an unknown attribute":     "pkcs11:token=t;object=a;slot-id=3" + query,
		"an attribute of no value": "pkcs11:token=t;object" + query,
		"an empty attribute":       "pkcs11:token=;object=a" + query,
		"an attribute twice":       "pkcs11:token=t;object=a;object=b" + query,
		"badly escaped":            "pkcs11:token=t;object=%zz" + query,
	} {
		_, err := pkcs11.ParseURI(uri)
		require.ErrorIs(t, err, pkcs11.ErrURI, name)
		_, err = pkcs11.Open(uri)
		require.ErrorIs(t, err, pkcs11.ErrURI, name)
		require.NotContains(t, err.Error(), "1234", name)
	}
}
