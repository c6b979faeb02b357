//go:build cgo

package pkcs11_test

import (
	"crypto/ed25519"
	"crypto/sha3"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/evidence/keyfile"
	tokens "github.com/interlock-run/interlock/evidence/pkcs11"
)

const pin = "8246"

// A vault is a SoftHSM, whose library keeps one configuration for the whole
// process.
type vault struct {
	dir, library string
	ctx          *pkcs11.Ctx
}

var (
	once sync.Once
	kept *vault
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "interlock-pkcs11-")
	if err != nil {
		panic(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", dir), 0o600); err != nil {
		panic(err)
	}
	if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
		panic(err)
	}
	kept = &vault{dir: dir}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// softHSM returns the vault with two tokens: "interlock" with keys of all
// sorts, and "spare".
func softHSM(t *testing.T) *vault {
	t.Helper()
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			kept.library = path
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || kept.library == "" {
		t.Skip("softhsm2 is not installed: no token to sign with (Debian: apt-get install softhsm2)")
	}
	once.Do(func() { kept.fill(t) })
	require.NotNil(t, kept.ctx, "the tokens could not be made")
	return kept
}

func (v *vault) fill(t *testing.T) {
	for _, label := range []string{"interlock", "spare", "twin", "twin"} {
		out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", pin).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	ctx := pkcs11.New(v.library)
	require.NotNil(t, ctx)
	require.NoError(t, ctx.Initialize())
	for _, k := range []struct {
		token, label, id string
	}{{"interlock", "authority", "\x01"}, {"interlock", "twice", "\x02"}, {"interlock", "twice", "\x03"}, {"spare", "authority", "\x01"}} {
		v.make(t, ctx, k.token, k.label, k.id, "edwards25519")
	}
	v.make(t, ctx, "interlock", "p256", "\x04", "")
	v.ctx = ctx
}

// make makes a key pair in a token: on the Edwards curve named, or on P-256.
func (v *vault) make(t *testing.T, ctx *pkcs11.Ctx, token, label, id, curve string) {
	t.Helper()
	slots, err := ctx.GetSlotList(true)
	require.NoError(t, err)
	for _, slot := range slots {
		if info, err := ctx.GetTokenInfo(slot); err != nil || info.Label != token {
			continue
		}
		s, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		require.NoError(t, err)
		if err := ctx.Login(s, pkcs11.CKU_USER, pin); err != nil {
			require.ErrorIs(t, err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN))
		}
		mechanism := uint(0x1055) // CKM_EC_EDWARDS_KEY_PAIR_GEN
		params, err := asn1.MarshalWithParams(curve, "printable")
		if curve == "" {
			mechanism = pkcs11.CKM_EC_KEY_PAIR_GEN
			params, err = asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
		}
		require.NoError(t, err)
		name := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(id))}
		public := append([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)}, name...)
		private := append([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false)}, name...)
		_, _, err = ctx.GenerateKeyPair(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
		require.NoError(t, err)
		// Stay logged in as little as an ordinary process would be.
		require.NoError(t, ctx.Logout(s))
		require.NoError(t, ctx.CloseSession(s))
		return
	}
	t.Fatalf("there is no token %q", token)
}

// uri names a key in the vault, with the PIN in a file.
func (v *vault) uri(t *testing.T, path, pin string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pin")
	require.NoError(t, os.WriteFile(file, []byte(pin+"\n"), 0o600))
	return "pkcs11:" + path + "?module-path=" + v.library + "&pin-source=file:" + file
}

// TestTokenSigns makes evidence with a key in a token, and has it verified by
// the trust root and by somebody else's program.
func TestTokenSigns(t *testing.T) {
	v := softHSM(t)
	signer, err := tokens.Open(v.uri(t, "token=interlock;object=authority", pin))
	require.NoError(t, err)
	require.Empty(t, signer.Origin())
	trust := trustIn(t, signer)

	subject := evidence.Subject{Execution: "refund-0042", Digest: evidence.FileDigest([]byte("a request"))}
	halt := func() *evidence.Halt { return &evidence.Halt{At: evidence.TimeOf(time.Now()), Check: "probe.policy"} }
	e, err := signer.Sign(subject, halt())
	require.NoError(t, err)
	_, err = trust.Open(e)
	require.NoError(t, err)
	opensslVerifies(t, signer.Public(), e)

	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 8 {
				e, err := signer.Sign(subject, halt())
				if err == nil {
					_, err = trust.Open(e)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()

	t.Run("PIN from the environment", func(t *testing.T) {
		uri := "pkcs11:token=interlock;id=%01;type=private?module-path=" + v.library
		_, err := tokens.Open(uri)
		require.ErrorIs(t, err, tokens.ErrPIN)
		t.Setenv(tokens.PINVariable, pin)
		same, err := tokens.Open(uri)
		require.NoError(t, err)
		require.Equal(t, signer.KeyID(), same.KeyID())
	})
	t.Run("root key", func(t *testing.T) {
		d := evidencetest.Draft()
		d.Roots = evidence.Roots{Need: 1, Keys: []evidence.RootKey{{ID: signer.KeyID(), Name: "hsm", Public: evidence.PublicKey(signer.Public())}}}
		require.NoError(t, d.Sign(signer))
		_, err := d.Trust()
		require.NoError(t, err)
	})
}

func trustIn(t *testing.T, signer *evidence.Signer) *evidence.Trust {
	t.Helper()
	trust, err := evidence.NewTrust("hsm.test", []evidence.Key{{
		ID: signer.KeyID(), Role: evidence.RoleAuthority, Name: "authority", Public: evidence.PublicKey(signer.Public()), From: 1,
	}})
	require.NoError(t, err)
	return trust
}

// opensslVerifies has openssl check the signature over the DSSE message.
func opensslVerifies(t *testing.T, public ed25519.PublicKey, e evidence.Envelope) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("openssl is not installed: nobody else looked at the signature")
		return
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	prefix := []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00} // SubjectPublicKeyInfo, RFC 8410
	key := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: append(prefix, public...)}))
	message := write("message", fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload))
	out, err := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", message, "-sigfile", write("sig", e.Signatures[0].Sig)).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestTokenRefuses is every way in which a token is not what the URI says.
