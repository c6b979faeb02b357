package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// policyFlags name the files. What is not given comes from interlock.yaml.
type policyFlags struct{ policy, catalogue, cases string }

func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check and test policy bundles",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,
	}
	cmd.AddCommand(a.policyCheckCommand(), a.policyTestCommand())
	return cmd
}

func (f *policyFlags) add(a *app, cmd *cobra.Command) {
	a.configFlag(cmd)
	cmd.Flags().StringVar(&f.policy, "policy", "", "the bundle (default: the one in interlock.yaml)")
	cmd.Flags().StringVar(&f.catalogue, "catalogue", "", "the catalogue of actions (default: the one in interlock.yaml)")
}

func (a *app) policyCheckCommand() *cobra.Command {
	var f policyFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compile a bundle against its catalogue, and list its rules",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			b, err := a.bundle(&f)
			if err != nil {
				return err
			}
			a.rules(b)
			return nil
		},
	}
	f.add(a, cmd)
	return cmd
}

func (a *app) policyTestCommand() *cobra.Command {
	var f policyFlags
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Run the cases of a bundle",
		Args:  exactly(),
		RunE:  func(*cobra.Command, []string) error { return a.policyTest(&f) },
	}
	f.add(a, cmd)
	cmd.Flags().StringVar(&f.cases, "cases", "", "the cases (default: beside the bundle, as policy-cases.yaml is beside policy.yaml)")
	return cmd
}

// bundle reads the bundle and its catalogue, and completes f.
func (a *app) bundle(f *policyFlags) (*policy.Bundle, error) {
	if f.policy == "" || f.catalogue == "" {
		c, err := a.load()
		if err != nil {
			return nil, withHint(err, "or name the files: --policy FILE --catalogue FILE")
		}
		fill(&f.policy, c.Path(c.Policy))
		fill(&f.catalogue, c.Path(c.Catalogue))
	}
	data, err := readNamed("catalogue", f.catalogue)
	if err != nil {
		return nil, err
	}
	cat, err := catalogue.Parse(f.catalogue, data)
	if err != nil {
		return nil, err
	}
	if data, err = readNamed("policy", f.policy); err != nil {
		return nil, err
	}
	return policy.Parse(f.policy, data, cat)
}

func fill(field *string, with string) {
	if *field == "" {
		*field = with
	}
}

func readNamed(what, path string) ([]byte, error) {
	if path == "" {
		return nil, usage("no %s: want --%s FILE, or %s in interlock.yaml", what, what, what)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("couldn't read the %s: %w", what, err)
	}
	return data, nil
}

func (a *app) rules(b *policy.Bundle) {
	if a.json() {
		type rule struct {
			ID      string          `json:"id"`
			Phase   evidence.Phase  `json:"phase"`
			Actions []string        `json:"actions,omitempty"`
			Effect  evidence.Effect `json:"effect"`
			When    string          `json:"when"`
			Message string          `json:"message,omitempty"`

			Approval *evidence.Ask   `json:"approval,omitempty"`
			Defer    *evidence.Delay `json:"defer,omitempty"`
		}
		rules := []rule{}
		for _, r := range b.Rules() {
			rules = append(rules, rule{r.ID, r.Phase, r.Actions, r.Effect, r.When, r.Message, r.Approval, r.Defer})
		}
		a.encode(a.out, struct {
			Policy evidence.PolicyRef `json:"policy"`
			Rules  []rule             `json:"rules"`
		}{b.Ref(), rules})
		return
	}
	fmt.Fprintf(a.out, "policy %s, version %d, digest %s\n", plain(b.Name()), b.Version(), b.Digest().Short())
	for _, r := range b.Rules() {
		fmt.Fprintf(a.out, "  %-9s  %-7s  %s %s%s\n", r.Phase, r.Effect, plain(r.ID), plain(strings.Join(r.Actions, ", ")), plain(waitsFor(r)))
	}
}

// waitsFor says what a rule has a step wait for, or nothing.
func waitsFor(r policy.RuleInfo) string {
	length := func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
	switch {
	case r.Approval != nil:
		return fmt.Sprintf(" (%d of %s, within %v)", r.Approval.Need, strings.Join(r.Approval.By, ", "), length(r.Approval.WithinMS))
	case r.Defer != nil:
		return fmt.Sprintf(" (for %v, every %v)", length(r.Defer.ForMS), length(r.Defer.EveryMS))
	}
	return ""
}

// errCases means that cases did not pass.
var errCases = errors.New("the policy does not do what its cases want")

func (a *app) policyTest(f *policyFlags) error {
	b, err := a.bundle(f)
	if err != nil {
		return err
	}
	if f.cases == "" {
		ending := filepath.Ext(f.policy)
		f.cases = strings.TrimSuffix(f.policy, ending) + "-cases" + ending
	}
	data, err := os.ReadFile(f.cases)
	if err != nil {
		return fmt.Errorf("couldn't read the cases: %w", err)
	}
	cases, err := policy.ParseCases(f.cases, data)
	if err != nil {
		return err
	}
	report := b.Test(cases)
	a.tested(f.cases, report)
	if !report.Passed() {
		return fmt.Errorf("%s: %w", f.cases, errCases)
	}
	return nil
}

func (a *app) tested(path string, report policy.Report) {
	passed := 0
	type result struct {
		Name   string `json:"name"`
		Line   int    `json:"line"`
		Passed bool   `json:"passed"`
		Reason string `json:"reason,omitempty"`
	}
	results := []result{}
	for _, r := range report.Results {
		results = append(results, result{r.Name, r.Line, r.Passed, r.Reason})
		if r.Passed {
			passed++
		} else if !a.json() {
			fmt.Fprintf(a.out, "%s:%d: %s: %s\n", plain(path), r.Line, plain(r.Name), plainLines(r.Reason))
		}
	}
	if a.json() {
		a.encode(a.out, struct {
			Passed    bool     `json:"passed"`
			Cases     []result `json:"cases"`
			Unmatched []string `json:"unmatched"`
		}{report.Passed(), results, append([]string{}, report.Unmatched...)})
		return
	}
	fmt.Fprintf(a.out, "%d of %d cases passed\n", passed, len(results))
	if len(report.Unmatched) > 0 {
		fmt.Fprintf(a.out, "rules that matched in no case: %s\n", plain(strings.Join(report.Unmatched, ", ")))
	}
}
