// Package evidencetest makes evidence for tests: keys that are always the
// same, the trust root that believes them, and whole signed chains, right or
// wrong. Two runs give the same bytes.
//
// [Proof] returns a finished proof for each [Ending]. A [Desk] makes any other
// chain, record by record:
//
//	d := evidencetest.New(t)
//	d.Request()
//	d.Grant()
//	d.Allow("lookup")
//	d.Done("lookup")
//	d.Seal()
//	report := evidence.Verify(evidencetest.Trust(), d.Proof())
//
// The keys are public. Nothing that matters may ever trust them.
package evidencetest

import (
	"crypto/ed25519"
	"crypto/sha3"
	"sync"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// Domain is the domain of the trust root, and the audience of requests.
const Domain = "interlock.test"

// The names of the keys.
const (
	Alice         = "alice"     // principal
	Bob           = "bob"       // principal
	Authority     = "authority" // authority
	Worker        = "worker-1"  // worker
	OtherWorker   = "worker-2"  // worker
	Recorder      = "recorder"  // recorder
	Operator      = "olga"      // operator
	OtherOperator = "otto"      // operator
	Retired       = "retired"   // authority, no more valid since [Start]
	Stranger      = "stranger"  // in no trust root

	AliceApprover = "alice-approver" // approver, of the person of Alice
	Carol         = "carol"          // approver
	CarolsPhone   = "carols-phone"   // approver, of the person of Carol
	Dave          = "dave"           // approver
	Erin          = "erin"           // approver
	Frank         = "frank"          // approver whom no rule of the tests asks
	Revoker       = "rita"           // revoker

	Root1 = "root-1" // root keys of [Draft]
	Root2 = "root-2"
	Root3 = "root-3"
)

// Start is the time at which every execution is asked for.
var Start = evidence.TimeOf(time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC))

var roles = []struct {
	name   string
	role   evidence.Role
	person string
}{
	{Alice, evidence.RolePrincipal, ""},
	{Bob, evidence.RolePrincipal, ""},
	{Authority, evidence.RoleAuthority, ""},
	{Worker, evidence.RoleWorker, ""},
	{OtherWorker, evidence.RoleWorker, ""},
	{Recorder, evidence.RoleRecorder, ""},
	{Operator, evidence.RoleOperator, ""},
	{OtherOperator, evidence.RoleOperator, ""},
	{Retired, evidence.RoleAuthority, ""},
	{AliceApprover, evidence.RoleApprover, Alice},
	{Carol, evidence.RoleApprover, ""},
	{CarolsPhone, evidence.RoleApprover, Carol},
	{Dave, evidence.RoleApprover, ""},
	{Erin, evidence.RoleApprover, ""},
	{Frank, evidence.RoleApprover, ""},
	{Revoker, evidence.RoleRevoker, ""},
}

// Private returns the private key with the given name. Every name has one.
func Private(name string) ed25519.PrivateKey {
	seed := sha3.Sum256([]byte("interlock.run/evidencetest/" + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Signer returns a signer that uses [Private] of name.
func Signer(name string) *evidence.Signer {
	return must(evidence.NewSigner(Private(name)))
}

// Keys returns the keys of [Trust]: all that have a name above, save
// [Stranger]. They are valid through 2026, [Retired] until [Start].
func Keys() []evidence.Key {
	keys := make([]evidence.Key, len(roles))
	for i, r := range roles {
		public := Signer(r.name).Public()
		keys[i] = evidence.Key{
			ID:     evidence.KeyID(public),
			Role:   r.role,
			Name:   r.name,
			Person: r.person,
			Public: evidence.PublicKey(public),
			From:   evidence.TimeOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
			Until:  evidence.TimeOf(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)),
		}
		if r.name == Retired {
			keys[i].Until = Start
		}
	}
	return keys
}

// Trust returns the trust root of [Domain].
func Trust() *evidence.Trust { return trust() }

var trust = sync.OnceValue(func() *evidence.Trust { return must(evidence.NewTrust(Domain, Keys())) })

// Draft returns version 1 of a signed trust root with the keys of [Trust],
// which two of three root keys have to sign.
func Draft() *evidence.Draft {
	d := &evidence.Draft{Domain: Domain, Version: 1, Issued: Start, Keys: Keys(), Roots: evidence.Roots{Need: 2}}
	for _, name := range []string{Root1, Root2, Root3} {
		public := Signer(name).Public()
		d.Roots.Keys = append(d.Roots.Keys, evidence.RootKey{ID: evidence.KeyID(public), Name: name, Public: evidence.PublicKey(public)})
	}
	return d
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
