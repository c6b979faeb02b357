package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
	"github.com/interlock-run/interlock/worker/config"
	"github.com/interlock-run/interlock/workflows/contract"
)

// resolveFlags are the flags of resolve.
type resolveFlags struct {
	happened, notHappened bool
	note, key             string
}

func (a *app) resolveCommand() *cobra.Command {
	var f resolveFlags
	cmd := &cobra.Command{
		Use:   "resolve ID STEP (--happened | --not-happened) --note TEXT",
		Short: "Record what really happened at a step whose end nobody knew",
		Long: `An execution is unresolved if an effect may or may not have happened. Look at
the outside world, then record here what you found, signed with an operator's
key. It is put into the evidence after the seal, once for each step, for good:
the verdict stays unresolved, because that is what could be known then, and the
proof shows both. Nothing is done again, or undone.

Exit code 0 if it was recorded, 2 if there is nothing to resolve. If it is
interrupted it may still be recorded: interlock status ID.`,
		Args: exactly("ID", "STEP"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.resolve(cmd.Context(), f, args[0], args[1]) },
	}
	a.configFlag(cmd)
	cmd.Flags().BoolVar(&f.happened, "happened", false, "the effect happened")
	cmd.Flags().BoolVar(&f.notHappened, "not-happened", false, "the effect did not happen")
	cmd.Flags().StringVar(&f.note, "note", "", "how you found out, in one sentence; required")
	cmd.Flags().StringVar(&f.key, "key", "", "the operator's key (default: keys.operator of the configuration)")
	return cmd
}

// found returns what the flags say. There is no default.
func (f *resolveFlags) found() (evidence.Found, error) {
	switch {
	case f.happened == f.notHappened:
		return "", usage("resolve: want either --happened or --not-happened")
	case strings.TrimSpace(f.note) == "":
		return "", usage("resolve: --note is missing: say in one sentence how you found out")
	case strings.ContainsFunc(f.note, unicode.IsControl):
		return "", usage("resolve: --note has a line break or another control character: write one line")
	case len(f.note) > evidence.MaxNote:
		return "", usage("resolve: --note has %d bytes, at most %d", len(f.note), evidence.MaxNote)
	case f.happened:
		return evidence.Happened, nil
	}
	return evidence.NotHappened, nil
}

func (f *resolveFlags) signer(c *config.File, s *starter.Config) (err error) {
	s.Operator, err = signerOf(c, "operator", "--key", f.key, c.Keys.Operator)
	return err
}

func (a *app) resolve(ctx context.Context, f resolveFlags, id, step string) error {
	found, err := f.found()
	if err != nil {
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
	proof, err := s.Proof(ctx, id)
	if errors.Is(err, starter.ErrNotSealed) {
		return fmt.Errorf("%w: %w", starter.ErrNothingToResolve, err)
	}
	if err != nil {
		return err
	}
	done, err := s.Resolve(ctx, proof, step, found, strings.TrimSpace(f.note))
	if err != nil {
		return notVerdict(err)
	}
	proof.Records = append(proof.Records, done.Resolution)
	return a.resolvedStep(ctx, s, proof, done)
}

// notVerdict keeps a proof that does not verify from having the exit code of
// interlock verify: nothing was verified for its own sake.
func notVerdict(err error) error {
	for _, answer := range []error{evidence.ErrNotAuthentic, evidence.ErrIncomplete, evidence.ErrUngoverned} {
		if errors.Is(err, answer) {
			return fmt.Errorf("%w: %v", errUnproven, err)
		}
	}
	return err
}

// errUnproven means that the proof to be resolved is not to be believed.
var errUnproven = errors.New("couldn't resolve")

// resolvedStep writes what was recorded and what is still open. It believes
// the proof: the one it can get now, or else the one it had, with what was
// recorded.
func (a *app) resolvedStep(ctx context.Context, s *session, had *evidence.Proof, done *contract.Resolved) error {
	trust, err := s.file.ReadTrust()
	if err != nil {
		return err
	}
	report := evidence.Verify(trust, had)
	if now, err := s.Proof(ctx, done.Execution); err == nil {
		if r := evidence.Verify(trust, now); r.Err() == nil && len(r.Resolved) >= len(report.Resolved) {
			report = r
		}
	}
	if err := report.Err(); err != nil {
		return fmt.Errorf("%w: %v", errUnproven, err)
	}
	if a.json() {
		a.encode(a.out, struct {
			Execution string              `json:"execution"`
			Run       string              `json:"run"`
			Step      string              `json:"step"`
			Record    uint64              `json:"record"`
			Link      evidence.Digest     `json:"link"`
			Verdict   evidence.Verdict    `json:"verdict"`
			Resolved  []evidence.Resolved `json:"resolved"`
			Open      []string            `json:"open"`
		}{report.Execution, report.Run, done.Step, done.Seq, done.Link, report.Verdict, report.Resolved, report.Open})
		return nil
	}
	a.rows(
		row{"execution", report.Execution},
		row{"recorded", fmt.Sprintf("record %d, link %s", done.Seq, done.Link.Short())},
		row{"verdict", string(report.Verdict) + ", as it was sealed"},
	)
	a.resolutions(report.Resolved)
	a.stillOpen(report.Execution, report.Open)
	a.rows(row{"proof", a.again("interlock proof " + report.Execution)})
	return nil
}

// resolutions writes what was found out after the seal.
func (a *app) resolutions(all []evidence.Resolved) {
	for _, r := range all {
		a.rows(row{"resolved", fmt.Sprintf("%s: %s, says %s on %v: %s", r.Step, foundText(r.Found), r.Operator, r.At, r.Note)})
	}
}

func foundText(f evidence.Found) string { return strings.ReplaceAll(string(f), "_", " ") }

// stillOpen writes what nobody has resolved, and what to do about it.
func (a *app) stillOpen(id string, open []string) {
	for _, step := range open {
		a.rows(row{"open", fmt.Sprintf("%s: look what happened, then: interlock resolve %s %s --happened (or --not-happened) --note ...", step, id, step)})
	}
}
