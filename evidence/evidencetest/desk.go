package evidencetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/interlock-run/interlock/evidence"
)

// The step ids of [Desk.Request]'s plan. Each needs the one before.
const (
	Lookup = "lookup" // orders.read
	Refund = "refund" // orders.refund
	Notify = "notify" // mail.send
)

// A Desk makes one chain. Each method signs one record, right in every member
// unless the caller's edits say otherwise, and appends it. Nothing that a Desk
// appends has to be allowed: the rules are what is being tested.
type Desk struct {
	t         testing.TB
	now       evidence.Time
	chain     evidence.Chain
	lineage   evidence.Lineage // what it accepted
	records   []evidence.Envelope
	presented evidence.Digest // of the request
	request   *evidence.Request
	grant     evidence.Digest
	sealed    evidence.Digest // the seal
	decided   map[string]evidence.Digest
	waits     map[string]evidence.Digest // the newest decision to wait
	asked     map[string]evidence.Decision
	begun     map[string]bool
	lease     evidence.Lease
	signals   uint64
	handed    evidence.Digest // the newest handover
	epoch     uint64          // how often another run took over
	signer    string
	rewrite   func(payload []byte) []byte
}

// New returns a desk with nothing on it.
func New(t testing.TB) *Desk {
	return &Desk{
		t: t, now: Start, decided: map[string]evidence.Digest{}, begun: map[string]bool{},
		waits: map[string]evidence.Digest{}, asked: map[string]evidence.Decision{},
	}
}

// SignNextWith makes the next record be signed with the key of that name.
func (d *Desk) SignNextWith(name string) { d.signer = name }

// RewriteNext changes the payload of the next record before it is signed.
func (d *Desk) RewriteNext(f func(payload []byte) []byte) { d.rewrite = f }

// Append adds a record from anywhere.
func (d *Desk) Append(e evidence.Envelope) {
	d.records = append(d.records, e)
	d.chain.Append(e.Digest())
}

// Records returns the records so far.
func (d *Desk) Records() []evidence.Envelope { return d.records }

// Proof returns the records as a proof.
func (d *Desk) Proof() *evidence.Proof { return &evidence.Proof{Records: d.records} }

// Binding is the run that every record is bound to.
func (d *Desk) Binding() evidence.Binding {
	return evidence.Binding{
		Namespace: "default",
		Workflow:  d.request.ID,
		Run:       fmt.Sprintf("7f0c8b52-5a53-4a37-9d83-2f6a3f1e9c%02x", 0x11+d.epoch),
		Epoch:     1 + d.epoch,
		Queue:     "interlock-steps",
	}
}

// sign appends p, about subject, and returns its digest.
func (d *Desk) sign(name string, subject evidence.Subject, p evidence.Predicate) evidence.Digest {
	d.t.Helper()
	if d.signer != "" {
		name, d.signer = d.signer, ""
	}
	e, err := Signer(name).Sign(subject, p)
	if err != nil {
		d.t.Fatalf("couldn't sign a %s: %v", p.Kind(), err)
	}
	if d.rewrite != nil {
		e = SignBytes(name, e.PayloadType, d.rewrite(e.Payload))
		d.rewrite = nil
	}
	d.Append(e)
	r, err := Trust().Open(e)
	if err != nil {
		r, err = e.Decode()
	}
	if err == nil {
		_ = d.lineage.Add(r) // a desk makes wrong chains too
	}
	return e.Digest()
}

// subject is what every record but the request is about.
func (d *Desk) subject() evidence.Subject {
	return evidence.Subject{Execution: d.request.ID, Digest: d.presented}
}

// tick lets ten milliseconds pass.
func (d *Desk) tick() evidence.Time {
	d.now = d.now.Add(10 * time.Millisecond)
	return d.now
}

// Pass lets time pass.
func (d *Desk) Pass(by time.Duration) { d.now = d.now.Add(by) }

// SignBytes signs a payload as it is, which [evidence.Signer.Sign] refuses to
// do with one that could not be read back.
func SignBytes(name, payloadType string, payload []byte) evidence.Envelope {
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	signer := Signer(name)
	return evidence.Envelope{
		PayloadType: payloadType,
		Payload:     payload,
		Signatures:  []evidence.Signature{{KeyID: signer.KeyID(), Sig: must(Private(name).Sign(nil, message, noHash))}},
	}
}

func edited[T any](p *T, edits []func(*T)) *T {
	for _, edit := range edits {
		edit(p)
	}
	return p
}

// TB returns the test that the desk stands in.
func (d *Desk) TB() testing.TB { return d.t }
