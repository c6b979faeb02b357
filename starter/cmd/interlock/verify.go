package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
)

func (a *app) verifyCommand() *cobra.Command {
	var trust string
	cmd := &cobra.Command{
		Use:   "verify FILE --trust TRUST.json",
		Short: "Check a proof against a trust root, offline",
		Long: `Answers three questions about a proof, with nothing but the trust root to
believe in: is it authentic (who signed), is it complete (is this all, unchanged
and in order), was the execution governed (was everything that ran allowed to).

Get the trust root from where you trust, and not from whoever gave you the
proof. Yes to all three does not mean that what a worker says of its own outcome
is true, or that no other run exists.`,
		Args: exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return a.verify(args[0], trust) },
	}
	cmd.Flags().StringVar(&trust, "trust", "", "the trust root to believe; required")
	return cmd
}

func (a *app) verify(path, trustPath string) error {
	trust, err := readTrust(trustPath)
	if err != nil {
		return err
	}
	data, err := a.readProof(path)
	if err != nil {
		return err
	}
	report := &evidence.Report{}
	proof, err := evidence.DecodeProof(data)
	if err != nil {
		// What cannot be read was not signed by anybody.
		report = unreadable(err)
	} else {
		report = evidence.Verify(trust, proof)
	}
	if a.json() {
		a.encode(a.out, struct {
			File     string `json:"file"`
			Domain   string `json:"domain"`
			Verified bool   `json:"verified"`
			*evidence.Report
		}{path, trust.Domain(), report.Err() == nil, report})
	} else {
		a.report(trust, report)
	}
	if err := report.Err(); err != nil {
		return fmt.Errorf("%s is not verified: %w", path, err)
	}
	return nil
}

func unreadable(err error) *evidence.Report {
	return &evidence.Report{
		Steps:     []evidence.StepEnd{},
		Approvals: []evidence.Approved{},
		Resolved:  []evidence.Resolved{},
		Open:      []string{},
		Authentic: evidence.Check{Answer: evidence.No, Findings: []evidence.Finding{{Record: -1, Message: err.Error()}}},
	}
}

func readTrust(path string) (*evidence.Trust, error) {
	if path == "" {
		return nil, usage("verify: --trust is missing: want the trust root to believe")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("couldn't read the trust root: %w", err)
	}
	trust, err := evidence.ParseTrust(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return trust, nil
}

// readProof reads a proof, which may be much longer than other input.
func (a *app) readProof(path string) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("couldn't read the proof: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, evidence.MaxProof+1))
	if err != nil {
		return nil, fmt.Errorf("couldn't read the proof: %w", err)
	}
	return data, nil
}

// report writes what was found: the claims of the proof first, and what they
// are worth last, so that no claim can look like an answer.
func (a *app) report(trust *evidence.Trust, r *evidence.Report) {
	if r.Execution != "" {
		a.rows(
			row{"execution", r.Execution},
			row{"run", r.Run},
			row{"principal", r.Principal},
			row{"policy", fmt.Sprintf("%s, version %d, %s", r.Policy.Name, r.Policy.Version, r.Policy.Digest.Short())},
			row{"verdict", string(r.Verdict)},
			row{"cause", because(r.Cause, r.Reason)},
			row{"sealed", r.Sealed.String()},
			row{"records", fmt.Sprintf("%d, head %s", r.Records, r.Head.Short())},
		)
		a.steps(r.Steps)
		a.approvals(r.Approvals)
		a.order(r.Order)
		a.resolutions(r.Resolved)
		for _, step := range r.Open {
			a.rows(row{"open", step + ": by this proof nobody has said what happened"})
		}
	}
	fmt.Fprintln(a.out)
	a.answer("authentic", r.Authentic)
	a.answer("complete", r.Complete)
	a.answer("governed", r.Governed)
	if r.Err() == nil {
		fmt.Fprintf(a.out, "verified: everything above is what the keys of %s signed\n", plain(trust.Domain()))
		return
	}
	fmt.Fprintln(a.out, "NOT VERIFIED: believe nothing above")
}

// approvals writes what people said of steps that waited for it.
func (a *app) approvals(all []evidence.Approved) {
	for _, p := range all {
		word := "refused"
		if p.Word == evidence.Approve {
			word = "approved"
		}
		who := p.Holder
		if p.Approver != p.Holder {
			who += " (key " + p.Approver + ")"
		}
		a.rows(row{word, because(fmt.Sprintf("%s: by %s on %v", p.Step, who, p.At), p.Note)})
	}
}

// order writes which order stopped the execution, if one did.
func (a *app) order(o *evidence.Ordered) {
	if o != nil {
		a.rows(row{"order", fmt.Sprintf("stop %s, by %s on %v: %s", o.Scope, o.Revoker, o.At, o.Reason)})
	}
}

// maxFindings is how many findings of an answer are shown to people.
const maxFindings = 10

func (a *app) answer(name string, c evidence.Check) {
	a.rows(row{name, c.Answer.String()})
	for i, f := range c.Findings {
		if i == maxFindings {
			fmt.Fprintf(a.out, "  and %d more; all of them: -o json\n", len(c.Findings)-i)
			break
		}
		fmt.Fprintf(a.out, "  %s\n", plain(f.Message))
	}
}
