package evidence_test

import (
	"crypto"
	"fmt"
	"math/big"
	"slices"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// unauthentic are proofs that can be read, but not believed.
func unauthentic(t *testing.T) []vector {
	rows := []struct {
		name, finding string
		proof         func() *Proof
	}{
		{"payload changed", "bad signature", spoilt(t, func(e *Envelope) { e.Payload = replace(t, e.Payload, `"cents":1250`, `"cents":1251`) })},
		{"signature changed", "bad signature", spoilt(t, func(e *Envelope) { e.Signatures[0].Sig[0] ^= 1 })},
		{"signature cut short", "bad signature", spoilt(t, func(e *Envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[:63] })},
		{"signature empty", "bad signature", spoilt(t, func(e *Envelope) { e.Signatures[0].Sig = []byte{} })},
		{"signature null", "bad signature", spoilt(t, func(e *Envelope) { e.Signatures[0].Sig = nil })},
		{"signature with a scalar too large", "bad signature", spoilt(t, addOrder)},
		{"signature of the payload alone", "bad signature", spoilt(t, func(e *Envelope) { e.Signatures[0].Sig = raw(t, e.Payload) })},
		{"signature under another payload type", "bad signature", spoilt(t, func(e *Envelope) {
			e.Signatures = evidencetest.SignBytes(evidencetest.Alice, "application/json", e.Payload).Signatures
		})},
		{"key id of another key of the role", "bad signature", spoilt(t, keyOf(evidencetest.Bob))},
		{"key id of another role", "has role recorder, not principal", spoilt(t, keyOf(evidencetest.Recorder))},
		{"key id empty", "is not in the trust root", spoilt(t, func(e *Envelope) { e.Signatures[0].KeyID = "" })},
		{"another payload type", "payload type", spoilt(t, func(e *Envelope) {
			*e = evidencetest.SignBytes(evidencetest.Alice, "application/json", e.Payload)
		})},
		{"no payload", "no payload", spoilt(t, func(e *Envelope) { e.Payload = nil })},
		{"no signature", "0 signatures", spoilt(t, func(e *Envelope) { e.Signatures = []Signature{} })},
		{"no signature at all", "0 signatures", spoilt(t, func(e *Envelope) { e.Signatures = nil })},
		{"two signatures", "2 signatures", spoilt(t, func(e *Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) })},

		{"request signed by the authority", "has role authority, not principal", signedBy(t, evidencetest.Authority, KindRequest)},
		{"grant signed by the recorder", "has role recorder, not authority", signedBy(t, evidencetest.Recorder, KindGrant)},
		{"decision signed by a worker", "has role worker, not authority", signedBy(t, evidencetest.Worker, KindDecision)},
		{"outcome signed by the authority", "has role authority, not worker", signedBy(t, evidencetest.Authority, KindOutcome)},
		{"attestation signed by the authority", "has role authority, not worker", signedBy(t, evidencetest.Authority, KindAttestation)},
		{"attestation in another worker's name", `it names "worker-1", its key belongs to "worker-2"`, signedBy(t, evidencetest.OtherWorker, KindAttestation)},
		{"signal signed by a worker", "has role worker, not authority", signedBy(t, evidencetest.Worker, KindSignal)},
		{"handover signed by the recorder", "has role recorder, not authority", signedBy(t, evidencetest.Recorder, KindHandover)},
		{"takeover signed by a worker", "has role worker, not authority", signedBy(t, evidencetest.Worker, KindTakeover)},
		{"halt signed by a principal", "has role principal, not authority", signedBy(t, evidencetest.Alice, KindHalt)},
		{"seal signed by the authority", "has role authority, not recorder", signedBy(t, evidencetest.Authority, KindSeal)},
		{"key not in the trust root", "is not in the trust root", signedBy(t, evidencetest.Stranger, KindDecision)},
		{"key that has expired", "was not valid at 2026-01-31T09:30:00.010Z", signedBy(t, evidencetest.Retired, KindGrant)},
		{"key not yet valid", "was not valid at 2025", func() *Proof {
			return built(t, play(request(func(r *Request) { r.Issued -= 31 * 24 * 3600_000 }), grant(), seal()))
		}},
		{"principal's name is not the key's", `it names "alice", its key belongs to "bob"`, signedBy(t, evidencetest.Bob, KindRequest)},
		{"resolution signed by a principal", "has role principal, not operator", resolvedBy(t, evidencetest.Alice)},
		{"resolution signed by the worker", "has role worker, not operator", resolvedBy(t, evidencetest.Worker)},
		{"resolution signed by the recorder", "has role recorder, not operator", resolvedBy(t, evidencetest.Recorder)},
		{"resolution signed by a stranger", "is not in the trust root", resolvedBy(t, evidencetest.Stranger)},
		{"operator's name is not the key's", `it names "olga", its key belongs to "otto"`, resolvedBy(t, evidencetest.OtherOperator)},
		{"approval signed by a principal", "has role principal, not approver", signedBy(t, evidencetest.Alice, KindApproval)},
		{"approval signed by the authority", "has role authority, not approver", signedBy(t, evidencetest.Authority, KindApproval)},
		{"approval signed by an operator", "has role operator, not approver", signedBy(t, evidencetest.Operator, KindApproval)},
		{"approval signed by a revoker", "has role revoker, not approver", signedBy(t, evidencetest.Revoker, KindApproval)},
		{"approval signed by a stranger", "is not in the trust root", signedBy(t, evidencetest.Stranger, KindApproval)},
		{"approver's name is not the key's", `it names "carol", its key belongs to "dave"`, signedBy(t, evidencetest.Dave, KindApproval)},
		{"approver's name is that of the person", `it names "carol", its key belongs to "carols-phone"`, signedBy(t, evidencetest.CarolsPhone, KindApproval)},
		{"order signed by the authority", "has role authority, not revoker", signedBy(t, evidencetest.Authority, KindOrder)},
		{"order signed by an approver", "has role approver, not revoker", signedBy(t, evidencetest.Carol, KindOrder)},
		{"order signed by a stranger", "is not in the trust root", signedBy(t, evidencetest.Stranger, KindOrder)},
		{"revoker's name is not the key's", `it names "rosa", its key belongs to "rita"`, func() *Proof {
			return built(t, play(open, order(func(o *Order) { o.Revoker = "rosa" }), halt(), seal()))
		}},
		{"rejection signed by the recorder", "has role recorder, not authority", signedBy(t, evidencetest.Recorder, KindRejection)},
		{"decision signed by an approver", "has role approver, not authority", signedBy(t, evidencetest.Carol, KindDecision)},
		{"halt signed by a revoker", "has role revoker, not authority", signedBy(t, evidencetest.Revoker, KindHalt)},
		{"request signed by an approver", "has role approver, not principal", signedBy(t, evidencetest.Carol, KindRequest)},
		{"outcome signed by an operator", "has role operator, not worker", signedBy(t, evidencetest.Operator, KindOutcome)},
		{"worker's name is not the key's", `it names "worker-1", its key belongs to "worker-2"`, signedBy(t, evidencetest.OtherWorker, KindOutcome)},
	}
	var vs []vector
	for _, r := range rows {
		vs = append(vs, vector{name: r.name, expect: "20", finding: r.finding, proof: encode(t, r.proof())})
	}
	return vs
}

