package evidence_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

var thorough = flag.Bool("thorough", false, "change every byte in ten ways, not in two; takes minutes")

// TestT03EveryByte changes every byte of a proof file in several ways. Not one
// of the files may be believed.
func TestT03EveryByte(t *testing.T) {
	masks, chain := []byte{0x01, 0x20}, play(refuse(), seal())
	if *thorough {
		masks = []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x03, 0xff}
		chain = play(open, stepUp(refund), approve(refund, carol), signal(), rejection(), order(), halt(), seal())
	}
	trust := evidencetest.Trust()
	proof := encode(t, built(t, chain))
	if err := verdictOn(proof, trust); err != nil {
		t.Fatal(err)
	}
	for i := range proof {
		for _, mask := range masks {
			proof[i] ^= mask
			if verdictOn(proof, trust) == nil {
				t.Errorf("byte %d (%q) changed to %q, and nobody noticed", i, proof[i]^mask, proof[i])
			}
			proof[i] ^= mask
		}
	}
}

// TestT03EveryPayloadByte changes every byte of every signed payload, which
// base64 hides from TestT03EveryByte.
func TestT03EveryPayloadByte(t *testing.T) {
	trust := evidencetest.Trust()
	p := built(t, play(refuse(), seal()))
	for i, e := range p.Records {
		for j := range e.Payload {
			p.Records[i].Payload = bytes.Clone(e.Payload)
			p.Records[i].Payload[j] ^= 1
			if Verify(trust, p).Authentic.Answer != No {
				t.Errorf("record %d: byte %d of the payload changed, and nobody noticed", i, j)
			}
		}
		p.Records[i] = e
	}
}

// TestT11EveryByteOfWhatPeopleSaid changes every byte of the payloads of
// approvals, refusals, orders, rejections and the decisions about them, one
// after the other.
func TestT11EveryByteOfWhatPeopleSaid(t *testing.T) {
	trust := evidencetest.Trust()
	p := built(t, play(open, later(refund), stepUp(refund), rejection(), approve(refund, carol), refuseBy(refund, erin), order(), deny(refund), halt(), seal()))
	if err := Verify(trust, p).Err(); err != nil {
		t.Fatal(err)
	}
	for i, e := range p.Records[4:11] {
		for j := range e.Payload {
			changed := e
			changed.Payload = bytes.Clone(e.Payload)
			changed.Payload[j] ^= 1
			if Verify(trust, &Proof{Records: []Envelope{changed}}).Authentic.Answer != No {
				t.Errorf("record %d: byte %d of the payload changed, and nobody noticed", i+4, j)
			}
		}
	}
}

// TestT11Withheld leaves out, repeats or moves what people said in a chain
// that is otherwise whole. The decision that follows states its place.
func TestT11Withheld(t *testing.T) {
	trust := evidencetest.Trust()
	for _, name := range []string{"completed-approved", "completed-approved-in-two-runs", "denied-refused", "halted-revoked", "completed-despite-a-rejection"} {
		records := evidencetest.Proof(t, name).Records
		for i, e := range records {
			r, err := e.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if k := r.Kind(); k != KindApproval && k != KindOrder && k != KindRejection {
				continue
			}
			for what, changed := range map[string][]Envelope{
				"left out": slices.Delete(slices.Clone(records), i, i+1), "said twice": slices.Insert(slices.Clone(records), i, e),
				"said sooner": swapped(records, i-1, i), "said later": swapped(records, i, i+1),
			} {
				if same(changed, records) {
					continue
				}
				if err := Verify(trust, &Proof{Records: changed}).Err(); err == nil {
					t.Errorf("%s: record %d, a %s, is %s, and nobody noticed", name, i, r.Kind(), what)
				}
			}
		}
	}
}

// TestT04EveryPrefix cuts a proof file short everywhere.
func TestT04EveryPrefix(t *testing.T) {
	trust := evidencetest.Trust()
	proof := encode(t, evidencetest.Proof(t, "denied-at-admission"))
	for n := range proof {
		if verdictOn(proof[:n], trust) == nil {
			t.Errorf("%d of %d bytes are believed", n, len(proof))
		}
	}
}

// TestT04Rearranged makes proofs from the records of two executions of the
// same kind: drops, swaps, repeats and splices them, all at random. Only the
// records of one execution, all of them up to the seal, in their order, are
// believed.
func TestT04Rearranged(t *testing.T) {
	trust := evidencetest.Trust()
	for _, ending := range evidencetest.Endings() {
		mine := ending.Proof(t).Records
		other := built(t, play(request(func(r *Request) { r.Nonce = "ff0102030405060708090a0b0c0d0e0f" }), grant(), step(lookup), seal())).Records
		random := rand.New(rand.NewPCG(1, 2))
		for range 60 {
			records := rearrange(random, mine, other)
			if same(records, mine) || same(records, other) || same(records, unresolvedPart(mine)) {
				continue
			}
			if r := Verify(trust, &Proof{Records: records}); r.Err() == nil {
				t.Fatalf("%s: believed although rearranged: %s", ending.Name, origins(records, mine, other))
			}
		}
	}
}

// unresolvedPart is a chain without the resolutions after its seal: nothing
// ties those to it but their own word, so a proof is believed without them.
func unresolvedPart(records []Envelope) []Envelope {
	return slices.DeleteFunc(slices.Clone(records), func(e Envelope) bool {
		r, err := e.Decode()
		return err == nil && r.Kind() == KindResolution
	})
}

func rearrange(random *rand.Rand, mine, other []Envelope) []Envelope {
	records := slices.Clone(mine)
	for range 1 + random.IntN(3) {
		if len(records) == 0 {
			return records
		}
		i, j := random.IntN(len(records)), random.IntN(len(records))
		switch random.IntN(5) {
		case 0:
			records = slices.Delete(records, i, i+1)
		case 1:
			records[i], records[j] = records[j], records[i]
		case 2:
			records = slices.Insert(records, i, records[j])
		case 3:
			records = slices.Insert(records, i, other[random.IntN(len(other))])
		case 4:
			records = records[:i]
		}
	}
	return records
}

func same(a, b []Envelope) bool {
	return slices.EqualFunc(a, b, func(a, b Envelope) bool { return a.Digest() == b.Digest() })
}

// origins describes records by where they come from.
func origins(records, mine, other []Envelope) string {
	var b bytes.Buffer
	for _, e := range records {
		is := func(o Envelope) bool { return o.Digest() == e.Digest() }
		fmt.Fprintf(&b, "%d/%d ", slices.IndexFunc(mine, is), slices.IndexFunc(other, is))
	}
	return b.String()
}
