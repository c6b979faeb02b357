package policy

import (
	"bytes"
	"errors"

	"github.com/interlock-run/interlock/evidence"
	"github.com/interlock-run/interlock/policy/catalogue"
)

// ErrBundle means that a file is not a valid bundle. The error's text names
// every problem: file:line:column, the rule, what is wrong, and the line.
var ErrBundle = errors.New("invalid policy bundle")

// A Bundle is a set of compiled rules. It is read only and safe for
// concurrent use. The zero Bundle denies everything.
type Bundle struct {
	name    string
	version uint64
	data    []byte
	digest  evidence.Digest
	actions *catalogue.Catalogue
	rules   []*rule
	index   index
}

// A RuleInfo describes one rule of a bundle.
type RuleInfo struct {
	ID      string
	Phase   evidence.Phase
	Actions []string // patterns as written; phase step only
	When    string   // CEL source
	Effect  evidence.Effect
	Message string
	// Approval is what the rule asks for; effect step_up only.
	Approval *evidence.Ask
	// Defer is how long the rule waits; effect defer only.
	Defer *evidence.Delay
	// Cost is the most that one evaluation can cost, in the units of
	// [CostLimit]. 0 means that there is no bound below the limit; the rule's
	// cost is tracked while it runs.
	Cost uint64
}

// Name returns the bundle's name.
func (b *Bundle) Name() string { return b.name }

// Version returns the bundle's version, at least 1.
func (b *Bundle) Version() uint64 { return b.version }

// Digest identifies the bundle: [evidence.FileDigest] of its exact bytes.
func (b *Bundle) Digest() evidence.Digest { return b.digest }

// Bytes returns a copy of the exact bytes that were parsed.
func (b *Bundle) Bytes() []byte { return bytes.Clone(b.data) }

// Ref returns what evidence says about the bundle.
func (b *Bundle) Ref() evidence.PolicyRef {
	return evidence.PolicyRef{Name: b.name, Version: b.version, Digest: b.digest}
}

// Rules describes the rules in the order of the file.
func (b *Bundle) Rules() []RuleInfo {
	infos := make([]RuleInfo, len(b.rules))
	for i, r := range b.rules {
		infos[i] = r.info
		infos[i].Approval, infos[i].Defer = cloneAsk(r.info.Approval), cloneDelay(r.info.Defer)
	}
	return infos
}
