package worker_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/evidence/evidencetest"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/workertest"
)

// TestApproveCommand goes the way of the people who are asked.
func TestApproveCommand(t *testing.T) {
	f := people(t)
	c := newCommandLine(t, f)
	r := f.Request(workertest.Step("pay", "desk.pay", "{\"amount\":250}"))
	r.Purpose, r.Context = "refund \x1b[2J\u202e", map[string]string{"ticket": "42\nrule  none"}
	run := f.Submit(r.ID, f.Sign(evidencetest.Alice, r))
	id := run.GetID()
	w := f.Pending(id, 1)[0]

	out, errs := c.run(0, "pending", id)
	require.Empty(t, errs)
	require.Contains(t, out, "waiting    step pay of execution "+id+"\n")
	require.Contains(t, out, "action     desk.pay\narguments  {\n             \"amount\": 250\n           }\n")
	require.Contains(t, out, "asked by   alice\n")
	require.Contains(t, out, "rule       large-amounts: 2 of alice, carol, dave, erin: more than 100 wants two people; 2 missing\n")
	require.Contains(t, out, "waits for  2 more of carol, dave, erin\n")
	require.Regexp(t, `(?m)^until      .* \(in (59m|1h).*\), then it is denied$`, out)
	require.NotContains(t, out, "\x1b")
	require.NotContains(t, out, "\u202e")
	require.NotContains(t, out, "\nrule  none")
	require.Eventually(t, func() bool { // visibility is late
		out, _ := c.run(0, "pending")
		return strings.Contains(out, "step pay of execution "+id)
	}, 3*time.Minute, 50*time.Millisecond)

	out, _ = c.run(0, "status", id)
	require.Contains(t, out, "waits for approvals by 2 of carol, dave, erin until ")
	require.Contains(t, out, "see: interlock pending "+id)

	_, errs = c.run(2, "approve", id)
	require.Contains(t, errs, "no terminal")
	require.Contains(t, errs, "then add --yes")
	_, errs = c.run(2, "approve", id, "read", "--yes")
	require.Contains(t, errs, `nothing waits for approval: step "read"`)
	_, errs = c.run(2, "approve", id, "--yes", "--key", "alice-approver.pem")
	require.Contains(t, errs, "alice asked for execution")
	_, errs = c.run(2, "approve", id, "--yes", "--key", "alice.pem")
	require.Contains(t, errs, "has role principal, not approver")
	_, errs = c.run(2, "approve", id, "--yes", "--decision", "0123456789abcdef")
	require.Contains(t, errs, "was decided anew")
	_, errs = c.run(1, "approve", "there-is-none", "--yes")
	require.Contains(t, errs, "no such execution")
	require.Equal(t, 2, f.Pending(id, 1)[0].Missing)

	out, errs = c.run(0, "approve", id, "--yes", "--note", " looks right ", "--decision", w.Decision.Short())
	require.Empty(t, errs)
	require.Contains(t, out, "arguments  {", "what was signed is shown")
	require.Contains(t, out, "approved   it counts; 1 more must approve")
	_, errs = c.run(1, "approve", id, "pay", "--yes", "--key", "carols-phone.pem")
	require.Contains(t, errs, "it does not count: carol said approve before")
	out, _ = c.run(0, "pending", id, "-o", "json")
	var said struct{ Pending []starter.Waiting }
	require.NoError(t, json.Unmarshal([]byte(out), &said))
	require.Equal(t, "looks right", said.Pending[0].Said[0].Note)
	require.JSONEq(t, `{"amount":250}`, string(said.Pending[0].Args))
	out, _ = c.run(0, "approve", id, "--yes", "--key", "dave.pem", "-o", "json")
	require.Contains(t, out, `"word":"approve","missing":0`)
	out, _ = c.run(0, "watch", id)
	require.Contains(t, out, "verdict    completed")
	out, _ = c.run(0, "pending", id)
	require.Equal(t, "nothing waits\n", out)
	_, errs = c.run(2, "approve", id, "--yes")
	require.Contains(t, errs, "nothing waits for approval")
}

