package worker_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/internal/defence"
	"github.com/interlock-run/interlock/internal/defence/defencetest"
	"github.com/interlock-run/interlock/worker"
	"github.com/interlock-run/interlock/worker/workertest"
)

// A keyroom is a fixture whose trust root is signed, and lies in a file.
type keyroom struct {
	*workertest.Fixture
	versions []*evidence.Trust // all that were published
	mu       sync.Mutex
	more     map[evidence.Role][]*evidence.Signer
}

// The roles whose keys a process signs with, and the names of their keys.
var signing = map[evidence.Role]string{
	evidence.RoleAuthority: evidencetest.Authority, evidence.RoleRecorder: evidencetest.Recorder, evidence.RoleWorker: evidencetest.Worker,
}

// heir returns the key that replaces the one with that name.
func heir(name string) *evidence.Signer { return evidencetest.Signer(name + " the second") }

func newKeyroom(t *testing.T, options ...workertest.Option) *keyroom {
	t.Helper()
	k := &keyroom{more: map[evidence.Role][]*evidence.Signer{}}
	ring := func(role evidence.Role) *evidence.Ring {
		r, err := evidence.LoadRing(func() ([]*evidence.Signer, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			return append([]*evidence.Signer{evidencetest.Signer(signing[role])}, k.more[role]...), nil
		})
		require.NoError(t, err)
		return r
	}
	k.Fixture = workertest.New(t, append([]workertest.Option{workertest.WithTerms(quick), func(f *workertest.Fixture) {
		k.Fixture = f
		d := evidencetest.Draft()
		d.Issued, d.Keys = evidence.TimeOf(time.Now()), f.Trust.Keys()
		f.Trust = k.signed(d, evidencetest.Root1, evidencetest.Root2)
		f.Config.Trust, f.Config.TrustFile = f.Trust, f.Path("trust.json")
		k.publish(f.Trust)
		f.Config.Control.Authority, f.Config.Control.Recorder, f.Config.Steps.Key = nil, nil, nil
		f.Config.Control.Authorities, f.Config.Control.Recorders = ring(evidence.RoleAuthority), ring(evidence.RoleRecorder)
		f.Config.Steps.Keys = ring(evidence.RoleWorker)
	}}, options...)...)
	return k
}

func (k *keyroom) signed(d *evidence.Draft, roots ...string) *evidence.Trust {
	k.T.Helper()
	for _, root := range roots {
		require.NoError(k.T, d.Sign(evidencetest.Signer(root)))
	}
	trust, err := d.Trust()
	require.NoError(k.T, err)
	return trust
}

// publish puts a trust root in the place of the one on disk.
func (k *keyroom) publish(trust *evidence.Trust) {
	k.T.Helper()
	data, err := trust.Encode()
	require.NoError(k.T, err)
	k.Write("trust.new", string(data))
	require.NoError(k.T, os.Rename(k.Path("trust.new"), k.Path("trust.json")))
	kept, err := evidence.ParseTrust(data) // the workers move their own along
	require.NoError(k.T, err)
	k.versions = append(k.versions, kept)
}

// next publishes the version after the newest.
func (k *keyroom) next(edit func(*evidence.Draft)) {
	k.T.Helper()
	d := k.versions[len(k.versions)-1].Draft(evidence.TimeOf(time.Now()))
	edit(d)
	k.publish(k.signed(d, evidencetest.Root1, evidencetest.Root3))
}

// moved waits until the workers use the newest version.
func (k *keyroom) moved() {
	k.T.Helper()
	k.eventually(func() bool { return k.Trust.Version() == k.versions[len(k.versions)-1].Version() }, "the trust root does not move")
}

func (k *keyroom) eventually(is func() bool, complaint string) {
	k.T.Helper()
	require.Eventually(k.T, is, 3*time.Minute, 20*time.Millisecond, complaint)
}

// addHeirs gives the workers a second key of each role, and waits until it is
// valid.
func (k *keyroom) addHeirs() {
	k.T.Helper()
	k.mu.Lock()
	for role, name := range signing {
		k.more[role] = append(k.more[role], heir(name))
	}
	k.mu.Unlock()
	from := evidence.TimeOf(time.Now().Add(2 * time.Second)) // longer than it takes until everybody knows
	k.next(func(d *evidence.Draft) {
		for role, name := range signing {
			public := heir(name).Public()
			d.Keys = append(d.Keys, evidence.Key{ID: evidence.KeyID(public), Role: role, Name: name, Public: evidence.PublicKey(public), From: from})
		}
	})
	k.moved()
	k.eventually(func() bool { return evidence.TimeOf(time.Now()) >= from }, "time stands still")
}

