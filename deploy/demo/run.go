package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// options say how the demo runs.
type options struct {
	root   string // of this module's source
	dir    string // the working folder; removed and made anew
	kill   bool
	keep   bool
	uiPort int
}

// errUnexpected means that something did not come out as story.go says.
var errUnexpected = errors.New("not as expected")

// run plays the story and checks it. The accounts are of all executions that
// ended, also if there is an error.
func run(ctx context.Context, o options, out *screen) ([]*account, error) {
	out.title("Interlock: four executions of a support agent at an order desk")
	s, err := openStage(ctx, o, out)
	if err != nil {
		return nil, err
	}
	accounts, err := s.perform(story(o.kill), out)
	if err != nil || !o.keep {
		err = errors.Join(err, s.close())
	}
	if err != nil {
		return accounts, err
	}
	checkFiles(s.folder, accounts, out)
	err = conclude(s.folder, accounts, out)
	if o.keep {
		err = errors.Join(err, s.linger(ctx, out), s.close())
	}
	return accounts, err
}

// perform plays one scene after the other. It ends early only if a scene
// could not be played; one that came out otherwise is in its account.
func (s *stage) perform(scenes []scene, out *screen) ([]*account, error) {
	var accounts []*account
	for i, sc := range scenes {
		out.scene(i+1, sc)
		a, err := s.play(sc)
		if cause := context.Cause(s.ctx); cause != nil {
			err = cause // whatever else went wrong came of it
		}
		if err != nil {
			return accounts, fmt.Errorf("%s: %w", sc.name, err)
		}
		out.account(a)
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// linger stays until it is interrupted, or until interlockd ends.
func (s *stage) linger(ctx context.Context, out *screen) error {
	out.line("\nThe Temporal UI is at %s. Ctrl-C ends the demo.", s.temporal.UI)
	<-s.ctx.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(s.ctx)
}

// checkFiles verifies the proofs and replays the histories, with nothing but
// the files.
func checkFiles(f folder, accounts []*account, out *screen) {
	out.title("Offline: what the files say, to someone who trusts only %s", relative(f.path("trust.json")))
	out.header()
	for _, a := range accounts {
		a.verify(f)
		a.replay(f)
		out.checked(a)
	}
}

// conclude prints the summary, and returns what was not as expected.
func conclude(f folder, accounts []*account, out *screen) error {
	var wrong []error
	for _, a := range accounts {
		wrong = append(wrong, a.wrong...)
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%w:\n%w", errUnexpected, err)
	}
	out.line("")
	out.title("All %d executions ended, verified and replayed as expected.", len(accounts))
	out.fact("proofs", "%s", relative(f.path("proofs")))
	out.fact("histories", "%s", relative(f.path("histories")))
	out.fact("logs", "%s, %s", relative(f.path(logOf("control"))), relative(f.path(logOf("steps"))))
	out.fact("by hand", "go run ./starter/cmd/interlock verify %s --trust %s",
		relative(f.proof(accounts[0].name)), relative(f.path("trust.json")))
	return nil
}

// relative is a path as people in the working directory write it.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	return shorter(wd, path)
}
