package starter_test

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

// A chat bot asks the person whose key it may use, about each step that waits,
// and passes the answer on.
func Example_peopleInTheLoop() {
	bot := func(ctx context.Context, temporal client.Client, trust *evidence.Trust, key *evidence.Signer, ask func(string) (yes bool, why string)) error {
		s, err := starter.New(starter.Config{Client: temporal, Trust: trust, Queue: "interlock", Namespace: "default", Approver: key})
		if err != nil {
			return err
		}
		waiting, err := s.Pending(ctx)
		if waiting == nil && err != nil { // else some executions could not be asked, or not be believed
			return err
		}
		for _, w := range waiting {
			yes, why := ask(fmt.Sprintf("%s wants %s with %s: %s", w.Requester, w.Action, w.Args, w.Purpose))
			say := s.Refuse
			if yes {
				say = s.Approve
			}
			switch heard, err := say(ctx, w, why); {
			case errors.Is(err, starter.ErrNotAsked), errors.Is(err, starter.ErrNotPending):
				continue // not for this person, or no more
			case err != nil:
				return err
			case heard.Missing > 0:
				ask(fmt.Sprintf("%d more must approve", heard.Missing))
			}
		}
		return nil
	}
	_ = bot
}