// edit returns an edit of the key of that signer.
func edit(signer *evidence.Signer, change func(*evidence.Key)) func(*evidence.Draft) {
	return func(d *evidence.Draft) {
		change(&d.Keys[slices.IndexFunc(d.Keys, func(k evidence.Key) bool { return k.ID == signer.KeyID() })])
	}
}

// signers returns who signed the records of a proof.
func signers(p *evidence.Proof) map[string]bool {
	ids := map[string]bool{}
	for _, e := range p.Records {
		ids[e.Signatures[0].KeyID] = true
	}
	return ids
}

// TestT27Rotation replaces the keys of the authority, the recorder and the
// worker while executions run, one of them all the time. Nothing halts, and
// everything verifies.
func TestT27Rotation(t *testing.T) {
	k := newKeyroom(t)
	long := k.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	k.World.Await(t)
	// short runs one execution after the other until all three of these keys
	// sign.
	short := func(name string, want func(string) *evidence.Signer) {
		for i := 0; ; i++ {
			run := k.Begin(workertest.Step("a", "desk.note", `{"text":"x"}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
			report := k.Verified(run)
			require.Equal(t, evidence.Completed, report.Verdict, "%s: %s %s", name, report.Cause, report.Reason)
			by := signers(k.Proof(run))
			if !slices.ContainsFunc(slices.Sorted(namesOf(signing)), func(n string) bool { return !by[want(n).KeyID()] }) {
				return
			}
			require.Less(t, i, 500, "the new keys are not used")
		}
	}
	short("before", evidencetest.Signer)
	old := k.Verified(k.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`)))
	require.Equal(t, evidence.Completed, old.Verdict)
	k.addHeirs()
	short("added", heir)
	end := evidence.TimeOf(time.Now().Add(2 * time.Second))
	k.next(func(d *evidence.Draft) {
		for _, name := range signing {
			edit(evidencetest.Signer(name), func(k *evidence.Key) { k.Until = end })(d)
		}
	})
	k.moved()
	short("retiring", heir)
	k.eventually(func() bool { return evidence.TimeOf(time.Now()) >= end }, "time stands still")
	short("retired", heir)

	k.World.Release()
	report := k.Verified(long)
	require.Equal(t, evidence.Completed, report.Verdict, report.Cause)
	by := signers(k.Proof(long))
	for _, name := range signing {
		require.True(t, by[heir(name).KeyID()], "%s did not sign with its new key", name)
	}
	require.True(t, by[evidencetest.Signer(evidencetest.Authority).KeyID()], "it began under the old key")
	require.EqualValues(t, 3, k.Trust.Version())

	// A worker that starts now reads the three versions from the store.
	k.Stop()
	k.Start()
	short("restarted", heir)
}

func namesOf[K comparable](m map[K]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// TestT27CompromiseHalts marks a key as compromised that a running execution
// was signed with: its steps stop, it halts, and the next key signs the halt.
// What ended before the mark verifies as before.
func TestT27CompromiseHalts(t *testing.T) {
	for _, row := range []struct {
		role   evidence.Role
		action string
		want   evidence.Verdict
	}{
		{evidence.RoleAuthority, "desk.wait", evidence.Halted},
		{evidence.RoleAuthority, "desk.strike", evidence.Unresolved},
		{evidence.RoleWorker, "desk.wait", evidence.Halted},
	} {
		t.Run(string(row.role)+" "+row.action, func(t *testing.T) {
			k := newKeyroom(t)
			old := k.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`), workertest.Step("b", "desk.pay", `{"amount":2}`, "a"))
			require.Equal(t, evidence.Completed, k.Verified(old).Verdict)
			since := evidence.TimeOf(time.Now()) + 1
			k.eventually(func() bool { return evidence.TimeOf(time.Now()) > since }, "time stands still")

			run := k.Begin(workertest.Step("first", "desk.note", `{}`), workertest.Step("a", row.action, `{}`, "first"), workertest.Step("b", "desk.pay", `{"amount":7}`, "a"))
			k.World.Await(t)
			k.addHeirs()
			k.next(edit(evidencetest.Signer(signing[row.role]), func(k *evidence.Key) { k.Compromised, k.Note = since, "a laptop was stolen" }))
			receipt, err := k.Wait(run)
			require.Error(t, err)
			require.Equal(t, row.want, receipt.Verdict)
			proof := k.Proof(run)
			halt := theHalt(t, proof)
			require.Equal(t, "key.compromised", halt.Check, halt.Reason)
			for _, e := range proof.Records[len(proof.Records)-2:] {
				key, err := k.Trust.KeyNow(e.Signatures[0].KeyID, roleOf(t, e), evidence.TimeOf(time.Now()))
				require.NoError(t, err, "the halt or the seal cannot be believed: %v", key)
			}
			require.ErrorIs(t, evidence.Verify(k.Trust, proof).Err(), evidence.ErrNotAuthentic, "what was signed after the theft is believed")
			require.NoError(t, evidence.Verify(k.Trust, k.Proof(old)).Err(), "what was signed before is not believed any more")
			for _, c := range k.World.Effects() {
				require.NotContains(t, string(c.Args), "7", "a step began after the mark")
			}

			// What is asked for now runs under the new key.
			after := k.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))
			require.Equal(t, evidence.Completed, k.Verified(after).Verdict)
		})
	}
}

func roleOf(t *testing.T, e evidence.Envelope) evidence.Role {
	t.Helper()
	rec, err := e.Decode()
	require.NoError(t, err)
	return evidence.RoleFor(rec.Kind())
}

func theHalt(t *testing.T, p *evidence.Proof) *evidence.Halt {
	t.Helper()
	for _, e := range p.Records {
		rec, err := e.Decode()
		require.NoError(t, err)
		if h, ok := rec.Predicate.(*evidence.Halt); ok {
			return h
		}
	}
	t.Fatal("there is no halt")
	return nil
}

// TestT27GoesOnUnderACompromisedKey: somebody stole the authority's key, and
// the execution that it began is about to pay.
func TestT27GoesOnUnderACompromisedKey(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		k := newKeyroom(t)
		run := k.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
		k.World.Await(t)
		k.addHeirs()
		k.next(edit(evidencetest.Signer(evidencetest.Authority), func(k *evidence.Key) { k.Compromised = k.From }))
		k.moved()
		k.World.Release()
		_, _ = k.Wait(run)
		return k.World.Count("desk.pay") > 0
	}, defence.CompromisedHalts)
}

// TestT27NoOtherKey marks the only key of the authority: nothing is decided,
// and what runs ends.
func TestT27NoOtherKey(t *testing.T) {
	k := newKeyroom(t)
	run := k.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	k.World.Await(t)
	k.next(edit(evidencetest.Signer(evidencetest.Authority), func(k *evidence.Key) { k.Compromised = k.From }))
	receipt, err := k.Wait(run)
	require.Error(t, err)
	require.NotEqual(t, evidence.Completed, receipt.Verdict)
	_, err = k.Wait(k.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`)))
	require.Error(t, err)
	require.Zero(t, k.World.Count("desk.pay"))
}

// TestT27TrustRootReplaced puts another trust root in the place of the one on
// disk while an execution runs. It halts, and no key of the other one is ever
// believed.
func TestT27TrustRootReplaced(t *testing.T) {
	stranger := evidencetest.Signer(evidencetest.Stranger)
	for name, replace := range map[string]func(*testing.T, *keyroom){
		"by an older one": func(t *testing.T, k *keyroom) {
			k.publish(k.versions[0])
		},
		"by one without a quorum": func(t *testing.T, k *keyroom) {
			d := k.Trust.Draft(evidence.TimeOf(time.Now()))
			d.Roots = evidence.Roots{Need: 1, Keys: []evidence.RootKey{{ID: stranger.KeyID(), Name: "x", Public: evidence.PublicKey(stranger.Public())}}}
			k.publish(k.signed(d, evidencetest.Stranger, evidencetest.Root1))
		},
		"by an unsigned one": func(t *testing.T, k *keyroom) {
			plain, err := evidence.NewTrust(evidencetest.Domain, k.Trust.Keys())
			require.NoError(t, err)
			k.publish(plain)
		},
		"by none":      func(t *testing.T, k *keyroom) { require.NoError(t, os.Remove(k.Path("trust.json"))) },
		"by something": func(_ *testing.T, k *keyroom) { k.Write("trust.json", "{}") },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeyroom(t)
			k.addHeirs()
			run := k.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
			k.World.Await(t)
			replace(t, k)
			receipt, err := k.Wait(run)
			require.Error(t, err)
			require.Equal(t, evidence.Halted, receipt.Verdict)
			require.Contains(t, []string{"probe.trust", "worker.unfit", "probe.workers"}, theHalt(t, k.Proof(run)).Check)
			require.Zero(t, k.World.Count("desk.pay"))
			require.EqualValues(t, 2, k.Trust.Version())

			// Put right, everything goes on.
			k.publish(k.versions[1])
			require.Eventually(t, func() bool {
				return k.Verified(k.Begin(workertest.Step("a", "desk.pay", `{"amount":1}`))).Verdict == evidence.Completed
			}, 3*time.Minute, 100*time.Millisecond)
		})
	}
}

