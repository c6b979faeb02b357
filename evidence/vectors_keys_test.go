package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
)

// A mark says that a key is compromised from so many milliseconds after
// [evidencetest.Start] on.
type mark struct {
	name string
	ms   int
}

// marked are proofs by keys that were compromised later. The records of a
// completed execution state these times, in ms: request 0, grant 10,
// decision 20, outcome 40, decision 50, signal 60, outcome 80, decision 90,
// outcome 110, seal 120. One that was resolved: outcome 70, seal 80,
// resolution 90.
var marked = []struct {
	name, expect, finding string
	ending                string
	marks                 []mark
}{
	{"authority compromised long after", "ok", "completed", "completed", []mark{{evidencetest.Authority, hour}}},
	{"authority compromised after an outcome dates its last decision", "ok", "completed", "completed", []mark{{evidencetest.Authority, 111}}},
	{"authority compromised when the outcome was signed", "20", "no record by another key proves", "completed", []mark{{evidencetest.Authority, 110}}},
	{"authority compromised after its last decision", "20", "no record by another key proves", "completed", []mark{{evidencetest.Authority, 91}}},
	{"authority compromised midway", "20", "not believed since 2026-01-31T09:30:00.050Z", "completed", []mark{{evidencetest.Authority, 50}}},
	{"authority compromised from the beginning", "20", "not believed since", "completed", []mark{{evidencetest.Authority, 10}}},
	{"authority compromised and only a signal of its own follows", "20", "no record by another key proves", "completed-in-three-runs", []mark{{evidencetest.Authority, 90}}},
	{"principal compromised after the grant", "ok", "completed", "completed", []mark{{evidencetest.Alice, 11}}},
	{"principal compromised when the grant was signed", "20", "no record by another key proves", "completed", []mark{{evidencetest.Alice, 10}}},
	{"worker compromised after the seal", "ok", "completed", "completed", []mark{{evidencetest.Worker, 121}}},
	{"worker compromised when the seal was signed", "20", "no record by another key proves", "completed", []mark{{evidencetest.Worker, 120}}},
	{"worker and authority compromised after the seal", "ok", "completed", "completed", []mark{{evidencetest.Worker, hour}, {evidencetest.Authority, hour}}},
	{"authority compromised and dated by a worker who is dated by the seal", "ok", "completed", "completed", []mark{{evidencetest.Authority, 111}, {evidencetest.Worker, 121}}},
	{"authority compromised and dated by a worker who is not dated", "20", "no record by another key proves", "completed", []mark{{evidencetest.Authority, 111}, {evidencetest.Worker, 120}}},
	{"recorder compromised long after", "20", "no record by another key proves", "completed", []mark{{evidencetest.Recorder, hour}}},
	{"recorder compromised after a resolution dates the seal", "ok", "unresolved", "unresolved-resolved", []mark{{evidencetest.Recorder, 91}}},
	{"recorder compromised when the resolution was signed", "20", "no record by another key proves", "unresolved-resolved", []mark{{evidencetest.Recorder, 90}}},
	{"operator compromised long after", "20", "no record by another key proves", "unresolved-resolved", []mark{{evidencetest.Operator, hour}}},
	{"everybody compromised long after", "20", "no record by another key proves", "completed", []mark{
		{evidencetest.Alice, hour}, {evidencetest.Authority, hour}, {evidencetest.Worker, hour}, {evidencetest.Recorder, hour},
	}},
	{"another key compromised", "ok", "completed", "completed", []mark{{evidencetest.Bob, 1}, {evidencetest.OtherWorker, 1}}},
}

const hour = 3600_000

// withMarks returns keys, some of them compromised.
func withMarks(keys []Key, marks []mark) []Key {
	for _, m := range marks {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == m.name })
		keys[i].Compromised = evidencetest.Start.Add(time.Duration(m.ms) * time.Millisecond)
		keys[i].Note = "a laptop was stolen"
	}
	return keys
}