// spoilt returns a proof whose request was changed after it was signed.
func spoilt(t *testing.T, spoil func(*Envelope)) func() *Proof {
	return func() *Proof {
		p := evidencetest.Proof(t, "denied-at-admission")
		spoil(&p.Records[0])
		return p
	}
}

// signedBy returns a proof in which the first record of a kind was signed
// with the key of that name.
func signedBy(t *testing.T, name string, kind Kind) func() *Proof {
	return func() *Proof {
		return built(t, fullChain(kind, func(d *desk) { d.SignNextWith(name) }))
	}
}

func keyOf(name string) func(*Envelope) {
	return func(e *Envelope) { e.Signatures[0].KeyID = evidencetest.Signer(name).KeyID() }
}

func raw(t *testing.T, message []byte) []byte {
	sig, err := evidencetest.Private(evidencetest.Alice).Sign(nil, message, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// addOrder adds the group's order to the signature's scalar: the same point,
// in a spelling that RFC 8032 forbids.
func addOrder(e *Envelope) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	sig := e.Signatures[0].Sig
	scalar := slices.Clone(sig[32:])
	slices.Reverse(scalar)
	sum := order.Add(order, new(big.Int).SetBytes(scalar)).FillBytes(scalar)
	slices.Reverse(sum)
	copy(sig[32:], sum)
}

// incomplete are proofs whose records are all good, but not all there, or not
// as they were.
func incomplete(t *testing.T) []vector {
	const follow, another = "does not follow the records before it", "belongs to another execution"
	all := built(t, play(open, signal(), allow(refund), done(refund), allow(notify), done(notify), halt(), seal())).Records
	other := built(t, play(request(func(r *Request) { r.Nonce = "ff0102030405060708090a0b0c0d0e0f" }), grant(), step(lookup), seal())).Records
	found := evidencetest.Proof(t, "unresolved-resolved").Records
	lost := built(t, play(request(func(r *Request) { r.Nonce = "ff0102030405060708090a0b0c0d0e0f" }), grant(), step(lookup),
		allow(refund), ended(refund, StatusUnknown), seal())).Records
	waits := waited(t)
	otherWaits := built(t, play(request(func(r *Request) { r.Nonce = "ff0102030405060708090a0b0c0d0e0f" }), grant(), step(lookup),
		stepUp(refund), approve(refund, carol), rejection(), seal())).Records
	rows := []struct {
		name, finding string
		records       []Envelope
	}{
		{"last record dropped", "its seal, is missing", all[:len(all)-1]},
		{"all but the first dropped", "its seal, is missing", all[:1]},
		{"all but the seal dropped", follow, all[len(all)-1:]},
		{"request and grant dropped", follow, all[2:]},
		{"seal after the request", follow, []Envelope{all[0], all[len(all)-1]}},
		{"two records swapped", follow, swapped(all, 5, 6)},
		{"outcome before its decision", follow, swapped(all, 2, 3)},
		{"record twice", follow, slices.Insert(slices.Clone(all), 4, all[3])},
		{"signal twice in a row", follow, slices.Insert(slices.Clone(all), 5, all[4])},
		{"record of another execution put in", another, slices.Insert(slices.Clone(all), 3, other[2])},
		{"outcome of another execution in its place", another, replaced(all, 3, other[3])},
		{"grant of another execution in its place", another, replaced(all, 1, other[1])},
		{"seal of another execution in its place", another, replaced(all, len(all)-1, other[len(other)-1])},
		{"resolution and no seal", "its seal, is missing", append(slices.Clone(found[:len(found)-2]), found[len(found)-1])},
		{"nothing but a resolution", "its seal, is missing", found[len(found)-1:]},
		{"seal twice, and a resolution", "only resolutions may follow", append(slices.Clone(found), found[len(found)-2])},
		{"outcome after a resolution", "only resolutions may follow", append(slices.Clone(found), found[3])},
		{"resolution of another execution", another, append(slices.Clone(lost), found[len(found)-1])},
		{"approval of another execution in its place", another, replaced(waits, 6, otherWaits[5])},
		{"rejection of another execution in its place", another, replaced(waits, 7, otherWaits[6])},
		{"approval twice in a row", follow, slices.Insert(slices.Clone(waits), 6, waits[6])},
		{"approvals swapped", follow, swapped(waits, 6, 8)},
		{"order put in", follow, slices.Insert(slices.Clone(all), 5, waits[10])},
		{"order first", another, append([]Envelope{waits[10]}, all...)},
		{"approval after the seal", "only resolutions may follow", append(slices.Clone(waits), waits[6])},
		{"order after the seal", "only resolutions may follow", append(slices.Clone(all), waits[10])},
		{"seal twice", "a seal ends a chain, and only resolutions may follow", append(slices.Clone(all), all[len(all)-1])},
		{"record after the seal", "a seal ends a chain, and only resolutions may follow", append(slices.Clone(all), all[4])},
		{"two executions in one", "a seal ends a chain, and only resolutions may follow", append(slices.Clone(other), all...)},
	}
	var vs []vector
	for _, r := range rows {
		vs = append(vs, vector{name: r.name, expect: "21", finding: r.finding, proof: encode(t, &Proof{Records: r.records})})
	}
	vs = append(vs, dropped(t, all, map[int]Kind{0: KindRequest, 1: KindGrant, 4: KindSignal, 5: KindDecision, 6: KindOutcome, 9: KindHalt})...)
	vs = append(vs, dropped(t, waited(t), map[int]Kind{6: KindApproval, 7: KindRejection, 10: KindOrder})...)
	return append(vs, misplaced(t)...)
}

// dropped leaves out one record of each kind but the seal.
func dropped(t *testing.T, all []Envelope, kinds map[int]Kind) []vector {
	var vs []vector
	for i, kind := range kinds {
		if r, err := all[i].Decode(); err != nil || r.Kind() != kind {
			t.Fatalf("record %d is no %s: %v", i, kind, err)
		}
		vs = append(vs, vector{
			name: fmt.Sprintf("%s dropped", kind), expect: "21", finding: "does not follow the records before it",
			proof: encode(t, &Proof{Records: slices.Delete(slices.Clone(all), i, i+1)}),
		})
	}
	return vs
}

// misplaced are records that state another place than the one they have.
func misplaced(t *testing.T) []vector {
	rows := []struct {
		name  string
		build func(*desk)
	}{
		{"grant with another count", play(request(), grant(func(g *Grant) { g.Seq++ }), seal())},
		{"grant with another link", play(request(), grant(func(g *Grant) { g.Prev[0] ^= 1 }), seal())},
		{"grant with no link", play(request(), grant(func(g *Grant) { g.Prev = Digest{} }), seal())},
		{"decision with another count", play(request(), grant(), allow(lookup, func(d *Decision) { d.Seq = 0 }), seal())},
		{"decision with another link", play(request(), grant(), allow(lookup, func(d *Decision) { d.Prev[63] ^= 128 }), seal())},
		{"handover with another count", play(open, handover(func(h *Handover) { h.Seq++ }), takeover(), seal())},
		{"handover with another link", play(open, handover(func(h *Handover) { h.Prev[9] ^= 1 }), takeover(), seal())},
		{"takeover with another count", play(open, handover(), takeover(func(k *Takeover) { k.Seq++ }), seal())},
		{"takeover with another link", play(open, handover(), takeover(func(k *Takeover) { k.Prev[9] ^= 1 }), seal())},
		{"waits with another count", play(open, stepUp(refund, func(d *Decision) { d.Seq++ }), seal())},
		{"rejection with another count", play(open, rejection(func(r *Rejection) { r.Seq++ }), seal())},
		{"rejection with another link", play(open, rejection(func(r *Rejection) { r.Prev[9] ^= 1 }), seal())},
		{"halt with another count", play(open, halt(func(h *Halt) { h.Seq++ }), seal())},
		{"halt with another link", play(open, halt(func(h *Halt) { h.Prev[9] ^= 1 }), seal())},
		{"seal with another count", play(open, seal(func(s *Seal) { s.Seq-- }))},
		{"seal with another head", play(open, seal(func(s *Seal) { s.Prev[9] ^= 1 }))},
	}
	var vs []vector
	for _, r := range rows {
		vs = append(vs, vector{name: r.name, expect: "21", finding: "does not follow the records before it", proof: encode(t, built(t, r.build))})
	}
	return vs
}

func swapped(records []Envelope, i, j int) []Envelope {
	records = slices.Clone(records)
	records[i], records[j] = records[j], records[i]
	return records
}

func replaced(records []Envelope, i int, e Envelope) []Envelope {
	records = slices.Clone(records)
	records[i] = e
	return records
}
