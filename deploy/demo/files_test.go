package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/interlock-run/interlock/policy"
	"github.com/interlock-run/interlock/policy/catalogue"
)

func theCatalogue(t *testing.T) *catalogue.Catalogue {
	t.Helper()
	data, err := render("actions.yaml", addresses{Desk: "127.0.0.1:8080"})
	require.NoError(t, err)
	c, err := catalogue.Parse("actions.yaml", data)
	require.NoError(t, err)
	return c
}

func TestPolicyCases(t *testing.T) {
	rules, err := files.ReadFile("files/policy.yaml")
	require.NoError(t, err)
	bundle, err := policy.Parse("policy.yaml", rules, theCatalogue(t))
	require.NoError(t, err)
	data, err := files.ReadFile("files/policy-cases.yaml")
	require.NoError(t, err)
	cases, err := policy.ParseCases("policy-cases.yaml", data)
	require.NoError(t, err)
	report := bundle.Test(cases)
	for _, r := range report.Results {
		require.True(t, r.Passed, "line %d: %s: %s", r.Line, r.Name, r.Reason)
	}
	require.Empty(t, report.Unmatched, "rules that no case matches")
}

// TestPlansFitTheCatalogue: what the story has denied or failed must not be so
// for a misspelt argument.
func TestPlansFitTheCatalogue(t *testing.T) {
	c := theCatalogue(t)
	for _, sc := range append(story(false), killed) {
		for _, p := range sc.plan {
			a, ok := c.Action(p.Action)
			require.True(t, ok, p.Action)
			require.NoError(t, a.CheckArgs(p.Args), "%s: %s", sc.name, p.ID)
		}
	}
}
