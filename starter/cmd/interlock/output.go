package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/workflows/contract"
)

// plain makes a text from outside safe to show: whoever writes a purpose or a
// cause must not be able to move the cursor, hide a line or add one.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, text)
}

// plainLines is [plain] for a text of several lines.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// encode writes v as one line of JSON.
func (a *app) encode(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		fmt.Fprintf(a.err, "interlock: couldn't write: %v\n", err)
	}
}

// A row is a name and its value.
type row struct{ name, value string }

// rows writes names and values in two columns.
func (a *app) rows(rows ...row) {
	for _, r := range rows {
		fmt.Fprintf(a.out, "%-10s %s\n", r.name, plain(r.value))
	}
}

// steps writes where the steps stand, as a table.
func (a *app) steps(ends []evidence.StepEnd) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, s := range ends {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", plain(s.ID), plain(s.Action), plain(string(s.State)))
	}
	_ = w.Flush()
}

// A result is the end of an execution, for programs. All of it is from the
// seal, or from records that verify and have that seal.
type result struct {
	Execution string             `json:"execution"`
	Run       string             `json:"run"`
	Request   evidence.Digest    `json:"request"`
	Verdict   evidence.Verdict   `json:"verdict"`
	Cause     string             `json:"cause"`
	Reason    string             `json:"reason,omitempty"`
	Sealed    evidence.Time      `json:"sealed"`
	Records   uint64             `json:"records"`
	Head      evidence.Digest    `json:"head"`
	Steps     []evidence.StepEnd `json:"steps"`
	// What people said of steps, and the order that stopped the execution; left
	// out if there is no proof to tell it.
	Approvals []evidence.Approved `json:"approvals,omitzero"`
	Order     *evidence.Ordered   `json:"order,omitempty"`
	// What was found out after the seal, and what was not; left out if there
	// is no proof to tell it.
	Resolved []evidence.Resolved `json:"resolved,omitzero"`
	Open     []string            `json:"open,omitzero"`
}

// resultOf reads a receipt that is believed.
func resultOf(r *contract.Receipt) result {
	out := result{
		Execution: r.Execution, Run: r.Run, Request: r.Request, Verdict: r.Verdict, Cause: r.Cause,
		Records: r.Records, Head: r.Head, Steps: []evidence.StepEnd{},
	}
	if rec, err := r.Seal.Decode(); err == nil {
		if seal, ok := rec.Predicate.(*evidence.Seal); ok {
			out.Sealed, out.Steps = seal.At, append(out.Steps, seal.Steps...)
		}
	}
	return out
}

// behind asks for the records behind a seal, which say why the execution was
// denied or halted and what was resolved. It returns nil unless they verify and
// have that seal. It is a help for people; without an answer the verdict stands
// as it is.
func (s *session) behind(ctx context.Context, r *contract.Receipt) *evidence.Report {
	if r.Verdict == evidence.Completed {
		return nil
	}
	trust, err := s.file.ReadTrust()
	if err != nil {
		return nil
	}
	proof, err := s.Proof(ctx, r.Execution)
	if err != nil {
		return nil
	}
	report := evidence.Verify(trust, proof)
	if report.Err() != nil || report.Head != r.Head {
		return nil
	}
	return report
}

// because is a cause with its reason, where that says more.
func because(cause, reason string) string {
	if reason == "" {
		return cause
	}
	return cause + ": " + reason
}

// verdict writes the end of an execution.
func (a *app) verdict(ctx context.Context, s *session, r *contract.Receipt) {
	res := resultOf(r)
	if report := s.behind(ctx, r); report != nil {
		res.Reason, res.Resolved, res.Open = report.Reason, report.Resolved, report.Open
		res.Approvals, res.Order = report.Approvals, report.Order
	}
	if a.json() {
		a.encode(a.out, res)
		return
	}
	a.rows(
		row{"verdict", string(res.Verdict)},
		row{"cause", because(res.Cause, res.Reason)},
		row{"sealed", fmt.Sprintf("%v, %d records, head %s", res.Sealed, res.Records, res.Head.Short())},
	)
	a.steps(res.Steps)
	a.approvals(res.Approvals)
	a.order(res.Order)
	a.resolutions(res.Resolved)
	a.stillOpen(res.Execution, res.Open)
	if res.Verdict == evidence.Unresolved && res.Open == nil {
		a.rows(row{"open", "what was resolved since could not be found out, for want of a proof that verifies"})
	}
	a.rows(row{"proof", a.again("interlock proof " + res.Execution)})
}

// again is a command that reads the same configuration as this one.
func (a *app) again(command string) string {
	if a.config == "" {
		return command
	}
	return command + " --config " + a.config
}