func marksFile(marks []mark) string {
	name := "compromised"
	for _, m := range marks {
		name += fmt.Sprintf("-%s-%d", m.name, m.ms)
	}
	return name + ".json"
}

// compromised returns [marked] as vectors, and their trust roots.
func compromised(t *testing.T) (vectors []vector, trusts map[string]*Trust) {
	trusts = map[string]*Trust{}
	for _, row := range marked {
		file := marksFile(row.marks)
		trust, err := NewTrust(evidencetest.Domain, withMarks(evidencetest.Keys(), row.marks))
		if err != nil {
			t.Fatal(err)
		}
		trusts[file] = trust
		vectors = append(vectors, vector{name: row.name, expect: row.expect, finding: row.finding, trust: file, proof: encode(t, evidencetest.Proof(t, row.ending))})
	}
	return vectors, trusts
}

// trustVectors are trust roots on their own. signed.json is version 1 of a
// signed one; follows-* may follow it; refused-* can be read and may not;
// unreadable-* are no trust roots.
func trustVectors(t *testing.T) map[string][]byte {
	both := []string{evidencetest.Root1, evidencetest.Root2}
	first := rooted(t, draft(), both...)
	files := map[string][]byte{"signed.json": encodeTrust(t, first)}
	stranger := evidencetest.Signer(evidencetest.Stranger)
	next := func(name string, by []string, edit func(*Draft)) {
		d := first.Draft(day)
		edit(d)
		files[name+".json"] = encodeTrust(t, rooted(t, d, by...))
	}
	heir := func(d *Draft) {
		d.Roots = Roots{Need: 1, Keys: []RootKey{{stranger.KeyID(), "heir", PublicKey(stranger.Public())}}}
	}
	next("follows-retired", both, func(d *Draft) { d.Keys[3].Until = day })
	next("follows-compromised", both, func(d *Draft) { withMarks(d.Keys, []mark{{evidencetest.Worker, 50}}) })
	next("follows-other-roots", append(slices.Clone(both), evidencetest.Stranger), heir)
	next("refused-no-quorum-of-the-version-before", []string{evidencetest.Root1, evidencetest.Stranger}, heir)
	next("refused-key-forgotten", both, func(d *Draft) { d.Keys = d.Keys[1:] })
	next("refused-retired-with-hindsight", both, func(d *Draft) { d.Keys[3].Until = day - 1 })
	next("refused-back-from-retirement", both, func(d *Draft) { d.Keys[8].Until = 0 })
	next("refused-other-domain", both, func(d *Draft) { d.Domain = "elsewhere.test" })
	next("refused-same-version", both, func(d *Draft) { d.Version = 1 })
	files["refused-unsigned.json"] = encodeTrust(t, evidencetest.Trust())
	signed := files["signed.json"]
	files["unreadable-one-signature-changed.json"] = spoiltSignature(t, first)
	files["unreadable-fewer-needed.json"] = replace(t, signed, `"need": 2`, `"need": 1`)
	files["unreadable-version-changed.json"] = replace(t, signed, `"version": 1`, `"version": 2`)
	files["unreadable-one-signature.json"] = func() []byte {
		d := draft()
		if err := d.Sign(evidencetest.Signer(evidencetest.Root1)); err != nil {
			t.Fatal(err)
		}
		data, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}()
	return files
}

