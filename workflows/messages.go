package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// maxInbox is how many messages may wait to be heard. More are turned away
// before they reach the history.
const maxInbox = 100

var (
	// errFull turns a message away that could not be heard soon.
	errFull = errors.New("too many messages wait to be heard: send it again later")
	// errLong turns a message away that is none, so that it fills no history.
	errLong = fmt.Errorf("longer than %d bytes: no message is", contract.MaxMessage)
)

// A message is one that waits to be heard, and its answer.
type message struct {
	contract.Message
	heard *contract.Heard // nil until it was
}

// The states of an inbox.
type inboxState int

const (
	inboxClosed inboxState = iota // nothing is heard yet
	inboxOpen
	inboxOver // nothing is heard any more
)

// An inbox is what others have sent to an execution. It is owned by the
// workflow's coroutines.
type inbox struct {
	state    inboxState
	waiting  []*message
	rejected int
}

// listen sets up the one Update and the one Signal that an execution listens
// to. What they carry is not looked at here: it is raw bytes from anybody.
func (x *execution) listen(ctx workflow.Context) error {
	x.arrivals = workflow.NewBufferedChannel(ctx, 1)
	workflow.Go(ctx, func(ctx workflow.Context) {
		signals := workflow.GetSignalChannelWithOptions(ctx, contract.MessageName, workflow.SignalChannelOptions{
			Description: "an approval or an order, signed",
		})
		for {
			var raw converter.RawValue
			if !signals.Receive(ctx, &raw) {
				return
			}
			switch {
			case x.inbox.state == inboxOver: // nothing can come of it
			case len(x.inbox.waiting) >= maxInbox:
				x.inbox.rejected++ // counted, and not looked at
			default:
				x.put(raw)
			}
		}
	})
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.MessageName,
		func(ctx workflow.Context, raw converter.RawValue) (*contract.Heard, error) {
			return x.hear(ctx, raw)
		},
		workflow.UpdateHandlerOptions{
			Description: "an approval or an order, signed",
			Validator: func(_ workflow.Context, raw converter.RawValue) error {
				switch {
				case len(x.inbox.waiting) >= maxInbox:
					return errFull
				case len(raw.Payload().GetData()) > contract.MaxMessage:
					return errLong
				}
				return nil
			},
		})
}

// put lets a message wait to be heard.
func (x *execution) put(raw converter.RawValue) *message {
	data := raw.Payload().GetData()
	m := &message{Message: contract.Message{Digest: evidence.FileDigest(data)}}
	if len(data) <= contract.MaxMessage {
		m.Data = data
	}
	x.inbox.waiting = append(x.inbox.waiting, m)
	x.arrivals.SendAsync(true)
	return m
}

// hear waits until a message was heard, or nothing is heard any more.
func (x *execution) hear(ctx workflow.Context, raw converter.RawValue) (*contract.Heard, error) {
	m := x.put(raw)
	err := workflow.Await(ctx, func() bool { return m.heard != nil || x.inbox.state == inboxOver })
	if err != nil {
		return nil, err
	}
	switch {
	case m.heard == nil && x.phase == "continuing":
		again := contract.Again()
		return &again, nil
	case m.heard == nil:
		return &contract.Heard{Cause: contract.Cause{Check: contract.CauseOver, Reason: "the execution takes no more messages"}}, nil
	}
	return m.heard, nil
}

// messages returns what waits to be heard.
func (x *execution) messages() []contract.Message {
	var all []contract.Message
	for _, m := range x.inbox.waiting {
		all = append(all, m.Message)
	}
	return all
}

// answered takes in what became of the first messages that waited. A step that
// a message is about is asked for again.
func (x *execution) answered(heard []contract.Heard) {
	for i := range heard {
		if i >= len(x.inbox.waiting) {
			return
		}
		h := &heard[i]
		x.inbox.waiting[i].heard = h
		if h.Refused() {
			x.inbox.rejected++
		}
		if s := x.byID[h.Step]; s != nil && h.Counted {
			s.due = true
		}
	}
	x.inbox.waiting = x.inbox.waiting[len(heard):]
}

// closeInbox answers everyone who still waits: nothing is heard any more.
func (x *execution) closeInbox(ctx workflow.Context) {
	x.inbox.state = inboxOver
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	x.inbox.waiting = nil
}