func TestTokenRefuses(t *testing.T) {
	v := softHSM(t)
	tests := []struct {
		name, path, pin string
		want            error
		says            string
	}{
		{"wrong PIN", "token=spare;object=authority", "0000", tokens.ErrPIN, "CKR_PIN_INCORRECT"},
		{"empty PIN", "token=interlock;object=authority", "", tokens.ErrPIN, "bytes"},
		{"no such token", "token=nowhere;object=authority", pin, tokens.ErrToken, "0 tokens match"},
		{"another maker", "token=interlock;manufacturer=Acme;object=authority", pin, tokens.ErrToken, "0 tokens match"},
		{"two tokens of one name", "token=twin;object=authority", pin, tokens.ErrToken, "2 tokens match"},
		{"no such object", "token=interlock;object=nobody", pin, tokens.ErrToken, "no such private key"},
		{"no such id", "token=interlock;object=authority;id=%07", pin, tokens.ErrToken, "no such private key"},
		{"ambiguous label", "token=interlock;object=twice", pin, tokens.ErrToken, "more than one private key"},
		{"not Ed25519", "token=interlock;object=p256", pin, tokens.ErrToken, "not an Ed25519 key"},
	}
	for _, tt := range tests {
		_, err := tokens.Open(v.uri(t, tt.path, tt.pin))
		require.ErrorIs(t, err, tt.want, tt.name)
		require.ErrorContains(t, err, tt.says, tt.name)
		require.NotContains(t, err.Error(), "0000", tt.name)
	}
	_, err := tokens.Open(v.uri(t, "token=interlock;object=twice;id=%03", pin))
	require.NoError(t, err, "the id says which")

	_, err = tokens.Open("pkcs11:token=t;object=a?module-path=/nowhere/p11.so&pin-source=file:/nowhere/pin")
	require.ErrorIs(t, err, tokens.ErrToken)
	_, err = tokens.Open("pkcs11:token=interlock;object=authority?module-path=" + v.library + "&pin-source=file:/nowhere/pin")
	require.ErrorIs(t, err, tokens.ErrPIN)
	shown := v.uri(t, "token=interlock;object=authority", pin)
	require.NoError(t, os.Chmod(pinFile(t, shown), 0o644))
	_, err = tokens.Open(shown)
	require.ErrorIs(t, err, tokens.ErrPIN, "a PIN that others can read")
	require.NoError(t, os.Chmod(pinFile(t, shown), 0o600))
	require.NoError(t, os.Chmod(filepath.Dir(pinFile(t, shown)), 0o777))
	_, err = tokens.Open(shown)
	require.ErrorIs(t, err, keyfile.ErrReplaceable, "a PIN that others can replace")
	theirs := filepath.Join(t.TempDir(), "p11.so")
	require.NoError(t, os.WriteFile(theirs, []byte("no library"), 0o600))
	require.NoError(t, os.Chmod(theirs, 0o722))
	_, err = tokens.Open("pkcs11:token=t;object=a?module-path=" + theirs + "&pin-source=file:/nowhere/pin")
	require.ErrorIs(t, err, keyfile.ErrReplaceable, "a library that others can write to")
}

func pinFile(t *testing.T, uri string) string {
	t.Helper()
	u, err := tokens.ParseURI(uri)
	require.NoError(t, err)
	return u.PINSource
}

// TestTokenTakenAway removes a token from under a signer. (SoftHSM does not
// notice one that comes back.)
func TestTokenTakenAway(t *testing.T) {
	v := softHSM(t)
	signer, err := tokens.Open(v.uri(t, "token=spare;object=authority", pin))
	require.NoError(t, err)
	subject := evidence.Subject{Execution: "x", Digest: sha3.Sum512(nil)}
	sign := func() error {
		_, err := signer.Sign(subject, &evidence.Halt{At: evidence.TimeOf(time.Now()), Check: "probe.policy"})
		return err
	}
	require.NoError(t, sign())
	away := v.dir + "-away"
	t.Cleanup(func() { _ = os.RemoveAll(away) })
	require.NoError(t, os.Rename(v.dir, away))
	err = sign()
	require.NoError(t, os.Rename(away, v.dir))
	require.ErrorIs(t, err, evidence.ErrSigner)
	require.ErrorIs(t, err, tokens.ErrToken)
}