// TestRefuseCommand: the execution is denied, and its proof says by whom.
func TestRefuseCommand(t *testing.T) {
	f := people(t)
	c := newCommandLine(t, f)
	run, _ := large(t, f)
	out, _ := c.run(0, "refuse", run.GetID(), "--note", "not this week", "--yes")
	require.Contains(t, out, "refused    the step is denied")
	require.Equal(t, evidence.Denied, f.Verified(run).Verdict)
	out, _ = c.run(10, "status", run.GetID())
	require.Regexp(t, `(?m)^refused    pay: by carol on .*: not this week$`, out)
}

// TestDeferIsWatched: a step that is not to be done yet is no secret.
func TestDeferIsWatched(t *testing.T) {
	f := people(t)
	c := newCommandLine(t, f)
	run := f.Begin(workertest.Step("note", "desk.note", `{"text":"later"}`))
	f.Pending(run.GetID(), 1)
	out, _ := c.run(0, "status", run.GetID())
	require.Regexp(t, `deferred until \S+, asked again at \S+\n`, out)
	out, _ = c.run(0, "status", run.GetID(), "-o", "json")
	require.Contains(t, out, `"wait":{"step":"note","effect":"defer"`)
	out, _ = c.run(0, "pending", run.GetID())
	require.Contains(t, out, "\nagain      ")
	_, errs := c.run(2, "approve", run.GetID(), "note", "--yes")
	require.Contains(t, errs, "is deferred, nobody is asked")
}

// TestOrderCommands: kill, orders, restore, revoke.
func TestOrderCommands(t *testing.T) {
	f := people(t)
	c := newCommandLine(t, f)
	run, _ := large(t, f)
	out, _ := c.run(0, "orders")
	require.Equal(t, "no order is in force; 0 were given\n", out)
	_, errs := c.run(2, "kill", "--all", "--reason", "fire drill")
	require.Contains(t, errs, "add --yes")
	_, errs = c.run(2, "kill", "--policy", "desk", "--reason", "x", "--sign-with", "carol.pem")
	require.Contains(t, errs, "has role approver, not revoker")

	out, errs = c.run(0, "kill", "--all", "--reason", "fire drill", "--yes")
	require.Empty(t, errs)
	require.Contains(t, out, "stop       all\n")
	order := regexp.MustCompile(`(?m)^order      ([0-9a-f]+)$`).FindStringSubmatch(out)[1]
	require.Equal(t, evidence.Halted, f.Verified(run).Verdict)
	out, _ = c.run(11, "status", run.GetID())
	require.Regexp(t, `(?m)^order      stop all, by rita on .*: fire drill$`, out)
	out, _ = c.run(0, "orders")
	require.Regexp(t, "^"+order+`  \S+  all, by rita: fire drill\n$`, out)
	require.Equal(t, evidence.Denied, f.Verified(f.Begin(workertest.Step("read", "desk.read", `{}`))).Verdict)

	_, errs = c.run(2, "restore", "0123", "--reason", "over")
	require.Contains(t, errs, "at least 8 digits")
	_, errs = c.run(2, "restore", "0123456789", "--reason", "over")
	require.Contains(t, errs, "no such order is in force")
	out, _ = c.run(0, "restore", strings.ToUpper(order[:8]), "--reason", "over", "-o", "json")
	require.Contains(t, out, `"does":"restore","scope":{"kind":"all"}`)
	_, errs = c.run(2, "restore", order, "--reason", "over")
	require.Contains(t, errs, "next: see which are: interlock orders")

	other, _ := large(t, f)
	out, errs = c.run(0, "revoke", other.GetID(), "--reason", "it is stuck")
	require.Empty(t, errs)
	require.Contains(t, out, "told       1 running execution")
	require.Equal(t, evidence.Halted, f.Verified(other).Verdict)
	_, errs = c.run(0, "revoke", "not-yet", "--reason", "will not be wanted")
	require.Contains(t, errs, "nothing is known here of execution not-yet")
	_, errs = c.run(0, "kill", "--key", strings.Repeat("0", 32), "--reason", "stolen", "--detach")
	require.Contains(t, errs, "nothing is known here of key 000")
	_, errs = c.run(0, "kill", "--principal", evidencetest.Bob, "--reason", "on leave")
	require.Empty(t, errs)
	out, _ = c.run(0, "orders", "-o", "json")
	var list starter.OrderList
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Len(t, list.Orders, 4)
	require.Equal(t, uint64(6), list.Count)
}
