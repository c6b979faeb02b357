package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/config"
	"github.com/interlock-run/interlock/workflows/contract"
)

// sayFlags are the flags of approve and refuse.
type sayFlags struct {
	word      evidence.Word
	note, key string
	decision  string
	yes       bool
	execution string
	step      string // empty: the one that waits
}

func (a *app) approveCommand() *cobra.Command {
	f := sayFlags{word: evidence.Approve}
	cmd := &cobra.Command{
		Use:   "approve ID [STEP]",
		Short: "Approve a step that waits for it",
		Long: `Shows exactly what the step would do, asks whether you approve that, and signs
it with an approver's key: this action, these arguments, under this policy, in
this execution, once. STEP can be left out if one step waits. Whoever asked for
an execution cannot approve its steps, and several keys of a person count as
one.

Exit code 0 if it counts, also if more people must approve; 2 if nothing waits,
or not for you; 1 if it was not taken.`,
		Args: oneOrTwo,
		RunE: func(cmd *cobra.Command, args []string) error { return a.say(cmd.Context(), f.about(args)) },
	}
	a.sayFlags(cmd, &f)
	return cmd
}

func (a *app) refuseCommand() *cobra.Command {
	f := sayFlags{word: evidence.Refuse}
	cmd := &cobra.Command{
		Use:   "refuse ID [STEP] --note TEXT",
		Short: "Refuse a step that waits for approval",
		Long: `Shows exactly what the step would do, asks whether you refuse it, and signs that
with an approver's key. One refusal is enough: the execution is denied,
whatever others say. The note says why. STEP can be left out if one step waits.

Exit code 0 if it counts; 2 if nothing waits, or not for you; 1 if it was not
taken.`,
		Args: oneOrTwo,
		RunE: func(cmd *cobra.Command, args []string) error { return a.say(cmd.Context(), f.about(args)) },
	}
	a.sayFlags(cmd, &f)
	return cmd
}

// oneOrTwo wants ID, and perhaps STEP.
func oneOrTwo(cmd *cobra.Command, args []string) error {
	return exactly([]string{"ID", "STEP"}[:min(2, max(1, len(args)))]...)(cmd, args)
}

func (a *app) sayFlags(cmd *cobra.Command, f *sayFlags) {
	a.configFlag(cmd)
	cmd.Flags().StringVar(&f.note, "note", "", "for people, in one line")
	cmd.Flags().StringVar(&f.key, "key", "", "the approver's key (default: keys.approver of the configuration)")
	cmd.Flags().StringVar(&f.decision, "decision", "", "only if this is the decision that asks, as interlock pending shows it")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
}

// about returns f with its arguments.
func (f sayFlags) about(args []string) sayFlags {
	f.execution = args[0]
	if len(args) > 1 {
		f.step = args[1]
	}
	return f
}

func (f *sayFlags) check(a *app) error {
	f.note = strings.TrimSpace(f.note)
	switch {
	case f.word == evidence.Refuse && f.note == "":
		return usage("refuse: --note is missing: say in one sentence why")
	case strings.ContainsFunc(f.note, unicode.IsControl):
		return usage("%s: --note has a line break or another control character: write one line", f.word)
	case len(f.note) > evidence.MaxNote:
		return usage("%s: --note has %d bytes, at most %d", f.word, len(f.note), evidence.MaxNote)
	case f.decision != "" && len(f.decision) < minPrefix:
		return usage("%s: --decision: want at least %d digits", f.word, minPrefix)
	}
	return a.canAsk(f.yes, "look at it first: interlock pending ID; then add --yes")
}

func (f *sayFlags) signer(c *config.File, s *starter.Config) (err error) {
	s.Approver, err = signerOf(c, "approver", "--key", f.key, c.Keys.Approver)
	return err
}

// signerOf reads the key that a flag names, or else the configuration.
func signerOf(c *config.File, role, flag, given, configured string) (*evidence.Signer, error) {
	if given == "" {
		return loadKey(c, role, configured)
	}
	return oneKey(flag, given)
}

func (a *app) say(ctx context.Context, f sayFlags) error {
	if err := f.check(a); err != nil {
		return err
	}
	s, err := a.openWith(f.signer)
	if err != nil {
		return err
	}
	defer s.client.Close()
	if err := s.reach(ctx); err != nil {
		return err
	}
	all, err := s.PendingOf(ctx, f.execution)
	if err != nil {
		return err
	}
	w, err := theOne(all, f.execution, f.step)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(w.Decision.String(), strings.ToLower(f.decision)) {
		return fmt.Errorf("%w: step %s was decided anew: decision %s asks now", starter.ErrNotPending, w.Step, w.Decision.Short())
	}
	if !a.json() {
		a.beside(f.yes).waiting(w, time.Now())
	}
	if err := a.sure(f.yes, fmt.Sprintf("%s this step?", f.word)); err != nil {
		return err
	}
	say := s.Approve
	if f.word == evidence.Refuse {
		say = s.Refuse
	}
	heard, err := say(ctx, *w, f.note)
	if err != nil {
		return err
	}
	a.said(f.word, w, heard)
	return nil
}

// beside is a with its output where the question will be, if one is asked:
// nobody must be asked about what went to a file.
func (a *app) beside(yes bool) *app {
	if yes {
		return a
	}
	shown := *a
	shown.out = a.err
	return &shown
}

// said writes what became of a person's word.
func (a *app) said(word evidence.Word, w *starter.Waiting, heard *contract.Heard) {
	if a.json() {
		a.encode(a.out, struct {
			Execution string          `json:"execution"`
			Run       string          `json:"run"`
			Step      string          `json:"step"`
			Decision  evidence.Digest `json:"decision"`
			Word      evidence.Word   `json:"word"`
			Missing   int             `json:"missing"`
		}{w.Execution, w.Run, w.Step, w.Decision, word, heard.Missing})
		return
	}
	switch {
	case word == evidence.Refuse:
		a.rows(row{"refused", "the step is denied"})
	case heard.Missing > 0:
		a.rows(row{"approved", fmt.Sprintf("it counts; %d more must approve", heard.Missing)})
	default:
		a.rows(row{"approved", "it counts, and nobody else need approve"})
	}
	a.rows(row{"watch", a.again("interlock watch " + w.Execution)})
}

// terminal reports whether a person can be asked.
func (a *app) terminal() bool {
	f, ok := a.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// canAsk refuses early what [app.sure] would have to refuse.
func (a *app) canAsk(yes bool, hint string) error {
	if yes || a.terminal() && !a.json() {
		return nil
	}
	return withHint(usage("there is no terminal to ask for confirmation on, or the output is for programs"), hint)
}

// sure asks a person on the terminal. Anything but yes is a no.
func (a *app) sure(yes bool, question string) error {
	if yes {
		return nil
	}
	fmt.Fprintf(a.err, "%s Type yes: ", plain(question))
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil || strings.TrimSpace(strings.ToLower(line)) != "yes" {
		return usage("nothing was signed")
	}
	return nil
}