// TestT27Rollback starts workers on an older trust root, in which a stolen key
// is still good.
func TestT27Rollback(t *testing.T) {
	defencetest.Run(t, func(t *testing.T) bool {
		k := newKeyroom(t)
		k.addHeirs()
		k.next(edit(evidencetest.Signer(evidencetest.Worker), func(k *evidence.Key) { k.Compromised = k.From }))
		k.moved()
		k.Stop()
		k.more = nil // it is as it was then
		for _, ring := range []*evidence.Ring{k.Config.Control.Authorities, k.Config.Control.Recorders, k.Config.Steps.Keys} {
			require.NoError(t, ring.Reload())
		}
		return starts(t, k, k.versions[0])
	}, defence.TrustRemembered)
}

// TestT27StartRefuses starts workers on trust roots that the store's newest
// does not lead to.
func TestT27StartRefuses(t *testing.T) {
	k := newKeyroom(t)
	k.addHeirs()
	k.Stop()
	stranger := evidencetest.Signer(evidencetest.Stranger)
	draft := func() *evidence.Draft { return k.versions[1].Draft(evidence.TimeOf(time.Now())) }
	fork := draft()
	fork.Version = 2
	seized := draft()
	seized.Roots = evidence.Roots{Need: 1, Keys: []evidence.RootKey{{ID: stranger.KeyID(), Name: "x", Public: evidence.PublicKey(stranger.Public())}}}
	plain, err := evidence.NewTrust(evidencetest.Domain, k.versions[1].Keys())
	require.NoError(t, err)
	for name, trust := range map[string]*evidence.Trust{
		"older": k.versions[0], "another of that number": k.signed(fork, evidencetest.Root1, evidencetest.Root2),
		"without a quorum": k.signed(seized, evidencetest.Stranger), "unsigned": plain,
	} {
		require.False(t, starts(t, k, trust), name)
	}
	require.True(t, starts(t, k, k.versions[1]), "the one that it was")
	require.True(t, starts(t, k, k.signed(draft(), evidencetest.Root2, evidencetest.Root3)), "the next one")
	require.False(t, starts(t, k, k.versions[1]), "the store remembers the next one now")
}

