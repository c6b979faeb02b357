package rig

import (
	"encoding/json"
	"fmt"

	"github.com/interlock-run/interlock/evidence"
)

// The order that trials are about, and its customer.
const (
	order    = "W5500101"
	customer = "mia_keller_4821"
)

// Request is a request for steps.
func Request(id, purpose string, steps ...evidence.Step) *evidence.Request {
	return &evidence.Request{ID: id, Purpose: purpose, Policy: "trial", Steps: steps}
}

// Lookup is a step that reads.
func Lookup(id string, needs ...string) evidence.Step {
	return step(id, "orders.lookup", map[string]any{"order": order}, needs)
}

// Refund is a step that writes, and can be repeated with the same key.
func Refund(id string, needs ...string) evidence.Step {
	return step(id, "orders.refund", map[string]any{"order": order, "customer": customer, "amount": 100, "reason": "a trial"}, needs)
}

// Notify is a step that cannot be undone, and can be repeated with the same
// key.
func Notify(id string, needs ...string) evidence.Step {
	return step(id, "orders.notify", map[string]any{"order": order, "customer": customer, "message": "Hello."}, needs)
}

// Letter is a step that can neither be undone nor repeated.
func Letter(id string, needs ...string) evidence.Step {
	return step(id, "orders.letter", map[string]any{"order": order, "customer": customer, "message": "Dear customer."}, needs)
}

func step(id, action string, args map[string]any, needs []string) evidence.Step {
	raw, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("arguments of step %s: %v", id, err)) // strings and numbers always encode
	}
	return evidence.Step{ID: id, Action: action, Args: raw, Needs: needs}
}
