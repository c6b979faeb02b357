package starter_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/starter"
)

func refund(ctx context.Context, temporal client.Client, trust *evidence.Trust, key *evidence.Signer, args json.RawMessage) error {
	// README
	s, err := starter.New(starter.Config{Client: temporal, Trust: trust, Principal: key, Queue: "interlock"})
	if err != nil {
		return err
	}
	x, err := s.Start(ctx, &evidence.Request{
		Purpose: "refund", Policy: "order-desk", Context: map[string]string{"customer": "mia_keller_4821"},
		Steps: []evidence.Step{{ID: "refund", Action: "orders.refund", Args: args}},
	})
	if err != nil {
		return err
	}
	receipt, err := x.Wait(ctx) // nil only if it completed, and its seal says so
	// END
	_ = receipt
	return err
}

// TestReadmeProgram keeps the program in the README one that compiles.
func TestReadmeProgram(t *testing.T) {
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	_, program, ok := strings.Cut(string(source), "\t// README\n")
	require.True(t, ok)
	program, _, ok = strings.Cut(program, "\t// END\n")
	require.True(t, ok)
	var want strings.Builder
	for line := range strings.Lines(program) {
		want.WriteString(strings.TrimPrefix(line, "\t"))
	}
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+want.String()+"```\n")
	require.NotNil(t, refund)
}