// starts reports whether a control plane or a step worker starts on trust.
func starts(t *testing.T, k *keyroom, trust *evidence.Trust) bool {
	t.Helper()
	data, err := trust.Encode()
	require.NoError(t, err)
	k.Write("trust.json", string(data))
	yes := 0
	for _, role := range []string{"control", "steps"} {
		c := k.Config
		if c.Trust, err = evidence.ParseTrust(data); err != nil {
			t.Fatal(err)
		}
		if role == "control" {
			c.Steps = nil
		} else {
			c.Control = nil
		}
		w, err := worker.New(context.Background(), c)
		if err != nil {
			require.ErrorIs(t, err, worker.ErrConfig)
			require.ErrorContains(t, err, "trust root")
			continue
		}
		require.NoError(t, w.Close())
		yes++
	}
	require.NotEqual(t, 1, yes, "only one of the roles starts")
	return yes == 2
}

// TestT27CopiesOfTheTrustRoot: a step worker with a copy of its own learns of a
// new version from the store, and does not mind that its copy is late.
func TestT27CopiesOfTheTrustRoot(t *testing.T) {
	k := newKeyroom(t)
	k.Stop()
	both := k.Config
	apart := func(name string) worker.Config {
		c := both
		data, err := k.versions[0].Encode()
		require.NoError(t, err)
		k.Write(name+".json", string(data))
		c.TrustFile = k.Path(name + ".json")
		c.Trust, err = evidence.ParseTrust(data)
		require.NoError(t, err)
		return c
	}
	control, steps := apart("control"), apart("steps")
	control.Steps, steps.Control = nil, nil
	for _, c := range []worker.Config{control, steps} {
		w, err := worker.New(t.Context(), c)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
	}
	run := k.Begin(workertest.Step("a", "desk.wait", `{}`), workertest.Step("b", "desk.pay", `{"amount":1}`, "a"))
	k.World.Await(t)
	k.next(func(*evidence.Draft) {})
	k.next(func(*evidence.Draft) {})
	for i, version := range k.versions[1:] {
		data, err := version.Encode()
		require.NoError(t, err)
		k.Write("control.new", string(data))
		require.NoError(t, os.Rename(k.Path("control.new"), k.Path("control.json")))
		k.eventually(func() bool { return steps.Trust.Version() == uint64(i+2) }, fmt.Sprintf("the step worker does not learn of version %d", i+2))
	}
	data, err := k.versions[1].Encode()
	require.NoError(t, err)
	k.Write("steps.new", string(data)) // version 2, when 3 is in force
	require.NoError(t, os.Rename(k.Path("steps.new"), k.Path("steps.json")))
	k.World.Release()
	require.Equal(t, evidence.Completed, k.Verified(run).Verdict)
}
