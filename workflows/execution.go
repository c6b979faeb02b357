package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// An execution is the state of one governed execution. It is owned by the
// workflow's coroutines, of which one runs at a time.
type execution struct {
	id, run         string
	request         evidence.Digest
	presented       evidence.Envelope // as the request
	chain           evidence.Chain
	records         []evidence.Envelope
	fresh           []evidence.Envelope // received, not yet in the chain
	steps           []*step
	byID            map[string]*step
	signals         uint64
	unstoredSignals int // signals in fresh
	phase           string
	waiting         string // for whom, if nothing goes on
	outage          outage
	verdict         evidence.Verdict
	cause           string
	unstored        bool // the records are in no store: the seal is made from them alone
	search          bool
	inbox           inbox
	arrivals        workflow.Channel // holds a token when a message waits
}

// A step is where one step of the plan stands.
type step struct {
	plan    contract.PlannedStep
	ordered bool // handed to a step worker
	running bool
	wait    *contract.Wait  // it waits to be asked for again
	due     bool            // now
	late    bool            // because its time has come, and not because of a message
	status  evidence.Status // once ended; the word of the worker, unverified
}

// asks reports whether the step is to be decided now, for the first time or
// anew.
func (s *step) asks() bool { return !s.ordered && (s.wait == nil || s.due) }

func newExecution(ctx workflow.Context) *execution {
	info := workflow.GetInfo(ctx)
	return &execution{
		id: info.WorkflowExecution.ID, run: info.WorkflowExecution.RunID,
		phase: "authorizing", byID: map[string]*step{},
	}
}

// admitted takes over the plan.
func (x *execution) admitted(ctx workflow.Context, t *contract.Ticket) {
	for _, p := range t.Steps {
		s := &step{plan: p, status: p.Status, ordered: p.Status != ""}
		x.steps = append(x.steps, s)
		x.byID[p.ID] = s
	}
	x.phase, x.search, x.signals = "running", t.SearchAttributes, t.Signals
	x.attributes(ctx,
		temporal.NewSearchAttributeKeyKeyword(contract.AttributePrincipal).ValueSet(t.Principal),
		temporal.NewSearchAttributeKeyKeyword(contract.AttributePolicy).ValueSet(t.Policy))
}

// appendEntries extends the chain with what an activity returned. A digest
// without an envelope is a record that this workflow handed in.
func (x *execution) appendEntries(entries []contract.Entry) {
	for _, e := range entries {
		env := e.Envelope
		if env == nil {
			env = x.takeFresh(e.Digest)
		}
		if env == nil {
			// The seal is refused then, because the records do not add up.
			env = &evidence.Envelope{}
		}
		x.records = append(x.records, *env)
		x.chain.Append(env.Digest())
	}
}

// recorded takes in what Decide stored. Nothing that was handed in is handed in
// again, also what the store had already: the workflow would ask for ever. A
// check that failed may have come before it was stored; Seal gets it then.
func (x *execution) recorded(out contract.DecideOutput) {
	x.appendEntries(out.Entries)
	if !out.Halt {
		x.fresh, x.unstoredSignals = nil, 0
	}
}

// takeFresh removes and returns the fresh record with the given digest.
func (x *execution) takeFresh(d evidence.Digest) *evidence.Envelope {
	for i := range x.fresh {
		if e := x.fresh[i]; e.Digest() == d {
			x.fresh = append(x.fresh[:i:i], x.fresh[i+1:]...)
			return &e
		}
	}
	return nil
}

// record returns the record with the given digest, or nil. What is looked for
// is nearly always the newest.
func (x *execution) record(d evidence.Digest) *evidence.Envelope {
	for i := len(x.records) - 1; i >= 0; i-- {
		if x.records[i].Digest() == d {
			return &x.records[i]
		}
	}
	return nil
}

// ready returns the steps that may be decided now: not handed out yet, not
// waiting, and everything they need is done.
func (x *execution) ready() []string {
	var ids []string
	for _, s := range x.steps {
		if s.asks() && x.met(s) {
			ids = append(ids, s.plan.ID)
		}
	}
	return ids
}

func (x *execution) met(s *step) bool {
	for _, need := range s.plan.Needs {
		if n := x.byID[need]; n == nil || n.status != evidence.StatusDone {
			return false
		}
	}
	return true
}

// running counts the steps that a worker has.
func (x *execution) running() int {
	n := 0
	for _, s := range x.steps {
		if s.running {
			n++
		}
	}
	return n
}

// answerQueries sets up the queries of package contract.
func (x *execution) answerQueries(ctx workflow.Context) error {
	err := workflow.SetQueryHandler(ctx, contract.QueryProof, func() ([]evidence.Envelope, error) {
		return x.records, nil
	})
	if err != nil {
		return err
	}
	return workflow.SetQueryHandler(ctx, contract.QueryProgress, func() (contract.Progress, error) {
		return x.progress(), nil
	})
}

func (x *execution) progress() contract.Progress {
	p := contract.Progress{
		Execution: x.id, Phase: x.phase, Records: x.chain.Next().Seq, Signals: int(x.signals),
		Verdict: x.verdict, Cause: x.cause, Steps: []contract.StepProgress{}, Rejected: x.inbox.rejected, Waiting: x.waiting,
	}
	for _, s := range x.steps {
		sp := contract.StepProgress{ID: s.plan.ID, Action: s.plan.Action, State: contract.StepWaiting, Status: s.status}
		if x.phase == "running" {
			sp.Wait = s.wait
		}
		switch {
		case s.running:
			sp.State = contract.StepRunning
		case s.status != "":
			sp.State = contract.StepEnded
		}
		p.Steps = append(p.Steps, sp)
	}
	return p
}

// attributes sets search attributes where the server knows them.
func (x *execution) attributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if !x.search {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err)
	}
}

// details is the line that the Temporal UI shows above the timeline.
func (x *execution) details(ctx workflow.Context, line string) {
	workflow.SetCurrentDetails(ctx, line)
}