func spoiltSignature(t *testing.T, trust *Trust) []byte {
	t.Helper()
	d, err := ParseDraft(encodeTrust(t, trust))
	if err != nil {
		t.Fatal(err)
	}
	d.Signatures[1].Sig[0] ^= 1
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTrustVectors reads every trust root among the vectors.
func TestTrustVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d trust roots: %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		trust, err := ParseTrust(read(t, name))
		if strings.HasPrefix(name, "unreadable-") {
			if !errors.Is(err, ErrTrust) {
				t.Errorf("%s: %v, want ErrTrust", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		first, err := ParseTrust(read(t, "signed.json"))
		if err != nil {
			t.Fatal(err)
		}
		err = first.Advance(trust)
		if follows := strings.HasPrefix(name, "follows-") || name == "signed.json"; follows != (err == nil) {
			t.Errorf("%s: after signed.json: %v", name, err)
		}
	}
}

// TestT27RetiredKeysVerifyForEver retires every key after a proof was made,
// version by version: the proof is as good as it was.
func TestT27RetiredKeysVerifyForEver(t *testing.T) {
	trust := rooted(t, draft(), evidencetest.Root1, evidencetest.Root2)
	proof := evidencetest.Proof(t, "completed")
	for i := range trust.Keys() {
		d := trust.Draft(day)
		if d.Keys[i].Until > day {
			d.Keys[i].Until = day
		}
		if err := trust.Advance(rooted(t, d, evidencetest.Root1, evidencetest.Root2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Verify(trust, proof).Err(); err != nil {
		t.Error(err)
	}
	if _, err := trust.KeyNow(evidencetest.Signer(evidencetest.Authority).KeyID(), RoleAuthority, day); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a retired key may act: %v", err)
	}
}

// TestT27ThiefBackdates makes a whole chain with stolen keys, dated before
// they were stolen. What he could not sign, he lacks.
func TestT27ThiefBackdates(t *testing.T) {
	proof := evidencetest.Proof(t, "completed") // all of it signed at any time later
	trust, err := NewTrust(evidencetest.Domain, withMarks(evidencetest.Keys(), []mark{
		{evidencetest.Authority, hour}, {evidencetest.Worker, hour}, {evidencetest.Recorder, hour},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(trust, proof).Err(); !errors.Is(err, ErrNotAuthentic) {
		t.Errorf("%v, want ErrNotAuthentic", err)
	}
}

// TestT27Compromised is what each way of asking says of a compromised key.
func TestT27Compromised(t *testing.T) {
	keys := withMarks(evidencetest.Keys(), []mark{{evidencetest.Authority, 50}})
	trust, err := NewTrust(evidencetest.Domain, keys)
	if err != nil {
		t.Fatal(err)
	}
	id := evidencetest.Signer(evidencetest.Authority).KeyID()
	at := keys[2].Compromised
	if _, err := trust.Key(id, RoleAuthority, at-1); err != nil {
		t.Errorf("before the mark: %v", err)
	}
	if _, err := trust.Key(id, RoleAuthority, at); !errors.Is(err, ErrCompromised) || !errors.Is(err, ErrUntrusted) {
		t.Errorf("at the mark: %v", err)
	}
	if _, err := trust.KeyNow(id, RoleAuthority, at-1); !errors.Is(err, ErrCompromised) {
		t.Errorf("somebody may act with a compromised key: %v", err)
	}
	records := evidencetest.Proof(t, "completed").Records
	if _, err := trust.Open(records[2]); err != nil {
		t.Errorf("dated before the mark: %v", err)
	}
	if _, err := trust.Open(records[4]); !errors.Is(err, ErrCompromised) {
		t.Errorf("dated at the mark: %v", err)
	}
	if _, err := trust.Reopen(records[4]); err != nil {
		t.Errorf("to be ended: %v", err)
	}
	records[4].Signatures[0].Sig = bytes.Clone(records[4].Signatures[0].Sig)
	records[4].Signatures[0].Sig[0] ^= 1
	if _, err := trust.Reopen(records[4]); !errors.Is(err, ErrSignature) {
		t.Errorf("to be ended, and forged: %v", err)
	}
	if k, ok := trust.Compromised(records...); !ok || k.ID != id {
		t.Errorf("in the chain: %v %v", k, ok)
	}
	if _, ok := trust.Compromised(records[0]); ok {
		t.Error("a good key is compromised")
	}
	if _, ok := evidencetest.Trust().Compromised(records...); ok {
		t.Error("a key is compromised in a trust root that marks none")
	}
}
